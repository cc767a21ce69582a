"""The definitions of benchmark tasks, in LM Evaluation Harness's YAML, read without it.

Importing the harness takes seconds, and Snakemake reads this file at every start.
"""

import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from lexmerge.common.errors import StudyError, nearest


class _Loader(yaml.SafeLoader):
    """`!function module.name` stays the name: see `function_of`."""


_Loader.add_constructor("!function", lambda loader, node: f"!function {node.value}")


def read_task(path: str | Path, within: tuple[Path, ...] = ()) -> dict:
    """A task or group as its file and the files that it includes define it; its own keys win.

    `within` are the files that include this one.
    """
    path = Path(path)
    if path in within:
        raise StudyError(f"{path}: it includes itself")
    try:
        task = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StudyError(f"{path}: no task definition that can be read: {error}") from None
    if not isinstance(task, dict):
        raise StudyError(f"{path}: no task definition, which is a mapping with `task` or `group`")
    included = task.pop("include", None) or []
    merged = {}
    for name in [included] if isinstance(included, str) else included:
        merged |= read_task(path.parent / name, (*within, path))
    return merged | task


@cache
def defined(folder: str) -> dict[str, Path]:
    """The file of each task and group that a folder, or one below it, defines."""
    if not Path(folder).is_dir():
        raise StudyError(f"there is no folder {folder}")
    found: dict[str, Path] = {}
    for file in sorted(Path(folder).rglob("*.yaml")):
        task = read_task(file)
        if isinstance(name := task.get("group") or task.get("task"), str):
            if name in found:
                raise StudyError(f"{file}: {name!r} is defined in {found[name]} too; give one another name")
            found[name] = file
    return found


@cache
def own_tasks() -> frozenset[str]:
    """The names of the harness's own tasks and groups; empty where it is not installed.

    They are found by their text, tags in lists too: to read 14,000 files as YAML takes half a minute.
    """
    package = importlib.util.find_spec("lm_eval")
    if package is None or not package.submodule_search_locations:
        return frozenset()
    named = re.compile(
        r"^[\"']?(?:task|group|tag)[\"']?:\s*(.+)$|^\s*-\s+[\"']?([^\s\"'#]+)[\"']?\s*(?:#.*)?$", re.M
    )
    files = Path(package.submodule_search_locations[0], "tasks").rglob("*")
    texts = (
        file.read_text(encoding="utf-8", errors="replace")
        for file in files  # what is included goes by any name
        if file.is_file() and file.suffix not in (".py", ".pyc", ".md", ".json", ".jsonl", ".csv", ".txt")
    )
    values = (one or other for text in texts for one, other in named.findall(text))
    return frozenset(name for value in values for name in re.findall(r"[^\s\[\],\"'#]+", value))


def leaves(folder: str, names: Iterable[str], within: tuple[str, ...] = ()) -> list[str]:
    """The tasks that are run for the tasks and groups of a suite, each once, in order.

    `within` are the groups that the names are members of.
    """
    files, found = defined(folder), []
    for name in names:
        if name not in files:
            raise StudyError(f"{folder} defines no task {name!r}; {nearest(name, list(files))}")
        if name in within:
            raise StudyError(f"{files[name]}: the group {name!r} is a member of itself")
        task = read_task(files[name])
        if "group" in task:
            found += leaves(folder, _members(files[name], task), (*within, name))
        else:
            found.append(name)
    return list(dict.fromkeys(found))


def _members(file: Path, group: dict) -> list[str]:
    """The names in a group; what a group changes of its tasks would be lost here, and is refused."""
    members = group.get("task")
    if not isinstance(members, list) or not all(isinstance(name, str) for name in members):
        raise StudyError(
            f"{file}: a group's `task` is a list of names; give a changed task a file of its own"
        )
    return members


def data_faults(task: dict) -> list[str]:
    """Why a definition cannot read the documents that the workflow gives it, as JSON, a line each."""
    faults = []
    if task.get("dataset_path") != "json" or task.get("dataset_name"):
        faults.append("it is to have `dataset_path: json`, and no `dataset_name`")
    if task.get("test_split") != "test" or task.get("validation_split"):
        faults.append("it is to have `test_split: test`, and no `validation_split`")
    if task.get("training_split") and not shots(task):
        faults.append("it has a `training_split` and no `num_fewshot`: nothing would be in it")
    if shots(task) and (task.get("fewshot_split") or task.get("training_split")) != "train":
        faults.append("it shows examples, and is to have `fewshot_split: train`")
    if "/" in str(task.get("task")):
        faults.append("there is a / in its name")
    return faults


def shots(task: dict) -> int:
    """How many solved examples stand before a question."""
    return task.get("num_fewshot") or 0


def prompts(task: dict) -> list[str]:
    """The names of the prompts that each document is asked with; most tasks have one, without a name."""
    return (task.get("metadata") or {}).get("prompts") or [""]
