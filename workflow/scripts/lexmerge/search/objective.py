"""The tasks of a search's objective with their documents, and the model that they are asked of."""

from pathlib import Path

import torch

from lexmerge.benchmarks.suites import Suite, ask_other_documents, load_suite
from lexmerge.common.device import device
from lexmerge.common.errors import StudyError
from lexmerge.search.candidates import Candidates, Part
from lexmerge.search.live_model import LiveModel

Suites = list[tuple[Suite, int | None]]  # each with how many documents of its tasks are asked, or all


def parts_of(objectives: dict[str, list[dict]]) -> dict[str, list[Part]]:
    return {name: [Part(**part) for part in objective] for name, objective in objectives.items()}


def searched_suites(suites: dict[str, dict], data: dict, documents: int) -> Suites:
    """The objective's tasks with the documents to search on."""
    loaded = []
    for name, given in suites.items():
        suite = load_suite(given["tasks"], given["folder"], data.get(name, {}))
        for task in given["tasks"]:
            if task not in suite.tasks and task not in suite.groups:
                raise StudyError(f"search: {task!r} is a tag; name its tasks: {', '.join(suite.tasks)}")
        if name not in data:
            ask_other_documents(suite, documents, seed=0)
        loaded.append((suite, documents))
    return loaded


def reported_suites(suites: dict[str, dict], data: dict, limits: dict[str, int | None]) -> Suites:
    """The objective's tasks with the documents that the tables report."""
    return [
        (load_suite(given["tasks"], given["folder"], data.get(name, {})), limits[name])
        for name, given in suites.items()
    ]


def data_by_suite(files: list[str]) -> dict[str, dict[str, dict[str, Path]]]:
    """The files `<suite>/<task>/<split>.jsonl` by suite, task and split; empty ones are none."""
    found: dict[str, dict[str, dict[str, Path]]] = {}
    for file in map(Path, files):
        if file.stat().st_size:
            task = found.setdefault(file.parent.parent.name, {}).setdefault(file.parent.name, {})
            task[file.stem] = file
    return found


def candidates(first: dict, suites: Suites, canonical: str, params: dict, worker: int = 0) -> Candidates:
    """A model that becomes any candidate and is asked the suites; of several GPUs each worker takes its own.

    `first` is any of the recipes, with folders; `params` are those of the rule.
    """
    settings, where = params["benchmarking"], device(params["benchmarking"]["device"])
    if where == "cuda":
        where = f"cuda:{worker % torch.cuda.device_count()}"
    model = LiveModel(first, params["merge_seed"], params["merging"], canonical, settings["dtype"], where)
    return Candidates(model, suites, parts_of(params["search"]["objectives"]), settings)
