"""Choose the rare terms of a terminology with filters, or read the user's own terms.

The funnel table has the number of names that each filter keeps.
"""

import itertools
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from lexmerge.common.errors import StudyError, nearest
from lexmerge.common.files import read_notes, read_tsv, sha256, write_tsv
from lexmerge.common.languages import is_word
from lexmerge.run.job import job
from lexmerge.vocabulary.corpus import (
    files_of,
    open_brown,
    open_tagged,
    pretrained_tagger,
    tag_alone,
    train_tagger,
)
from lexmerge.vocabulary.terminology import read_terminology

TERMS = ["term", "semantic_tag", "concept_id", "corpus_count", "part_of_speech"]
KINDS = {
    "fully_specified": "fully specified names",
    "preferred": "preferred terms",
    "synonyms": "synonyms",
}


def choose_terms(
    names: pd.DataFrame,
    counts: dict[str, int],
    tag: Callable[[str], str] | None,
    filters: dict[str, Any],
    kinds: list[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Filter names down to terms.

    The default filters follow the paper literally: single words of letters, case-folded, without duplicates,
    at most `max_count` times in the corpus, nouns and adjectives.

    Args:
        names: Rows `name, semantic_tag, concept_id`.
        counts: Counts of the corpus' words, as written.
        tag: Returns a word's part of speech; None without a tagger.
        filters: `vocabulary.filters` in the config.
        kinds: The kinds of names (keys of `KINDS`), for the funnel.

    Returns:
        The terms with the columns `TERMS`, and the funnel `stage, kept, removed`.

    Raises:
        StudyError: If no term is left, or the terminology lacks a semantic tag of the filters.
    """
    stages = [(" and ".join(KINDS[kind] for kind in kinds), len(names))]

    def keep(stage: str, rows: pd.DataFrame) -> pd.DataFrame:
        stages.append((stage, len(rows)))
        return rows

    hyphens, cased = filters["hyphens"], filters["cased"]
    single = "single words, hyphenated ones too" if hyphens else "single words"
    rows = keep(single, names[[is_word(name, hyphens) for name in names.name]])
    if wanted := filters.get("semantic_tags"):
        _known_tags(wanted, set(names.semantic_tag))
        rows = keep(f"semantic tags: {', '.join(wanted)}", rows[rows.semantic_tag.isin(wanted)])
    folded = [name.lower() for name in rows.name]
    rows = rows.assign(term=rows.name if cased else folded, folded=folded)
    rows = rows.sort_values(["folded", "concept_id", "term"])
    rows = keep("unique, case-folded", rows.drop_duplicates("folded"))
    known = counts if cased else _case_folded(counts)
    rows = rows.assign(corpus_count=[known.get(term, 0) for term in rows.term])
    most = filters["max_count"]
    rare = f"at most {most} in the corpus{', as written' if cased else ''}"
    rows = keep(rare, rows[rows.corpus_count <= most])
    rows = rows.assign(part_of_speech=[tag(term) if tag else "" for term in rows.term])
    if tag:
        wanted = filters["parts_of_speech"]
        spoken = f"part of speech: {', '.join(f'{part}*' for part in wanted)}"
        rows = keep(spoken, rows[[part.startswith(tuple(wanted)) for part in rows.part_of_speech]])
    if filters.get("sample"):
        size, seed = int(filters["sample"]["n"]), int(filters["sample"]["seed"])
        rows = keep(f"sample of {size}, seed {seed}", rows.sample(min(size, len(rows)), random_state=seed))
    if rows.empty:
        raise StudyError(f"vocabulary.filters: no term is left; loosen the filters: {_chain(stages)}")
    return rows.sort_values("folded")[TERMS].reset_index(drop=True), _funnel(stages)


def given_terms(source: str) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Read the user's own terms, unfiltered and in their order.

    Args:
        source: Path of a TSV file with the column `term`; other columns of `TERMS` are optional.

    Returns:
        The terms with the columns `TERMS`, the funnel, and the notes of the funnel.

    Raises:
        StudyError: If there are no terms, an empty one, or duplicates.
    """
    table = read_tsv(source, ["term"])
    table["term"] = [unicodedata.normalize("NFC", term).strip() for term in table.term]
    if table.empty:
        raise StudyError(f"vocabulary.terms: {Path(source).absolute()} has no terms")
    for fault, found in {
        "an empty term": table.term == "",
        "a term more than once": table.term.str.lower().duplicated(),
    }.items():
        if found.any():
            rows = ", ".join(f"{table.term[i]!r} in row {i + 1}" for i in table.index[found][:5])
            raise StudyError(f"vocabulary.terms: {Path(source).absolute()} has {fault}: {rows}")
    terms = pd.DataFrame({column: table.get(column, [""] * len(table)) for column in TERMS}, dtype=object)
    where = [f"terms: {Path(source).name}, {source}", f"sha256 {sha256(source)} {source}"]
    return terms, _funnel([("terms as given", len(terms))]), where


def _known_tags(wanted: list[str], known: set[str]) -> None:
    """Raise a StudyError if the terminology lacks a wanted semantic tag."""
    for name in wanted:
        if name not in known:
            allowed = sorted(known - {""})
            hint = nearest(name, allowed)
            raise StudyError(f"vocabulary.filters.semantic_tags: the terminology has no tag {name!r}; {hint}")


def _case_folded(counts: dict[str, int]) -> dict[str, int]:
    """Counts of the words in lower case."""
    folded: Counter[str] = Counter()
    for word, count in counts.items():
        folded[word.lower()] += count
    return folded


def _funnel(stages: list[tuple[str, int]]) -> pd.DataFrame:
    """The funnel table from (stage, number kept)."""
    removed = [0] + [before - after for (_, before), (_, after) in itertools.pairwise(stages)]
    return pd.DataFrame({"stage": [s for s, _ in stages], "kept": [n for _, n in stages], "removed": removed})


def _chain(stages: list[tuple[str, int]]) -> str:
    """The stages and their numbers on one line."""
    return ", ".join(f"{stage} {kept}" for stage, kept in stages)


def tagger_of(
    vocabulary: dict[str, Any], brown: str | None, pretrained: str | None
) -> tuple[Callable[[str], str] | None, str]:
    """Load or train the tagger named in the config.

    Args:
        vocabulary: `vocabulary` in the config.
        brown: A file of NLTK's Brown corpus, if it is used.
        pretrained: A file of NLTK's English tagger, if it is used.

    Returns:
        A function that returns a word's part of speech (None without a tagger), and its description for the
        notes of the funnel.
    """
    corpus = vocabulary["corpus"]
    if vocabulary["tagger"] == "none":
        return None, "none"
    if vocabulary["tagger"] == "nltk":
        return tag_alone(pretrained_tagger(pretrained)), "NLTK's English averaged perceptron"
    if corpus["format"] == "nltk":
        tagged = open_brown(brown)
    else:
        tagged = open_tagged(files_of(corpus["path"], corpus["files"]))
    return tag_alone(train_tagger(tagged)), "averaged perceptron trained on the corpus"


def comparison(published: dict[str, Any] | None) -> list[str]:
    """A note with the number of terms in a published study; empty if the config has none."""
    return [f"for comparison: {published['n']:,} terms in {published['source']}"] if published else []


def choose_from_terminology(
    vocabulary: dict[str, Any], language: str, files: dict[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Choose the terms from the terminology.

    Args:
        vocabulary: `vocabulary` in the config.
        language: Code of the source language.
        files: The rule's inputs by name: `corpus`, and `brown` and `tagger` if they are used.

    Returns:
        The terms, the funnel, and the notes of the funnel.
    """
    source = vocabulary["terminology"]
    terminology = read_terminology(source, language)
    frequencies = read_tsv(files["corpus"])
    counts = dict(zip(frequencies.word, frequencies["count"].astype(int), strict=True))
    tag, tagger = tagger_of(vocabulary, files.get("brown"), files.get("tagger"))
    terms, funnel = choose_terms(terminology.names, counts, tag, vocabulary["filters"], source["names"])
    where = [*terminology.notes(source["path"]), *read_notes(files["corpus"]), f"tagger: {tagger}"]
    return terms, funnel, where


if __name__ == "__main__":
    with job(snakemake.log[0]):
        vocabulary, language = snakemake.params.vocabulary, snakemake.params.language
        if given := vocabulary.get("terms"):
            terms, funnel, where = given_terms(given)
        else:
            files = dict(snakemake.input.items())
            terms, funnel, where = choose_from_terminology(vocabulary, language, files)
        write_tsv(snakemake.output.funnel, funnel, [*where, *comparison(vocabulary.get("published"))])
        write_tsv(snakemake.output.terms, terms)
