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
    """Read the definition of a task or group, with the files that it includes; its own keys win.

    Args:
        path: Its file.
        within: The files that include this one.

    Returns:
        The definition; a `!function` stays its name.

    Raises:
        StudyError: A file cannot be read, is no mapping, or includes itself.
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
    """Find the tasks and groups that a folder defines.

    Args:
        folder: The folder, which is searched with all folders below it.

    Returns:
        The file of each task and group, by name.

    Raises:
        StudyError: There is no such folder, or two files define one name.
    """
    if not Path(folder).is_dir():
        raise StudyError(f"there is no folder {folder}")
    files: dict[str, Path] = {}
    for file in sorted(Path(folder).rglob("*.yaml")):
        task = read_task(file)
        if isinstance(name := task.get("group") or task.get("task"), str):
            if name in files:
                raise StudyError(f"{file}: {name!r} is defined in {files[name]} too; give one another name")
            files[name] = file
    return files


@cache
def _texts(folder: str) -> dict[Path, str]:
    """The text of every file of a folder that a task definition may refer to; empty for binary files."""
    texts = {}
    for file in sorted(Path(folder).rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith("."):
            try:
                texts[file] = file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                texts[file] = ""
    return texts


def definition_files(folder: str, names: Iterable[str]) -> list[str]:
    """The files of a folder that the definitions of some tasks and groups read.

    They are the tasks' own files, and every file whose name one of these mentions: what they include, modules
    of their functions, lists of words. A file that none mentions is not read.

    Args:
        folder: The folder of the definitions.
        names: Tasks and groups; names that the folder does not define are left out.

    Returns:
        Paths in alphabetical order.
    """
    known, texts = defined(folder), _texts(folder)
    tasks = {task for name in names if name in known for task in (name, *leaves(folder, [name]))}
    found = {known[task] for task in tasks}
    while True:
        said = "\n".join(texts[file] for file in found)
        more = {
            file
            for file in texts.keys() - found
            if re.search(rf"(?<![\w-]){re.escape(file.name.removesuffix('.py'))}(?![\w-])", said)
        }
        if not more:
            return sorted(map(str, found))
        found |= more


@cache
def own_tasks() -> frozenset[str]:
    """List the names of the harness's own tasks, groups and tags.

    They are found by their text: to read 14,000 files as YAML takes half a minute.

    Returns:
        The names; empty when the harness is not installed.
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
    """List the tasks that are run for the tasks and groups of a suite.

    Args:
        folder: The folder of the definitions.
        names: The tasks and groups.
        within: The groups that the names are members of.

    Returns:
        The names of the tasks, each once, in order.

    Raises:
        StudyError: There is no task or group of a name, or a group is a member of itself.
    """
    files, tasks = defined(folder), []
    for name in names:
        if name not in files:
            raise StudyError(f"{folder} defines no task {name!r}; {nearest(name, list(files))}")
        if name in within:
            raise StudyError(f"{files[name]}: the group {name!r} is a member of itself")
        task = read_task(files[name])
        if "group" in task:
            tasks += leaves(folder, _members(files[name], task), (*within, name))
        else:
            tasks.append(name)
    return list(dict.fromkeys(tasks))


def _members(file: Path, group: dict) -> list[str]:
    """The names in a group; what a group changes of its tasks would be lost here, and is refused."""
    members = group.get("task")
    if not isinstance(members, list) or not all(isinstance(name, str) for name in members):
        raise StudyError(
            f"{file}: a group's `task` is a list of names; give a changed task a file of its own"
        )
    return members


def data_faults(task: dict) -> list[str]:
    """Say why a definition cannot read the documents that the workflow gives it, as JSON.

    Args:
        task: The definition.

    Returns:
        A line for each reason.
    """
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
    """Count the solved examples before a question, by the task's definition."""
    return task.get("num_fewshot") or 0


def variants(task: dict) -> list[str]:
    """List the variants of the question that a task asks about each document.

    Args:
        task: The task's definition; its metadata names the variants under `prompts`.

    Returns:
        The variants' names; most tasks have one, whose name is empty.
    """
    return (task.get("metadata") or {}).get("prompts") or [""]


def tasks_in(suite: dict) -> list[str]:
    """The names that an objective may use of a suite: its tasks and groups, and the tasks of these."""
    try:
        below = leaves(suite["folder"], suite["tasks"]) if "folder" in suite else []
    except StudyError:  # reported by the check of the suite
        below = []
    return list(dict.fromkeys([*suite["tasks"], *below]))


def suite_of(task: str, suites: dict[str, dict]) -> str | None:
    """The suite that a task of an objective is in."""
    return next((name for name, suite in suites.items() if task in tasks_in(suite)), None)
