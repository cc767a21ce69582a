"""The rows of the report's term explorer: every term with what models and judges wrote about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lexmerge.common.files import read_jsonl
from lexmerge.definitions.flags import FLAGS
from lexmerge.definitions.rows import NOT_ASKED


@dataclass(frozen=True)
class Written:
    """What models and judges wrote.

    Attributes:
        definitions: The definitions in each model's own language, by model.
        references: The definitions that the judges compare with.
        judged: The judgements of `definitions`, by (model, judge).
        other_definitions: The definitions in the language that is not the model's own, by model; empty in a
            study that asks in one language.
        other_judged: The judgements of `other_definitions`, by (model, judge).
    """

    definitions: dict[str, list[dict]]
    references: list[dict]
    judged: dict[tuple[str, str], list[dict]]
    other_definitions: dict[str, list[dict]]
    other_judged: dict[tuple[str, str], list[dict]]


def read_written(given: Any, params: Any) -> Written:
    """Read what models and judges wrote.

    Args:
        given: The inputs of the rule `report`: files of definitions, references and judgements.
        params: Its parameters: `models` names the files of definitions, `judged` and `transferred` the
            (model, judge) of the files of judgements.

    Returns:
        The rows of all files.
    """

    def by(names: Iterable, files: Iterable[str]) -> dict:
        return dict(zip(names, map(read_jsonl, files), strict=True))

    return Written(
        by(params.models, given.definitions),
        read_jsonl(given.references),
        by(map(tuple, params.judged), given.judgements),
        by(params.models if given.other_definitions else [], given.other_definitions),
        by(map(tuple, params.transferred), given.other_judgements),
    )


def explorer(
    written: Written,
    terms: list[dict],
    study: dict,
    judges: dict[str, str],
    asked: list[str],
    others: list[str],
) -> dict:
    """Make the data that workflow/report/explorer.js works on.

    Args:
        written: What models and judges wrote.
        terms: The rows of the table of terms.
        study: The section `study` of the config.
        judges: The judges' titles by name.
        asked: The code of each model's own language, in the order of the models.
        others: The code of each model's other language.

    Returns:
        Values that JSON has; `terms` has the rows of `term_rows`.
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
    terms: list[dict],
    definitions: dict[str, list[dict]],
    references: list[dict],
    own: list[dict[str, list]],
    other: list[dict[str, list]],
    expert: str,
) -> list[list]:
    """Make a row for each term.

    Args:
        terms: The rows of the table of terms.
        definitions: The definitions by model.
        references: The rows of the references.
        own: What `answers` returned for the models' own languages.
        other: What `answers` returned for the models' other languages.
        expert: The name of the expert.

    Returns:
        For each term: the term, its translation, semantic tag, concept, count in the corpus and part of
        speech, the reference, the models' answers in their own languages, and in the others. The answer of a
        model that was not asked is None. The reference is None when it is the expert's definition, as with
        greedy decoding.
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
    definitions: dict[str, list[dict]], judged: dict[tuple[str, str], list[dict]], judges: Iterable[str]
) -> list[dict[str, list]]:
    """Join each model's definitions with the judgements of them.

    Args:
        definitions: The definitions by model.
        judged: The judgements by (model, judge).
        judges: The names of the judges, in the order of the result.

    Returns:
        For each model, by term: the definition, its flags as bits in the order of FLAGS, and for each judge
        [score, reason, status]. The status `scored` is left out, and so are terms that were not asked.
    """
    scored = {cell: {row["term"]: row for row in rows} for cell, rows in judged.items()}

    def cell(row: dict) -> list:
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


def texts(definitions: list[dict]) -> list[str]:
    """List the texts of definitions, in the order of the rows."""
    return [row["definition"] for row in definitions]


def engines(definitions: dict[str, list[dict]]) -> list[dict]:
    """List the engines and ways of decoding that wrote the definitions.

    Args:
        definitions: The definitions by model.

    Returns:
        A row for each pair of `engine` and `decoding`, with the names of the `models` that were asked so.
    """
    ways: dict[tuple[str, str], list[str]] = {}
    for model, rows in definitions.items():
        for way in dict.fromkeys((row["engine"], row["decoding"]) for row in rows if row["engine"]):
            ways.setdefault(way, []).append(model)
    return [{"engine": way[0], "decoding": way[1], "models": models} for way, models in ways.items()]


def translation_counts(rows: pd.DataFrame) -> list[dict]:
    """Count the translations by where they are from and with which outcome.

    Args:
        rows: The table of translations, with `source` and `status`.

    Returns:
        A row for each pair of `source` and `status`, with the number `n` of terms.
    """
    counted = rows.groupby(["source", "status"], sort=False).size()
    return [{"source": source, "status": status, "n": n} for (source, status), n in counted.items()]
