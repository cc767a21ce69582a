"""Files and folders that are complete or absent: each is written under a temporary name, then renamed."""

import csv
import hashlib
import itertools
import json
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

import pandas as pd

from lexmerge.common.errors import StudyError

NOT_THE_MODEL = ("provenance.json", "README.md")  # files of a checkpoint that are not hashed


@contextmanager
def fresh_file(path: str | Path) -> Iterator[Path]:
    """Write a file atomically.

    Args:
        path: The file to write; its folder is made if need be.

    Yields:
        A temporary path in the same folder, which is renamed to `path` if the block ends without an error and
        is removed otherwise.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def fresh_folder(path: str | Path) -> Iterator[Path]:
    """Write a folder atomically.

    Temporary folders that other processes left for the same `path` are removed first, since checkpoints are
    large. A process that still writes to one of them, on a node that counted as lost, fails and cannot mix
    its files into this folder.

    Args:
        path: The folder to write or replace.

    Yields:
        An empty temporary folder of the same name, which replaces `path` if the block ends without an error
        and is removed otherwise.

    Raises:
        StudyError: If another process has begun to write the same folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{escape(path.name)}.*.part"):
        if (left / path.name).exists():  # not of a folder whose name goes on after a dot
            shutil.rmtree(left, ignore_errors=True)
    temporary = _temporary(path)
    fresh = temporary / path.name  # tools put the folder's name into what they write
    fresh.mkdir(parents=True)
    try:
        yield fresh
        if not fresh.is_dir():
            raise StudyError(
                f"{path.absolute()}: not written, because another job is writing it; run again when it has "
                "finished"
            )
        if path.exists():
            shutil.rmtree(path)
        fresh.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(path: Path) -> Path:
    """A temporary name that is unique among all processes on all hosts that share the file system."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.part")


def room_left(path: str | Path) -> tuple[Path, int]:
    """The deepest existing folder at or above `path`, and the free space of its disk in bytes."""
    place = next(p for p in (Path(path).absolute(), *Path(path).absolute().parents) if p.exists())
    return place.resolve(), shutil.disk_usage(place).free


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 file atomically, with line ends as they are in `text`."""
    with fresh_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: object, **options: Any) -> None:
    """Write a value as indented JSON; `options` go to `json.dumps`."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, **options) + "\n")


def read_jsonl(path: str | Path) -> list[Any]:
    """Read a file of JSON lines, such as the rows of definitions or judgements; empty lines are skipped."""
    with Path(path).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def write_jsonl(path: str | Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows as JSON, one a line."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_tsv(path: str | Path, needed: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table with every cell as a string, so that the term "NA" stays a term.

    Args:
        path: A tab-separated file.
        needed: The columns that it must have.

    Returns:
        The table; an empty cell is an empty string.

    Raises:
        StudyError: If the file is no such table, or lacks a column.
    """
    table = _read_table(path, dtype=str)
    if missing := [column for column in needed if column not in table]:
        raise StudyError(
            f"{Path(path).absolute()}: the table has no column {', '.join(missing)}; it has "
            f"{', '.join(table.columns)}"
        )
    return table


def read_numbers(path: str | Path) -> pd.DataFrame:
    """Read a table of results: columns of numbers are numeric, and only an empty cell is a missing value.

    Raises:
        StudyError: If the file is no tab-separated table.
    """
    return _read_table(path, na_values=[""])


def read_notes(path: str | Path) -> list[str]:
    """The `#` lines above a table's header, without the `#`."""
    with Path(path).open(encoding="utf-8-sig") as lines:
        return [line[1:].strip() for line in itertools.takewhile(lambda line: line.startswith("#"), lines)]


def _read_table(path: str | Path, **options: Any) -> pd.DataFrame:
    """Read a tab-separated table without quoting; skip notes above the header and a byte order mark."""
    try:
        table: pd.DataFrame = pd.read_csv(
            path,
            sep="\t",
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            skiprows=len(read_notes(path)),
            encoding="utf-8-sig",
            **options,
        )
    except IsADirectoryError:
        raise StudyError(f"{Path(path).absolute()} is a folder; name a table") from None
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{Path(path).absolute()} is not UTF-8 text ({error.reason}); save it as UTF-8"
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise StudyError(f"{Path(path).absolute()} is not a tab-separated table: {error}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes a surplus cell for the row's name
        raise StudyError(
            f"{Path(path).absolute()}: a row has more cells than the header has columns; remove the extra "
            "tabs"
        )
    return table


def write_tsv(path: str | Path, table: pd.DataFrame, notes: Iterable[str] = ()) -> None:
    """Write a tab-separated table without quoting.

    Args:
        path: The file.
        table: Its columns; the index is not written.
        notes: Lines to write above the header, each after a `#`.

    Raises:
        csv.Error: If a value contains a tab or a line end.
    """
    head = "".join(f"# {note}\n" for note in notes)
    body = table.to_csv(
        None, sep="\t", index=False, quoting=csv.QUOTE_NONE, quotechar="\0", lineterminator="\n"
    )
    write_text(path, head + body)


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hashes(folder: str | Path) -> dict[str, str]:
    """The SHA-256 of each file of a checkpoint, by file name, in order of name.

    The model card is left out, because MergeKit lists the models on it in random order.
    """
    files = sorted(f for f in Path(folder).iterdir() if f.is_file() and f.name not in NOT_THE_MODEL)
    return {f.name: sha256(f) for f in files}


def known_hashes(folder: str | Path) -> dict[str, str]:
    """The hashes of a checkpoint's files as its `provenance.json` records them; computed if it has none."""
    known = Path(folder) / "provenance.json"
    if not known.exists():
        return hashes(folder)
    recorded: dict[str, str] = json.loads(known.read_text(encoding="utf-8"))["files"]
    return recorded
