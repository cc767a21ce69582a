"""Definitions of benchmark tasks in LM Evaluation Harness's YAML, read without importing the harness.

Importing the harness takes seconds, and Snakemake imports this module at every start.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lexmerge.common.errors import StudyError, nearest

TaskDefinition = dict[str, Any]  # the YAML of a task or group, with the files that it includes

# Calls in a task's module that may read a file whose name stands nowhere.
READS_FILES = re.compile(
    r"\b(?:open|read_text|read_bytes|glob|rglob|iterdir|listdir|scandir|walk|load|import_module)\s*\("
)


class _Loader(yaml.SafeLoader):
    """A YAML loader that keeps `!function module.name` as text; see `documents.function_of`."""


_Loader.add_constructor("!function", lambda loader, node: f"!function {node.value}")


def read_task(path: str | Path, within: tuple[Path, ...] = ()) -> TaskDefinition:
    """Read the definition of a task or group with the files that it includes; its own keys take precedence.

    Args:
        path: The definition's file.
        within: The files that include this one.

    Returns:
        The definition, in which a `!function` is text.

    Raises:
        StudyError: A file cannot be read, is not a mapping, or includes itself.
    """
    path = Path(path)
    if path in within:
        raise StudyError(f"{path.absolute()}: the file includes itself; remove it from `include`")
    try:
        task = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StudyError(f"{path.absolute()}: the task definition cannot be read: {error}") from None
    if not isinstance(task, dict):
        raise StudyError(
            f"{path.absolute()}: the file is not a task definition; write a mapping with `task` or `group`"
        )
    included = task.pop("include", None) or []
    merged: TaskDefinition = {}
    for name in [included] if isinstance(included, str) else included:
        merged |= read_task(path.parent / name, (*within, path))
    return merged | task


@cache
def defined(folder: str) -> dict[str, Path]:
    """Find the tasks and groups that a folder defines.

    Args:
        folder: The folder; its subfolders are searched too.

    Returns:
        The file of each task and group, by name.

    Raises:
        StudyError: The folder does not exist, or two files define the same name.
    """
    if not Path(folder).is_dir():
        raise StudyError(
            f"there is no folder {Path(folder).absolute()} of task definitions; correct `folder`"
        )
    files: dict[str, Path] = {}
    for file in sorted(Path(folder).rglob("*.yaml")):
        task = read_task(file)
        if isinstance(name := task.get("group") or task.get("task"), str):
            if name in files:
                raise StudyError(
                    f"{file.absolute()}: {name!r} is also defined in {files[name].absolute()}; rename one "
                    "of them"
                )
            files[name] = file
    return files


@cache
def _texts(folder: str) -> dict[Path, str]:
    """Read all files in a folder that a task definition may refer to; binary files have the text ""."""
    texts = {}
    for file in sorted(Path(folder).rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith("."):
            try:
                texts[file] = file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                texts[file] = ""
    return texts


def definition_files(folder: str, names: Iterable[str]) -> list[str]:
    """List the files in a folder that the definitions of tasks and groups depend on.

    These are the tasks' own files and, transitively, every file whose name or subfolder they mention, such as
    included files, modules of functions, and word lists. All files of the folder count if a module opens
    files or lists folders, since which files it reads cannot be known.

    Args:
        folder: The folder of the definitions.
        names: The tasks and groups; names that the folder does not define are skipped.

    Returns:
        The paths in alphabetical order.
    """
    known, texts = defined(folder), _texts(folder)
    tasks = {task for name in names if name in known for task in (name, *leaves(folder, [name]))}
    found = {known[task] for task in tasks}
    while True:
        said = "\n".join(texts[file] for file in found)
        if any(file.suffix == ".py" and READS_FILES.search(texts[file]) for file in found):
            return sorted(map(str, texts))
        more = {file for file in texts.keys() - found if _mentions(said, file.relative_to(folder))}
        if not more:
            return sorted(map(str, found))
        found |= more


def _mentions(text: str, file: Path) -> bool:
    """True if a text mentions a file by its name, by a subfolder on its path, or as a Python module."""
    named = "|".join(re.escape(part) for part in file.parts)
    if re.search(rf"(?<![\w-])(?:{named})(?![\w-])", text):
        return True
    module = re.escape(file.stem)
    return file.suffix == ".py" and bool(re.search(rf"(?:!function|import|from)\s+[\w.]*\b{module}\b", text))


def leaves(folder: str, names: Iterable[str], within: tuple[str, ...] = ()) -> list[str]:
    """List the tasks that tasks and groups stand for.

    Args:
        folder: The folder of the definitions.
        names: The tasks and groups.
        within: The groups that contain these names.

    Returns:
        The names of the tasks, without duplicates, in order.

    Raises:
        StudyError: A name is not defined, or a group contains itself.
    """
    files = defined(folder)
    tasks: list[str] = []
    for name in names:
        if name not in files:
            raise StudyError(
                f"{Path(folder).absolute()} defines no task {name!r}; {nearest(name, list(files))}"
            )
        if name in within:
            raise StudyError(
                f"{files[name].absolute()}: the group {name!r} contains itself; remove it from the members"
            )
        task = read_task(files[name])
        if "group" in task:
            tasks += leaves(folder, _members(files[name], task), (*within, name))
        else:
            tasks.append(name)
    return list(dict.fromkeys(tasks))


def columns(folder: str, names: Iterable[str]) -> list[str]:
    """List the tasks and groups that get a column in the tables.

    Args:
        folder: The folder of the definitions.
        names: The tasks and groups, all of them defined.

    Returns:
        The names, without duplicates, in order; a group without a mean is replaced by its members.
    """
    shown: list[str] = []
    for name in names:
        file = defined(folder)[name]
        task = read_task(file)
        whole = "group" not in task or task.get("aggregate_metric_list")
        shown += [name] if whole else columns(folder, _members(file, task))
    return list(dict.fromkeys(shown))


def _members(file: Path, group: TaskDefinition) -> list[str]:
    """List a group's members, and refuse members whose definition the group changes."""
    members = group.get("task")
    if not isinstance(members, list) or not all(isinstance(name, str) for name in members):
        raise StudyError(
            f"{file.absolute()}: a group's `task` must be a list of names; give each changed task its own "
            "file"
        )
    return members


def shots(task: TaskDefinition) -> int:
    """Read the number of solved examples before a question."""
    count: int = task.get("num_fewshot") or 0
    return count


def variants(task: TaskDefinition) -> list[str]:
    """List the variants of a task's question.

    Args:
        task: The task's definition; its metadata names the variants under `prompts`.

    Returns:
        The variants' names; a task with a single variant has one empty name.
    """
    names: list[str] = (task.get("metadata") or {}).get("prompts") or [""]
    return names
