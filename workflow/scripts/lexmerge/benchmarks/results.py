"""What lm-eval's results say: the columns that a suite has in the tables, and what each is made of."""

from collections import Counter
from collections.abc import Iterator


def metrics(results: dict) -> Iterator[tuple[str, str, float | None]]:
    """(task or group, metric, value) in the order of the columns; a value that is not a number is None.

    The metric is "name,filter" where a task has it by several filters.
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
    """A task metric's column in the tables; with its filter, where a task has the metric by several."""
    return f"{name}_{metric}".replace(",", "_")


def tasks_of(results: dict, name: str) -> list[str]:
    """The tasks whose documents stand behind a column."""
    if name not in results["groups"]:
        return [name]
    return [task for child in results["group_subtasks"][name] for task in tasks_of(results, child)]


def title(results: dict, name: str, metric: str) -> str:
    """A task metric's name as people read it."""
    config = results["configs"][name]
    label = (config.get("metadata") or {}).get("labels", {}).get(metric, metric.replace(",", " "))
    return f"{config.get('task_alias') or name} {label}"


def titles(suites: list[dict]) -> dict[str, str]:
    """Every column's name as people read it; tasks that share one are told apart by their own."""
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
    """How many documents stand behind a column; one that is asked with several prompts counts once."""
    return sum(
        results["n-samples"][task]["effective"] // len(prompts_of(results, task))
        for task in tasks_of(results, name)
    )


def prompts_of(results: dict, task: str) -> list[str]:
    """The names of the prompts that each document of a task is asked with."""
    return (results["configs"][task].get("metadata") or {}).get("prompts") or [""]


def limits(suites: list[dict]) -> list[str]:
    """A sentence for each column of which only the first documents were run."""
    return [
        f"{name}: only the first {results['config']['limit']} documents of each task"
        for results in suites
        for name in results["columns"]
        if is_limited(results, name)
    ]


def is_limited(results: dict, name: str) -> bool:
    """Were there more documents than were run?"""
    sizes = [results["n-samples"][task] for task in tasks_of(results, name)]
    return any(size["effective"] < size["original"] for size in sizes)
