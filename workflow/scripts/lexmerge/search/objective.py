"""The tasks and documents of a search's objectives, and the model to evaluate on them."""

from pathlib import Path
from typing import Any

import torch

from lexmerge.benchmarks.suites import Suite, ask_other_documents, load_suite
from lexmerge.common.device import device
from lexmerge.common.errors import StudyError
from lexmerge.search.candidates import Candidates, Part
from lexmerge.search.live_model import LiveModel

Suites = list[tuple[Suite, int | None]]  # suites, each with the number of documents per task (None for all)


def parts_of(objectives: dict[str, list[dict[str, Any]]]) -> dict[str, list[Part]]:
    """Convert `search.objectives` of the config to the terms of each objective."""
    return {name: [Part(**part) for part in objective] for name, objective in objectives.items()}


def searched_suites(
    suites: dict[str, dict[str, Any]], data: dict[str, dict[str, dict[str, Path]]], documents: int
) -> Suites:
    """Load the objectives' tasks with the documents to search on.

    Args:
        suites: For each suite, `tasks` and `folder` with their definitions (None for the harness's own).
        data: The files of documents by suite, task and split; see `data_by_suite`.
        documents: The number of documents of each task.

    Returns:
        The suites.

    Raises:
        StudyError: A task is unknown, is a tag, or has too few documents that the tables do not report.
    """
    loaded: Suites = []
    for name, given in suites.items():
        suite = load_suite(given["tasks"], given["folder"], data.get(name, {}))
        for task in given["tasks"]:
            if task not in suite.tasks and task not in suite.groups:
                raise StudyError(
                    f"search: {task!r} is a tag; name its tasks instead: {', '.join(suite.tasks)}"
                )
        if name not in data:
            ask_other_documents(suite, documents, seed=0)
        loaded.append((suite, documents))
    return loaded


def reported_suites(
    suites: dict[str, dict[str, Any]],
    data: dict[str, dict[str, dict[str, Path]]],
    limits: dict[str, int | None],
) -> Suites:
    """Load the objectives' tasks with the documents that the tables report.

    Args:
        suites: See `searched_suites`.
        data: See `searched_suites`.
        limits: The number of documents of each task by suite; None for all.

    Returns:
        The suites.
    """
    return [
        (load_suite(given["tasks"], given["folder"], data.get(name, {})), limits[name])
        for name, given in suites.items()
    ]


def data_by_suite(files: list[str]) -> dict[str, dict[str, dict[str, Path]]]:
    """Group files `<suite>/<task>/<split>.jsonl` by suite, task and split, without empty files."""
    found: dict[str, dict[str, dict[str, Path]]] = {}
    for file in map(Path, files):
        if file.stat().st_size:
            task = found.setdefault(file.parent.parent.name, {}).setdefault(file.parent.name, {})
            task[file.stem] = file
    return found


def candidates(
    first: dict[str, Any], suites: Suites, canonical: str, params: dict[str, Any], worker: int = 0
) -> Candidates:
    """Load the model that evaluates candidates.

    Args:
        first: Any recipe of the search, with folders as models.
        suites: The tasks with their documents.
        canonical: The folder of the checkpoint whose tokenizer and generation config all merges get.
        params: The parameters of the rule `search` or `search_scores`.
        worker: The number of the worker, which selects one of several GPUs.
    """
    settings, where = params["benchmarking"], device(params["benchmarking"]["device"])
    if where == "cuda":
        where = f"cuda:{worker % torch.cuda.device_count()}"
    model = LiveModel(first, params["merge_seed"], params["merging"], canonical, settings["dtype"], where)
    return Candidates(model, suites, parts_of(params["search"]["objectives"]), settings)
