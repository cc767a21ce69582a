"""Where the benchmarks' documents come from: `resources/benchmarks/data.yaml`, and which files are here.

Snakemake reads this file at every start: it imports nothing large.
"""

from functools import cache
from pathlib import Path
from urllib.parse import urlparse

import yaml

from lexmerge.common.errors import StudyError, nearest
from lexmerge.common.network import answers

PINNED = "resources/benchmarks/data.yaml"
# Where files are looked for and fetched to, unless the config names a folder.
LOCAL = "resources/benchmarks/local"


@cache
def pins() -> dict[str, dict]:
    """What is known of each task's data: see the head of the file."""
    return yaml.safe_load(Path(PINNED).read_text(encoding="utf-8"))


def pin(task: str) -> dict:
    if task not in pins():
        hint = nearest(task, list(pins()))
        raise StudyError(f"{PINNED} names no source of {task!r}; {hint}. Files of your own: `source: jsonl`")
    return pins()[task]


def files(task: str, split: str, folder: str) -> dict[Path, tuple[str, str | None]]:
    """A split's files: where each is or is fetched to, its address, and its sha256 if one is known."""
    known = pin(task)
    if split not in known["files"]:
        raise StudyError(f"{PINNED}: {task} has no files for {split!r}")
    return {
        Path(folder) / known["folder"] / name: (f"{known['base']}/{name}", checksum)
        for name, checksum in known["files"][split].items()
    }


def unreachable(tasks: dict[str, str]) -> list[str]:
    """Why files that are to be fetched cannot be, for {task: the folder of its files}: a sentence a host."""
    absent: dict[str, list[str]] = {}
    for task, folder in tasks.items():
        for split in pin(task)["files"]:
            for file, (url, _) in files(task, split, folder).items():
                if not file.is_file():
                    parts = urlparse(url)
                    absent.setdefault(f"{parts.scheme}://{parts.netloc}", []).append(f"{url} to {file}")
    return [
        f"benchmarks: {host} does not answer. Where there is a network fetch\n      "
        + "\n      ".join(wanted)
        for host, wanted in absent.items()
        if not answers(host)
    ]
