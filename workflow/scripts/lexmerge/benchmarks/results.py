"""The results of a benchmark suite: its columns in the tables, their titles, tasks and numbers of documents.

In every function `results` is one model's results of one suite, as `suites.suite_results` makes them and
`read_results` reads them.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lexmerge.benchmarks.rows import Results, Sample
from lexmerge.benchmarks.tasks import variants
from lexmerge.common.files import read_jsonl


def read_results(file: str | Path) -> Results:
    """Read one model's results of one suite.

    Args:
        file: The file `benchmarks/<suite>/<model>.json`.

    Returns:
        lm-eval's results, with the suite's `columns`.
    """
    results: Results = json.loads(Path(file).read_text(encoding="utf-8"))
    return results


def read_evaluations(
    cells: Iterable[tuple[str, str]], results: Iterable[str], samples: Iterable[str]
) -> Iterator[tuple[str, Results, list[Sample]]]:
    """Read the results and samples of several models and suites, one pair of files at a time.

    Args:
        cells: Pairs of a model's and a suite's name.
        results: The file of results for each cell.
        samples: The file of samples for each cell.

    Yields:
        For each cell the model's name, its results, and its samples.
    """
    for (model, _), file, sample_file in zip(cells, results, samples, strict=True):
        yield model, read_results(file), read_jsonl(sample_file)


def metrics(results: Results) -> Iterator[tuple[str, str, float | None]]:
    """Walk over the columns of a suite.

    Args:
        results: One model's results of one suite.

    Yields:
        For each column the task or group, the metric, and its value, None if lm-eval has no number. The
        metric is "name,filter" if a task has it with several filters.
    """
    for name in results["columns"]:
        values = results["groups"][name] if name in results["groups"] else results["results"][name]
        scored = [key for key in values if "," in key and not key.split(",")[0].endswith("_stderr")]
        for key in scored:
            metric = key.split(",")[0]
            several = sum(other.split(",")[0] == metric for other in scored) > 1
            value = values[key]
            yield name, key if several else metric, value if isinstance(value, int | float) else None


def column(name: str, metric: str) -> str:
    """Name the column of a metric in the tables.

    Args:
        name: A task or group.
        metric: Its metric, as `metrics` yields it.

    Returns:
        The column's name, with the metric's filter if a task has the metric with several.
    """
    return f"{name}_{metric}".replace(",", "_")


def tasks_of(results: Results, name: str) -> list[str]:
    """List the tasks that a column is computed from.

    Args:
        results: One model's results of one suite.
        name: The column's task or group.

    Returns:
        The task itself, or the tasks of the group and of its groups.
    """
    if name not in results["groups"]:
        return [name]
    return [task for child in results["group_subtasks"][name] for task in tasks_of(results, child)]


def title(results: Results, name: str, metric: str) -> str:
    """Write the title of a column for readers.

    Args:
        results: One model's results of one suite.
        name: The column's task or group.
        metric: Its metric.

    Returns:
        The alias of the task and the label of the metric.
    """
    config = results["configs"][name]
    label = (config.get("metadata") or {}).get("labels", {}).get(metric, metric.replace(",", " "))
    return f"{config.get('task_alias') or name} {label}"


def titles(suites: Sequence[Results]) -> dict[str, str]:
    """Write the titles of all columns of several suites.

    Args:
        suites: The results of all suites, of one model or of several.

    Returns:
        The title by column; titles that would be the same get the name of the task added.
    """
    named = {
        (name, metric): title(results, name, metric)
        for results in suites
        for name, metric, _ in metrics(results)
    }
    shared = Counter(named.values())
    return {
        column(name, metric): f"{shown} ({name})" if shared[shown] > 1 else shown
        for (name, metric), shown in named.items()
    }


def size(results: Results, name: str) -> int:
    """Count the documents that a column is computed from; all variants of a document count as one.

    Args:
        results: One model's results of one suite.
        name: The column's task or group.

    Returns:
        The number of documents that were run.
    """
    return sum(
        results["n-samples"][task]["effective"] // len(variants_of(results, task))
        for task in tasks_of(results, name)
    )


def variants_of(results: Results, task: str) -> list[str]:
    """List the variants of a task's question.

    Args:
        results: One model's results of one suite.
        task: The name of a task.

    Returns:
        The variants' names; a task with a single variant has one empty name.
    """
    return variants(results["configs"][task])


def limits(suites: Sequence[Results]) -> list[str]:
    """Name the columns for which only the first documents of each task were run.

    Args:
        suites: The results of all suites.

    Returns:
        A sentence for each such column.
    """
    return [
        f"{name}: only the first {results['config']['limit']} documents of each task"
        for results in suites
        for name in results["columns"]
        if is_limited(results, name)
    ]


def is_limited(results: Results, name: str) -> bool:
    """Check whether a column's tasks have more documents than were run.

    Args:
        results: One model's results of one suite.
        name: The column's task or group.

    Returns:
        True if any of its tasks does.
    """
    sizes = [results["n-samples"][task] for task in tasks_of(results, name)]
    return any(size["effective"] < size["original"] for size in sizes)
