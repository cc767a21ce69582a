"""The paper's Table 2: one row a model, one column a task metric; what is not a number is an empty cell."""

import pandas as pd
from lexmerge.benchmarks.results import column, limits, metrics, read_results
from lexmerge.common.files import write_tsv
from lexmerge.run.job import job


def table(cells: list[tuple[str, dict]]) -> pd.DataFrame:
    """One row a model from (model, lm-eval's results of one suite), in the order of the cells."""
    rows: dict[str, dict] = {}
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
