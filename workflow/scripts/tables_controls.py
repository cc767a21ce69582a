"""Table of the judges' controls: scores of texts with a known right score, and the judges' noise."""

from collections import defaultdict
from statistics import mean, pstdev
from typing import Any

import pandas as pd
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.judgements.outcome import ControlJudgement
from lexmerge.run.job import job

COLUMNS = ["judge", "control", "expected", "n", "n_scored", "mean", "worst", "passed"]


def outcome(judge: str, rows: list[ControlJudgement], low: float, high: float) -> list[dict[str, Any]]:
    """Summarise the controls of a judge.

    The mean score must be at most `low` for `other_term` and `injection`, at least `high` for `reference`,
    and `empty` must have no score or 0. A control fails if less than half of its questions have a score.

    Args:
        judge: Name of the judge.
        rows: Rows of `controls/<judge>.jsonl`.
        low: Maximum mean score of wrong texts.
        high: Minimum mean score of references.

    Returns:
        A row with `COLUMNS` for each kind of control. The last has the judge's noise, without a criterion.
    """
    made = []
    for control, expected in (
        ("reference", f"at least {high:g}"),
        ("other_term", f"at most {low:g}"),
        ("injection", f"at most {low:g}"),
        ("empty", "no score, or 0"),
    ):
        mine = [row for row in rows if row["control"] == control]
        scores = [row["score"] for row in mine if row["score"] is not None]
        worst = (min if control == "reference" else max)(scores, default=None)
        made.append(
            {
                "judge": judge,
                "control": control,
                "expected": expected,
                "n": len(mine),
                "n_scored": len(scores),
                "mean": round(mean(scores), 3) if scores else None,
                "worst": worst,
                "passed": _passed(control, scores, len(mine), low, high) if mine else None,
            }
        )
    return [*made, noise(judge, rows)]


def noise(judge: str, rows: list[ControlJudgement]) -> dict[str, Any]:
    """Make the row of a judge's noise.

    Its `mean` and `worst` are the mean and maximum over terms of the population standard deviation of the
    scores of one definition.
    """
    by_term = defaultdict(list)
    for row in rows:
        if row["control"] == "repeat" and row["score"] is not None:
            by_term[row["term"]].append(row["score"])
    spreads = [pstdev(scores) for scores in by_term.values() if len(scores) > 1]
    repeated = [row for row in rows if row["control"] == "repeat"]
    return {
        "judge": judge,
        "control": "repeat",
        "expected": "SD of scores of the same definition",
        "n": len(repeated),
        "n_scored": sum(row["score"] is not None for row in repeated),
        "mean": round(mean(spreads), 3) if spreads else None,
        "worst": round(max(spreads), 3) if spreads else None,
        "passed": None,
    }


def _passed(control: str, scores: list[int], n: int, low: float, high: float) -> bool:
    """True if a control with `n` questions is passed; see `outcome`."""
    if control == "empty":
        return not any(scores)
    if 2 * len(scores) < n:
        return False
    return mean(scores) >= high if control == "reference" else mean(scores) <= low


if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        rows = [
            row
            for judge, file in zip(params.judges, snakemake.input, strict=True)
            for row in outcome(judge, read_jsonl(file), params.low, params.high)
        ]
        write_tsv(snakemake.output[0], pd.DataFrame(rows, columns=COLUMNS))
