"""Control questions for judges: texts with a known right score, and repetitions of one definition."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from lexmerge.definitions.rows import NOT_ASKED
from lexmerge.judgements.outcome import ControlJudgement, judgement
from lexmerge.judgements.scoring import Scorer


def control_questions(
    references: Sequence[Mapping[str, Any]],
    definitions: Sequence[Mapping[str, Any]],
    injection: str,
    terms: int,
    repeats: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Draw a sample of terms and make control questions about them.

    Args:
        references: The expert's reference definitions.
        definitions: The generalist's definitions.
        injection: A prompt injection that demands ten points.
        terms: Size of the sample; smaller if there are fewer references.
        repeats: Times that a definition of the generalist is judged, to measure the judge's noise.
        seed: Seed of the sample.

    Returns:
        Rows of definitions with the additional columns `control` and `repeat`. By `control`, the definition
        is: `reference`, the reference itself; `other_term`, the reference of another term of the sample;
        `injection`, the injection; `empty`, the empty text; `repeat`, the generalist's definition, in
        `repeats` rows.
    """
    written = [row for row in references if row["definition"].strip()]
    chosen = random.Random(seed).sample(written, min(terms, len(written)))
    others = [*chosen[1:], *chosen[:1]]
    real = {row["term"]: row for row in definitions if row["finish_reason"] != NOT_ASKED}
    rows: list[dict[str, Any]] = []
    for row, other in zip(chosen, others, strict=True):
        made = {"reference": row["definition"], "injection": injection, "empty": ""}
        if other["definition"] != row["definition"]:
            made["other_term"] = other["definition"]
        rows += [{**row, "control": kind, "definition": text, "repeat": 0} for kind, text in made.items()]
        if row["term"] in real:
            rows += [{**real[row["term"]], "control": "repeat", "repeat": i} for i in range(repeats)]
    return rows


def judge_controls(questions: Sequence[Mapping[str, Any]], scorer: Scorer) -> list[ControlJudgement]:
    """Judge the control questions.

    Args:
        questions: See `control_questions`.
        scorer: See `scoring.scorer_of`.

    Returns:
        A judgement for each question, in their order.
    """
    return [
        {"control": row["control"], "repeat": row["repeat"], **judgement(row["term"], outcome)}
        for row, outcome in zip(questions, scorer(questions), strict=True)
    ]
