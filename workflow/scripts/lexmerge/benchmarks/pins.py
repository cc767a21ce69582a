"""The pinned sources of the benchmarks' documents, from `resources/benchmarks/data.yaml`.

Snakemake imports this module at every start: it imports nothing large.
"""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import yaml

from lexmerge.common.errors import StudyError, nearest
from lexmerge.common.network import answers
from lexmerge.common.shipped import PROJECT

PINNED = "resources/benchmarks/data.yaml"
# The folder that files are read from and fetched into, unless the config sets `data.path`.
LOCAL = "data"


@cache
def pins() -> dict[str, dict[str, Any]]:
    """Read the pins: each task's source, as described at the top of the file."""
    known: dict[str, dict[str, Any]] = yaml.safe_load((PROJECT / PINNED).read_text(encoding="utf-8"))
    return known


def pin(task: str) -> dict[str, Any]:
    """Look up the pin of a task.

    Args:
        task: The task's name.

    Returns:
        The task's entry in the file.

    Raises:
        StudyError: The file has no such task.
    """
    if task not in pins():
        hint = nearest(task, list(pins()))
        raise StudyError(
            f"{PINNED} has no source for {task!r}; {hint}. To use your own files, set `data.source: jsonl`"
        )
    return pins()[task]


def files(task: str, split: str, folder: str) -> dict[Path, tuple[str, str | None]]:
    """List the files of a split.

    Args:
        task: The task's name.
        split: `test`, `train` or `search`.
        folder: The folder of the local files, `data.path` in the config.

    Returns:
        For each file its local path, present or not, with its URL and its SHA-256, None if that is unknown.

    Raises:
        StudyError: The task or the split is not pinned.
    """
    known = pin(task)
    if split not in known["files"]:
        raise StudyError(f"{PINNED}: {task} has no files for {split!r}")
    return {
        Path(folder) / known["folder"] / name: (f"{known['base']}/{name}", checksum)
        for name, checksum in known["files"][split].items()
    }


def unreachable(tasks: dict[str, str]) -> list[str]:
    """List the hosts that do not answer although files must be fetched from them.

    Args:
        tasks: The folder of the local files by task.

    Returns:
        A message for each host, with the files to fetch by hand.
    """
    absent: dict[str, list[str]] = {}
    for task, folder in tasks.items():
        for split in pin(task)["files"]:
            for file, (url, _) in files(task, split, folder).items():
                if not file.is_file():
                    parts = urlparse(url)
                    absent.setdefault(f"{parts.scheme}://{parts.netloc}", []).append(
                        f"{url} to {file.absolute()}"
                    )
    return [
        f"benchmarks: {host} does not answer. On a machine with network access, fetch\n      "
        + "\n      ".join(wanted)
        for host, wanted in absent.items()
        if not answers(host)
    ]
