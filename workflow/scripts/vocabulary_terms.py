"""Choose the rare terms of a terminology: a chain of filters, each counted in the funnel."""

import itertools
import re
from collections.abc import Callable

import pandas as pd
from lexmerge.corpus import open_corpus, pretrained_tagger, train_tagger
from lexmerge.errors import StudyError
from lexmerge.files import read_tsv, sha256, write_tsv
from lexmerge.jobs import job
from lexmerge.terminology import files_of, read_terminology, version_of

NOUN_OR_ADJECTIVE = ("NN", "JJ")
TERMS = ["term", "semantic_tag", "concept_id", "corpus_count", "part_of_speech"]


def choose_terms(
    names: pd.DataFrame, counts: dict[str, int], tag: Callable[[str], str], filters: dict
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Filter names (`name, semantic_tag, concept_id`) down to terms; give the terms and the funnel.

    The default reads the paper literally: single words of letters, case-folded, without duplicates, at most
    `max_count` times in the corpus, nouns and adjectives.
    """
    stages = [("fully specified names", len(names))]

    def keep(stage: str, rows: pd.DataFrame) -> pd.DataFrame:
        stages.append((stage, len(rows)))
        return rows

    rows = keep("single words", names[[_is_word(name) for name in names.name]])
    rows = rows.assign(term=[name.lower() for name in rows.name]).sort_values(["term", "concept_id"])
    if filters.get("semantic_tags"):
        rows = keep("semantic tags", rows[rows.semantic_tag.isin(filters["semantic_tags"])])
    rows = keep("unique, case-folded", rows.drop_duplicates("term"))
    rows = rows.assign(corpus_count=[counts.get(term, 0) for term in rows.term])
    most = filters["max_count"]
    rows = keep(f"at most {most} in the corpus", rows[rows.corpus_count <= most])
    rows = rows.assign(part_of_speech=[tag(term) for term in rows.term])
    rows = keep(
        "nouns and adjectives", rows[[pos.startswith(NOUN_OR_ADJECTIVE) for pos in rows.part_of_speech]]
    )
    if filters.get("sample"):
        size, seed = filters["sample"]["n"], filters["sample"]["seed"]
        rows = keep(f"sample of {size}, seed {seed}", rows.sample(min(size, len(rows)), random_state=seed))
    if rows.empty:
        raise StudyError(f"no term is left after the filters: {_chain(stages)}")
    return rows.sort_values("term")[TERMS].reset_index(drop=True), _funnel(stages)


def _is_word(name: str) -> bool:
    return re.fullmatch("[A-Za-z]+", name) is not None


def _funnel(stages: list[tuple[str, int]]) -> pd.DataFrame:
    removed = [0] + [before - after for (_, before), (_, after) in itertools.pairwise(stages)]
    return pd.DataFrame({"stage": [s for s, _ in stages], "kept": [n for _, n in stages], "removed": removed})


def _chain(stages: list[tuple[str, int]]) -> str:
    return ", ".join(f"{stage} {kept}" for stage, kept in stages)


def _source(path: str, format: str) -> list[str]:
    version = version_of(path, format)
    return [f"terminology: {path}, version {version}"] + [
        f"sha256 {sha256(file)} {file}" for file in files_of(path, format)
    ]


if __name__ == "__main__":
    with job(snakemake.log[0]):
        terminology, corpus = snakemake.params.terminology, snakemake.params.corpus
        frequencies = read_tsv(snakemake.input.corpus)
        if snakemake.params.tagger == "corpus":
            tagger = train_tagger(open_corpus(corpus["format"], corpus.get("path")))
        else:
            tagger = pretrained_tagger(corpus.get("path") if corpus["format"] == "nltk" else None)
        terms, funnel = choose_terms(
            read_terminology(terminology["path"], terminology["format"]),
            dict(zip(frequencies.word, frequencies["count"].astype(int), strict=True)),
            lambda term: tagger.tag([term])[0][1],
            snakemake.params.filters,
        )
        write_tsv(snakemake.output.funnel, funnel, _source(terminology["path"], terminology["format"]))
        write_tsv(snakemake.output.terms, terms)
