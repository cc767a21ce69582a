"""Files that come with the workflow: prompts, task definitions, tables, and the parts of the report.

The workflow may lie in any folder, apart from the folder that a study runs in. There a link to it keeps the
paths of these files the same when the workflow is moved or updated. Snakemake compares inputs and parameters
by their text, so other paths would remake everything.
"""

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[4]  # the workflow's own folder
LINK = Path(".snakemake") / "lexmerge"  # the link to it, in the folder that a study runs in


def shipped(path: str) -> str:
    """Locate a file or folder that comes with the workflow.

    Args:
        path: A path in the workflow's own folder, such as `resources/prompts/definition.en.txt`.

    Returns:
        The path from the working directory: the same one in the workflow's own folder, one through the link
        elsewhere, and an absolute path if there is no link.
    """
    if Path.cwd() == PROJECT:
        return path
    return str((LINK if LINK.resolve() == PROJECT else PROJECT) / path)


def of_any_folder(value: Any) -> Any:
    """A config or a part of it, in which paths of shipped files do not depend on the folder of the run."""
    if isinstance(value, dict):
        return {key: of_any_folder(part) for key, part in value.items()}
    if isinstance(value, list):
        return [of_any_folder(part) for part in value]
    if not isinstance(value, str):
        return value
    return value.removeprefix(f"{LINK}/").removeprefix(f"{PROJECT}/")


def link_workflow() -> None:
    """Set the link to the workflow in the working directory; none in a folder that cannot be written to."""
    if Path.cwd() == PROJECT or LINK.resolve() == PROJECT:
        return
    temporary = LINK.with_name(f"lexmerge.{os.getpid()}")
    try:
        LINK.parent.mkdir(exist_ok=True)
        temporary.symlink_to(PROJECT)
        temporary.replace(LINK)
    except OSError:
        temporary.unlink(missing_ok=True)


@cache
def workflow_version() -> str:
    """Read the workflow's version, which pyproject.toml holds."""
    with (PROJECT / "pyproject.toml").open("rb") as file:
        version: str = tomllib.load(file)["project"]["version"]
    return version
