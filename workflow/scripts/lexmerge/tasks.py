"""The definitions of benchmark tasks, in LM Evaluation Harness's YAML, read without it.

Importing the harness takes seconds, and Snakemake reads this file at every start.
"""

import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from lexmerge.errors import StudyError, nearest


class _Loader(yaml.SafeLoader):
    """`!function module.name` stays the name: see `function_of`."""


_Loader.add_constructor("!function", lambda loader, node: f"!function {node.value}")


def read_task(path: str | Path) -> dict:
    """A task or group as its file and the files that it includes define it; its own keys win."""
    path = Path(path)
    try:
        task = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, yaml.YAMLError) as error:
        raise StudyError(f"{path}: no task definition that can be read: {error}") from None
    if not isinstance(task, dict):
        raise StudyError(f"{path}: no task definition, which is a mapping with `task` or `group`")
    included = task.pop("include", [])
    merged = {}
    for name in [included] if isinstance(included, str) else included:
        merged |= read_task(path.parent / name)
    return merged | task


@cache
def defined(folder: str) -> dict[str, Path]:
    """The file of each task and group that a folder, or one below it, defines."""
    found = {}
    for file in sorted(Path(folder).rglob("*.yaml")):
        task = read_task(file)
        if isinstance(name := task.get("group") or task.get("task"), str):
            found[name] = file
    return found


@cache
def own_tasks() -> frozenset[str]:
    """The names of the harness's own tasks and groups; empty where it is not installed.

    They are found by their text: to read 14,000 files as YAML takes half a minute.
    """
    package = importlib.util.find_spec("lm_eval")
    if package is None or not package.submodule_search_locations:
        return frozenset()
    named = re.compile(
        r"^(?:task|group|tag):\s*[\"']?([\w.:-]+)[\"']?\s*(?:#.*)?$|^\s+- [\"']?([\w.:-]+)", re.M
    )
    files = Path(package.submodule_search_locations[0], "tasks").rglob("*.yaml")
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in files)
    return frozenset(one or other for text in texts for one, other in named.findall(text))


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


def shots(task: dict) -> int:
    """How many solved examples stand before a question."""
    return task.get("num_fewshot") or 0


def prompts(task: dict) -> list[str]:
    """The names of the prompts that each document is asked with; most tasks have one, without a name."""
    return (task.get("metadata") or {}).get("prompts") or [""]
