"""LM Evaluation Harness's own tasks, groups and tags, found without importing the harness.

The harness itself parses 14,000 YAML files to find them, which takes up to half a minute. Here regular
expressions find the names, and only the files that a suite needs are parsed.
"""

import importlib.util
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from lexmerge.benchmarks.tasks import read_task
from lexmerge.common.errors import StudyError

NAMING = ("task", "group", "tag", "class", "include")  # the keys that decide what a file defines
# A key at the start of a line, with its value: the rest of the line, and the lines of a list below it.
KEY = re.compile(
    rf"^[\"']?({'|'.join(NAMING)})[\"']?[ \t]*:(.*(?:\n(?:[ \t]+\S.*|-.*|[ \t]*#.*|[ \t]*(?=\n)))*)", re.M
)
WORD = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^\s\[\],\"'#][^\s\[\],\"']*)|#.*")
NO_FOLDERS = ("__pycache__", ".ipynb_checkpoints")
File = dict[str, list[str]]  # the values of the keys `NAMING` of one file


@cache
def own_index() -> dict[str, Path | frozenset[str]]:
    """Find everything that the harness defines.

    Returns:
        By name, the file of a task or group, or the tasks of a tag; empty if the harness is not installed.
        Of two definitions with the same name the first counts, as for the harness.
    """
    index: dict[str, Path | set[str]] = {}
    folder = _folder()
    texts: dict[Path, File] = {}
    for path in sorted(folder.rglob("*.yaml"), key=Path.as_posix) if folder else []:
        if any(part in NO_FOLDERS for part in path.parts):
            continue
        file = _with_included(path, texts)
        kind = "group" if "group" in file and "class" not in file else "task"
        name = " ".join(file.get(kind, []))
        if not name or name in index:
            continue
        index[name] = path
        for tag in file.get("tag", []) if kind == "task" else []:
            tagged = index.setdefault(tag, set())
            if isinstance(tagged, set):
                tagged.add(name)
    return {name: frozenset(entry) if isinstance(entry, set) else entry for name, entry in index.items()}


def _folder() -> Path | None:
    """The folder of the harness's task definitions; None if the harness is not installed."""
    package = importlib.util.find_spec("lm_eval")
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0], "tasks")


def _with_included(path: Path, texts: dict[Path, File], within: tuple[Path, ...] = ()) -> File:
    """Find the keys `NAMING` of a file and of the files that it includes; its own keys take precedence."""
    if path not in texts:
        try:
            found = KEY.findall(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            found = []
        texts[path] = {key: list(_words(value)) for key, value in found}
    own = texts[path]
    merged: File = {}
    for name in own.get("include", []):
        if (other := path.parent / name) not in (*within, path):
            merged |= _with_included(other, texts, (*within, path))
    return merged | {key: value for key, value in own.items() if key != "include"}


def _words(value: str) -> Iterator[str]:
    """Split the text of a YAML value, a scalar or a list of scalars, into its words."""
    for words in WORD.findall(value):
        if (word := "".join(words)) and word != "-":
            yield word


def own_fault(name: str) -> str | None:
    """Describe a name that the harness does not know, with similar names.

    Args:
        name: The name of a task, group or tag.

    Returns:
        The fault; None if the harness has the name or is not installed.
    """
    index = own_index()
    if not index or name in index:
        return None
    close = get_close_matches(name, index, n=5, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "`lm-eval ls tasks` lists them"
    return f"LM Evaluation Harness has no task, group or tag {name!r}; {hint}"


def is_tag(name: str) -> bool:
    """True if a name is a tag of the harness, which stands for its tasks and has no score of its own."""
    return isinstance(own_index().get(name), frozenset)


def own_definition(name: str) -> dict[str, Any]:
    """Read the harness's definition of a task or group.

    Args:
        name: The name of a task or group, or of a group within a group, `<group>::<name>`.

    Returns:
        The definition; empty for a tag and for an unknown name.
    """
    entry = own_index().get(name)
    if entry is None and "::" in name:
        return next((g for g in _inline_groups(name.partition("::")[0]) if g["group"] == name), {})
    return read_task(entry) if isinstance(entry, Path) else {}


def members(name: str) -> list[str] | None:
    """List the members of a group or tag of the harness.

    Args:
        name: The name of a task, group or tag.

    Returns:
        The names, which may be those of further groups and tags; None for a task. A group or task that is
        defined within a group has the name `<group>::<name>`, as in the harness.
    """
    entry = own_index().get(name)
    if isinstance(entry, frozenset):
        return sorted(entry)
    definition = own_definition(name)
    return _names_in(definition) if "group" in definition else None


def _inline_groups(name: str) -> Iterator[dict[str, Any]]:
    """Yield the groups that are defined within a group, with their full names."""
    open_ones = [own_definition(name)]
    for group in open_ones:
        for member in _listed(group):
            if isinstance(member, dict) and "group" in member and member["group"] not in own_index():
                inner = member | {"group": f"{group['group']}::{member['group']}"}
                open_ones.append(inner)
                yield inner


def _names_in(group: dict[str, Any]) -> list[str]:
    """The names of a group's members; a member that is defined only in the group is named after it."""
    given = [
        str(member.get("group", member.get("task"))) if isinstance(member, dict) else str(member)
        for member in _listed(group)
    ]
    return [name if name in own_index() else f"{group['group']}::{name}" for name in given]


def _listed(group: dict[str, Any]) -> list[Any]:
    """A group's list of members, as in its definition."""
    listed = group.get("task")
    return listed if isinstance(listed, list) else []


def own_leaves(names: Iterable[str], within: tuple[str, ...] = ()) -> list[str]:
    """List the tasks that names stand for.

    Args:
        names: Tasks, groups and tags of the harness.
        within: The groups that contain these names.

    Returns:
        The names of the tasks, without duplicates, in order; the names as given if the harness is not
        installed.

    Raises:
        StudyError: The harness does not know a name.
    """
    tasks: list[str] = []
    for name in names:
        if not within and (fault := own_fault(name)):
            raise StudyError(fault)
        below = None if name in within else members(name)
        tasks += [name] if below is None else own_leaves(below, (*within, name))
    return list(dict.fromkeys(tasks))


def own_columns(names: Iterable[str]) -> list[str]:
    """List the tasks and groups that get a column in the tables: of a group without a mean, its members.

    Args:
        names: Tasks, groups and tags of the harness.

    Returns:
        The names, without duplicates, in order.
    """
    shown: list[str] = []
    for name in names:
        below = members(name)
        whole = below is None or own_definition(name).get("aggregate_metric_list")
        shown += [name] if whole else own_columns(below or [])
    return list(dict.fromkeys(shown))


def own_needed(names: Iterable[str]) -> dict[str, Path | frozenset[str]]:
    """Select the part of `own_index` that the harness needs to load names.

    Args:
        names: Tasks, groups and tags of the harness.

    Returns:
        The entries of the names, of their members, and of the members' members.
    """
    needed: dict[str, Path | frozenset[str]] = {}
    left = list(names)
    for name in left:
        if name in needed:
            continue
        if name in own_index():
            needed[name] = own_index()[name]
        left += members(name) or []
    return needed
