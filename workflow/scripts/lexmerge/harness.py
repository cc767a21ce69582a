"""What lm-eval's results say: which metrics a task has, and what each sample scored."""


def metrics(results: dict) -> list[tuple[str, str, float | None]]:
    """(task, metric, value) in the order of the tasks; a value that is not a number is None."""
    return [
        (task, key.split(",")[0], value if isinstance(value, int | float) else None)
        for task, values in results["results"].items()
        for key, value in values.items()
        if "," in key and not key.split(",")[0].endswith("_stderr")
    ]


def column(task: str, metric: str) -> str:
    """A task metric's column in the tables."""
    return f"{task}_{metric}"


def title(results: dict, task: str) -> str:
    """A task metric's name as people read it."""
    config = results["configs"][task]
    return f"{config.get('task_alias') or task} {(config.get('metadata') or {}).get('label', '')}".strip()


def size(results: dict, task: str) -> int:
    return results["n-samples"][task]["effective"]


def sample_scores(samples: list[dict], task: str, metric: str) -> dict[int, float]:
    """Each document's score; empty where the metric is one of the whole set, such as a correlation."""
    scores = {row["doc_id"]: row.get(metric) for row in samples if row["task"] == task}
    return {doc: float(s) for doc, s in scores.items() if isinstance(s, int | float)}
