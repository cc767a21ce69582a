"""The data of the report's term explorer: every term with its definitions and judgements."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lexmerge.common.files import read_jsonl
from lexmerge.definitions.flags import FLAGS
from lexmerge.definitions.rows import NOT_ASKED, Definition
from lexmerge.judgements.outcome import Judgement

Answer = list[Any]  # [definition, flags as bits, one [score, reason, status] per judge]; see `answers`


@dataclass(frozen=True)
class Written:
    """The definitions of all models and the judgements of all judges.

    Attributes:
        definitions: The definitions in each model's own language, by model.
        references: The definitions that the judges compare with.
        judged: The judgements of `definitions`, by (model, judge).
        other_definitions: The definitions in the language that is not the model's own, by model; empty in a
            study that asks in one language.
        other_judged: The judgements of `other_definitions`, by (model, judge).
    """

    definitions: dict[str, list[Definition]]
    references: list[Definition]
    judged: dict[tuple[str, str], list[Judgement]]
    other_definitions: dict[str, list[Definition]]
    other_judged: dict[tuple[str, str], list[Judgement]]


def read_written(given: Any, params: Any) -> Written:
    """Read all definitions and judgements.

    Args:
        given: The inputs of the rule `report`, with the files of definitions, references and judgements.
        params: Its parameters: `models`, in the order of the files of definitions; `judged` and
            `transferred`, the (model, judge) pairs in the order of the files of judgements.

    Returns:
        The rows of all files.
    """

    def by(names: Iterable[Any], files: Iterable[str]) -> dict[Any, Any]:
        return dict(zip(names, map(read_jsonl, files), strict=True))

    references: list[Any] = read_jsonl(given.references)
    return Written(
        by(params.models, given.definitions),
        references,
        by(map(tuple, params.judged), given.judgements),
        by(params.models if given.other_definitions else [], given.other_definitions),
        by(map(tuple, params.transferred), given.other_judgements),
    )


def explorer(
    written: Written,
    terms: list[dict[str, str]],
    study: dict[str, Any],
    judges: dict[str, str],
    asked: list[str],
    others: list[str],
) -> dict[str, Any]:
    """The data of the term explorer, workflow/report/explorer.js.

    Args:
        written: All definitions and judgements.
        terms: The rows of vocabulary/terms.tsv.
        study: The section `study` of the config.
        judges: The judges' titles by name.
        asked: The code of each model's own language, in the order of the models.
        others: The code of each model's other language, in the same order.

    Returns:
        A JSON-serialisable mapping; its `terms` are the rows of `term_rows`.
    """
    return {
        "languages": study["languages"],
        "models": list(written.definitions),
        "parents": [study["expert"], study["generalist"]],
        "asked": asked,
        "others": others,
        "judges": list(judges.values()),
        "flags": FLAGS,
        "terms": term_rows(
            terms,
            written.definitions,
            written.references,
            answers(written.definitions, written.judged, judges),
            answers(written.other_definitions, written.other_judged, judges),
            study["expert"],
        ),
    }


def term_rows(
    terms: list[dict[str, str]],
    definitions: dict[str, list[Definition]],
    references: list[Definition],
    own: list[dict[str, Answer]],
    other: list[dict[str, Answer]],
    expert: str,
) -> list[list[Any]]:
    """The explorer's row for each term.

    Args:
        terms: The rows of vocabulary/terms.tsv.
        definitions: The definitions by model.
        references: The rows of the references.
        own: The models' answers in their own languages, from `answers`.
        other: The models' answers in their other languages, from `answers`.
        expert: The name of the expert.

    Returns:
        For each term: the term, its translation, semantic tag, concept, count in the corpus and part of
        speech, the reference, the models' answers in their own languages, and those in the other languages.
        The answer of a model that skipped the term is None. The reference is None when it equals the expert's
        definition, as with greedy decoding.
    """
    translations = {row["term"]: row["translation"] for row in next(iter(definitions.values()))}
    known = {row["term"]: row["definition"] for row in references}
    experts = own[list(definitions).index(expert)]
    rows = []
    for row in terms:
        term = row["term"]
        reference = known.get(term, "")
        same = term in experts and experts[term][0] == reference
        about = [row.get(key, "") for key in ("semantic_tag", "concept_id", "corpus_count", "part_of_speech")]
        sides = [[answered.get(term) for answered in side] for side in (own, other)]
        rows.append([term, translations[term], *about, None if same else reference, *sides])
    return rows


def answers(
    definitions: dict[str, list[Definition]],
    judged: dict[tuple[str, str], list[Judgement]],
    judges: Iterable[str],
) -> list[dict[str, Answer]]:
    """Join each model's definitions with their judgements.

    Args:
        definitions: The definitions by model.
        judged: The judgements by (model, judge).
        judges: The names of the judges, in the order of the result.

    Returns:
        For each model, by term: the definition, its flags as bits in the order of FLAGS, and for each judge
        [score, reason, status]. The status `scored` is left out, as are skipped terms.
    """
    scored = {cell: {row["term"]: row for row in rows} for cell, rows in judged.items()}

    def cell(row: Judgement) -> list[Any]:
        return [row["score"], row["reason"], *([] if row["status"] == "scored" else [row["status"]])]

    return [
        {
            row["term"]: [
                row["definition"],
                sum(1 << FLAGS.index(flag) for flag in row["flags"]),
                [cell(scored[model, judge][row["term"]]) for judge in judges],
            ]
            for row in rows
            if row["finish_reason"] != NOT_ASKED
        }
        for model, rows in definitions.items()
    ]


def texts(definitions: list[Definition]) -> list[str]:
    """The texts of definitions, in the order of the rows."""
    return [row["definition"] for row in definitions]


def engines(definitions: dict[str, list[Definition]]) -> list[dict[str, Any]]:
    """The engines and decoding methods that generated the definitions.

    Args:
        definitions: The definitions by model.

    Returns:
        A row for each pair of `engine` and `decoding`, with the names of its `models`.
    """
    ways: dict[tuple[str, str], list[str]] = {}
    for model, rows in definitions.items():
        for way in dict.fromkeys((row["engine"], row["decoding"]) for row in rows if row["engine"]):
            ways.setdefault(way, []).append(model)
    return [{"engine": way[0], "decoding": way[1], "models": models} for way, models in ways.items()]


def translation_counts(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Count the translations by source and status.

    Args:
        rows: The table vocabulary/translations.tsv, with `source` and `status`.

    Returns:
        A row for each pair of `source` and `status`, with the number `n` of terms.
    """
    counted = rows.groupby(["source", "status"], sort=False).size()
    return [
        {"source": source, "status": status, "n": n}
        for (source, status), n in zip(counted.index, counted, strict=True)
    ]
