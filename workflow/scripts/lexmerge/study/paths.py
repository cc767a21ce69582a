"""Paths in a config, which start at the config file's folder, the working directory or the workflow."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lexmerge.common.shipped import PROJECT, shipped
from lexmerge.study.schema import schema

SHIPPED = "resources/"  # paths that begin so may also be files that come with the workflow
Key = tuple[str, ...]  # the keys that lead to a value, such as ("judges", "chrf", "gold")

_looked_at: dict[str, list[Path]] = {}  # the places where a path was looked for, by the path in the study


def located(config: dict[str, Any], files: list[tuple[Path, dict[str, Any]]]) -> dict[str, Any]:
    """Replace the paths in a config by paths from the working directory.

    A relative path is looked for in the folder of the config file that names it, then in the working
    directory, and then, if it begins with `resources/`, in the workflow's own folder.

    Args:
        config: The config, as Snakemake merged its files and the command line.
        files: The config files with their contents, in the order in which Snakemake merged them.

    Returns:
        The config, in which each path below the working directory is relative to it, and any other path is
        absolute. A path that is found nowhere is kept, relative to the working directory.
    """
    found: dict[str, Any] = _with_paths(config, schema(), (), files)
    return found


def looked_at(path: str) -> str:
    """Name the absolute paths at which a path was looked for, such as `/a/x.tsv or /b/x.tsv`.

    A file with a similar name in one of the folders is suggested.
    """
    places = _looked_at.get(str(path)) or [Path(path).absolute()]
    similar = next(filter(None, map(_similar, places)), None)
    return " or ".join(map(str, places)) + (f"; did you mean {similar}?" if similar else "")


def _similar(place: Path) -> Path | None:
    """A file or folder beside a path that does not exist, with nearly the same name."""
    try:
        names = [other.name for other in place.parent.iterdir() if other.suffix == place.suffix]
    except OSError:
        return None
    return next((place.parent / name for name in get_close_matches(place.name, names, n=1, cutoff=0.7)), None)


def _with_paths(value: Any, spec: dict[str, Any], key: Key, files: list[tuple[Path, dict[str, Any]]]) -> Any:
    """A part of a config with located paths; `spec` is the part of the schema for it, at the given keys."""
    if isinstance(value, dict):
        parts = spec.get("properties", {})
        other = spec.get("additionalProperties")
        return {
            name: _with_paths(
                part, parts.get(name, other if isinstance(other, dict) else {}), (*key, name), files
            )
            for name, part in value.items()
        }
    if isinstance(value, str) and spec.get("x-path"):
        return locate(value, _folders(value, key, files))
    return value


def locate(path: str, folders: list[Path]) -> str:
    """Find a path from a config.

    Args:
        path: The path as given.
        folders: The folders to look in before the working directory.

    Returns:
        The path of the existing file or folder from the working directory, or `path` if there is none.
    """
    places = list(_places(Path(path).expanduser(), folders))
    found = next((_shortened(place) for place in places if place.exists()), None)
    text = path if found is None else _from_here(found)
    _looked_at[text] = places
    return text


def _places(path: Path, folders: list[Path]) -> Iterator[Path]:
    """The absolute paths at which to look, each once."""
    places = [Path(folder, path) for folder in [*folders, Path.cwd()]]
    if path.as_posix().startswith(SHIPPED):
        places.append(PROJECT / path)
    yield from dict.fromkeys(places)


def _shortened(place: Path) -> Path:
    """An existing path without `..`, unless a link makes that another file."""
    shorter = Path(os.path.normpath(place))
    return shorter if shorter.exists() and shorter.samefile(place) else place


def _from_here(place: Path) -> str:
    """An absolute path as text: relative if it is below the working directory or comes with the workflow."""
    here, own = Path.cwd(), PROJECT / SHIPPED
    if place.is_relative_to(own):
        return shipped(place.relative_to(PROJECT).as_posix())
    return place.relative_to(here).as_posix() if place.is_relative_to(here) else str(place)


def _folders(value: str, key: Key, files: list[tuple[Path, dict[str, Any]]]) -> list[Path]:
    """The folder of the last config file that has the value at these keys; empty if none has it."""
    return [file.absolute().parent for file, content in files if _at(content, key) == value][-1:]


def _at(content: Any, key: Key) -> Any:
    """The value of a config at the given keys; None if there is none."""
    for name in key:
        content = content.get(name) if isinstance(content, dict) else None
    return content
