"""The paper's Table 1: `model, judge, median, mean, std, n, n_unscored`."""

import pandas as pd
from lexmerge.files import read_jsonl, write_tsv
from lexmerge.jobs import job


def summary(model: str, judge: str, judgements: list[dict]) -> dict:
    """The scores of one model by one judge; a missing score is counted and never taken for a zero."""
    scores = pd.Series([row["score"] for row in judgements if row["score"] is not None], dtype=float)
    return {
        "model": model,
        "judge": judge,
        "median": scores.median(),
        "mean": round(scores.mean(), 3),
        "std": round(scores.std(ddof=1), 3),
        "n": len(scores),
        "n_unscored": len(judgements) - len(scores),
    }


if __name__ == "__main__":
    with job(snakemake.log[0]):
        cells = snakemake.params.cells
        table = [
            summary(model, judge, read_jsonl(file))
            for (model, judge), file in zip(cells, snakemake.input, strict=True)
        ]
        write_tsv(snakemake.output[0], pd.DataFrame(table))
