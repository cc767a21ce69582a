"""What lm-eval's results of a suite say: its columns in the tables, and what each is made of.

`results` is everywhere one model's results of one suite: what `suites.suite_results` made and `read_results`
reads.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from lexmerge.benchmarks.tasks import variants
from lexmerge.common.files import read_jsonl


def read_results(file: str | Path) -> dict:
    """Read one model's results of one suite.

    Args:
        file: The file `benchmarks/<suite>/<model>.json`.

    Returns:
        lm-eval's results, with the suite's `columns`.
    """
    return json.loads(Path(file).read_text(encoding="utf-8"))


def read_evaluations(
    cells: Iterable[tuple[str, str]], results: Iterable[str], samples: Iterable[str]
) -> Iterator[tuple[str, dict, list[dict]]]:
    """Read the results and samples of several models and suites, one pair of files at a time.

    Args:
        cells: The names of (model, suite).
        results: The file of results of each cell.
        samples: The file of samples of each cell.

    Yields:
        For each cell the name of the model, its results, and a row for each sample.
    """
    for (model, _), file, sample_file in zip(cells, results, samples, strict=True):
        yield model, read_results(file), read_jsonl(sample_file)


def metrics(results: dict) -> Iterator[tuple[str, str, float | None]]:
    """Walk over the columns of a suite.

    Args:
        results: One model's results of one suite.

    Yields:
        For each column the task or group, the metric and its value, which is None if lm-eval's is not a
        number. The metric is "name,filter" when a task has it by several filters.
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
        The column's name, with the metric's filter if a task has it by several.
    """
    return f"{name}_{metric}".replace(",", "_")


def tasks_of(results: dict, name: str) -> list[str]:
    """List the tasks whose documents stand behind a column.

    Args:
        results: One model's results of one suite.
        name: The column's task or group.

    Returns:
        The task itself, or the tasks of the group and of its groups.
    """
    if name not in results["groups"]:
        return [name]
    return [task for child in results["group_subtasks"][name] for task in tasks_of(results, child)]


def title(results: dict, name: str, metric: str) -> str:
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


def titles(suites: list[dict]) -> dict[str, str]:
    """Write the titles of all columns of several suites.

    Args:
        suites: The results of all suites, of one model or of several.

    Returns:
        The title by column; columns that would share one have the task's name in it too.
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


def size(results: dict, name: str) -> int:
    """Count the documents behind a column; one that is asked in several variants counts once.

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


def variants_of(results: dict, task: str) -> list[str]:
    """List the variants of the question that a task asks about each document.

    Args:
        results: One model's results of one suite.
        task: The name of a task.

    Returns:
        The variants' names; most tasks have one, whose name is empty.
    """
    return variants(results["configs"][task])


def limits(suites: list[dict]) -> list[str]:
    """Name the columns of which only the first documents were run.

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


def is_limited(results: dict, name: str) -> bool:
    """Tell whether a column's tasks have more documents than were run.

    Args:
        results: One model's results of one suite.
        name: The column's task or group.

    Returns:
        Whether they have.
    """
    sizes = [results["n-samples"][task] for task in tasks_of(results, name)]
    return any(size["effective"] < size["original"] for size in sizes)
