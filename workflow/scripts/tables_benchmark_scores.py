"""Benchmark scores with intervals: the columns of Table 2, and the tasks and variants that they average."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from lexmerge.benchmarks.results import (
    column,
    is_limited,
    metrics,
    read_evaluations,
    size,
    tasks_of,
    variants_of,
)
from lexmerge.benchmarks.rows import Results, Sample
from lexmerge.common.files import write_tsv
from lexmerge.run.job import job
from lexmerge.statistics.measures import Measure, interval, of_samples, part_of
from tqdm import tqdm

COLUMNS = ["model", "column", "task", "prompt", "value", "ci_low", "ci_high", "n", "limit"]


def rows(model: str, results: Results, samples: list[Sample], seed: int) -> Iterator[dict[str, Any]]:
    """Score one model on one suite.

    Args:
        model: The name of the model.
        results: Its results of the suite.
        samples: Its samples, one row each.
        seed: The seed of the bootstrap.

    Yields:
        Rows with the columns `COLUMNS`. In a column's own row `task` and `prompt` are empty; the rows of its
        parts name the task, and in `prompt` the variant of its question unless they pool all variants.
    """
    for name, metric, value in metrics(results):
        limit = results["config"].get("limit") if is_limited(results, name) else None
        head = {"model": model, "column": column(name, metric), "limit": limit}
        measure = of_samples(results, samples, name, metric)
        ends = interval(measure, seed)[1:] if measure else (None, None)
        whole = {"task": "", "prompt": "", "value": value, "ci_low": ends[0], "ci_high": ends[1]}
        yield {**head, **whole, "n": size(results, name)}
        for task, variant in parts(results, name) if measure else []:
            part = part_of(samples, task, metric, variant or None)
            estimate = interval(Measure({task: part}), seed)
            scored = dict(zip(("value", "ci_low", "ci_high"), estimate, strict=True))
            yield {**head, "task": task, "prompt": variant, **scored, "n": len(part)}


def parts(results: Results, name: str) -> Iterator[tuple[str, str]]:
    """The (task, variant) pairs that a column averages; the variant is empty for a whole task."""
    tasks = tasks_of(results, name)
    for task in tasks:
        variants = variants_of(results, task)
        if len(tasks) > 1:
            yield task, ""
        if len(variants) > 1:
            yield from ((task, variant) for variant in variants)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        evaluations = read_evaluations(params.cells, given.results, given.samples)
        scores = [
            row
            for model, results, samples in tqdm(evaluations, total=len(params.cells), unit="suite")
            for row in rows(model, results, samples, params.seed)
        ]
        table = pd.DataFrame(scores, columns=COLUMNS).astype({"limit": "Int64"})
        write_tsv(snakemake.output[0], table.round(4))
