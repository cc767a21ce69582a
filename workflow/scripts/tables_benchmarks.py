"""The paper's Table 2: a row for each model, a column for each task metric; empty cells are not numbers."""

from typing import Any

import pandas as pd
from lexmerge.benchmarks.results import column, limits, metrics, read_results
from lexmerge.benchmarks.rows import Results
from lexmerge.common.files import write_tsv
from lexmerge.run.job import job


def table(cells: list[tuple[str, Results]]) -> pd.DataFrame:
    """Table 2 from (model, its results of one suite) pairs; models and columns keep the pairs' order."""
    rows: dict[str, dict[str, Any]] = {}
    for model, results in cells:
        row = rows.setdefault(model, {"model": model})
        for name, metric, value in metrics(results):
            row[column(name, metric)] = None if value is None else round(value, 4)
    return pd.DataFrame(rows.values())


if __name__ == "__main__":
    with job(snakemake.log[0]):
        suites = [read_results(file) for file in snakemake.input]
        models = [model for model, _ in snakemake.params.cells]
        notes = dict.fromkeys(limits(suites))
        write_tsv(snakemake.output[0], table(list(zip(models, suites, strict=True))), notes)
