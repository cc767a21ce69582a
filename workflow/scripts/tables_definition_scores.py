"""The paper's Table 1, with the reasons for missing scores and the judge's result in its controls."""

from collections import Counter
from typing import Any

import pandas as pd
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.judgements.control_results import controls_of
from lexmerge.judgements.outcome import Judgement
from lexmerge.run.job import job
from lexmerge.statistics.measures import mean_interval


def summary(model: str, judge: str, judgements: list[Judgement], seed: int) -> dict[str, Any]:
    """The scores of one model by one judge, with the 95 % BCa interval of the mean.

    Missing scores are counted (`n_unscored`) and left out of all statistics.
    """
    scores = pd.Series([row["score"] for row in judgements if row["score"] is not None], dtype=float)
    low, high = mean_interval(scores.to_numpy(), seed)
    return {
        "model": model,
        "judge": judge,
        "median": scores.median(),
        "mean": round(scores.mean(), 4),
        "std": round(scores.std(ddof=1), 4),
        "n": len(scores),
        "n_unscored": len(judgements) - len(scores),
        "unscored": reasons(judgements),
        "ci_low": None if low is None else round(low, 4),
        "ci_high": None if high is None else round(high, 4),
    }


def reasons(judgements: list[Judgement]) -> str:
    """Count the missing scores by status, as `2 refused, 1 blocked`."""
    counted = Counter(row["status"] for row in judgements if row["score"] is None)
    return ", ".join(f"{n} {status}" for status, n in sorted(counted.items()))


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, cells = snakemake.input, snakemake.params.cells
        controls = controls_of(given.controls)
        table = [
            summary(model, judge, read_jsonl(file), snakemake.params.seed) | {"controls": controls[judge]}
            for (model, judge), file in zip(cells, given.judgements, strict=True)
        ]
        write_tsv(snakemake.output[0], pd.DataFrame(table))
