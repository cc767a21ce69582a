"""Files that are whole or absent: everything is written beside its place, then renamed."""

import csv
import hashlib
import itertools
import json
import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

import pandas as pd

from lexmerge.common.errors import StudyError

NOT_THE_MODEL = ("provenance.json", "README.md")


@contextmanager
def fresh_file(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path`; it becomes `path` only if the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    try:
        yield beside
        with beside.open("rb") as handle:
            os.fsync(handle.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def fresh_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; it replaces `path` only if the block ends without an error.

    What others left beside `path` is removed first, since checkpoints are large. If one of them is still at
    work, on a node that was taken for lost, it fails, and mixes nothing into this one's.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in (*path.parent.glob(f".{escape(path.name)}.*.part"), path.with_name(f".{path.name}.part")):
        shutil.rmtree(left, ignore_errors=True)
    beside = _beside(path)
    fresh = beside / path.name  # tools put the folder's name into what they write
    fresh.mkdir(parents=True)
    try:
        yield fresh
        if not fresh.is_dir():
            raise StudyError(f"{path}: given up, since another job has begun to make it too")
        if path.exists():
            shutil.rmtree(path)
        fresh.replace(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A name that no other process has, on no host that shares the file system."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.part")


def room_left(path: str | Path) -> tuple[Path, int]:
    """The disk on which `path` is, or will be: the folder that is there, and the bytes that it has left."""
    place = next(p for p in (Path(path).absolute(), *Path(path).absolute().parents) if p.exists())
    return place.resolve(), shutil.disk_usage(place).free


def write_text(path: str | Path, text: str) -> None:
    with fresh_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: object, **options) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, **options) + "\n")


def read_jsonl(path: str | Path) -> list[dict]:
    with Path(path).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def write_jsonl(path: str | Path, rows: Iterable[dict]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_tsv(path: str | Path, needed: Iterable[str] = ()) -> pd.DataFrame:
    """A table of strings in which a term such as "NA" stays a term; it has the columns that are needed."""
    table = _read_table(path, dtype=str)
    if missing := [column for column in needed if column not in table]:
        raise StudyError(f"{path}: no column {', '.join(missing)}; it has {', '.join(table.columns)}")
    return table


def read_numbers(path: str | Path) -> pd.DataFrame:
    """A results table, with numbers as numbers; only an empty cell is a missing value."""
    return _read_table(path, na_values=[""])


def read_notes(path: str | Path) -> list[str]:
    """The `#` lines above a table's header."""
    with Path(path).open(encoding="utf-8-sig") as lines:
        return [line[1:].strip() for line in itertools.takewhile(lambda line: line.startswith("#"), lines)]


def _read_table(path: str | Path, **options) -> pd.DataFrame:
    """Tabs, no quoting, and `#` lines above the header that are notes; a byte order mark is no part of it."""
    try:
        table = pd.read_csv(
            path,
            sep="\t",
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            skiprows=len(read_notes(path)),
            encoding="utf-8-sig",
            **options,
        )
    except IsADirectoryError:
        raise StudyError(f"{path}: a folder, and not a table") from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise StudyError(f"{path}: not a table with tabs between its cells: {error}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes a cell too many for the row's name
        raise StudyError(f"{path}: its rows have more cells than the header has columns")
    return table


def write_tsv(path: str | Path, table: pd.DataFrame, notes: Iterable[str] = ()) -> None:
    """Every value stands as it is, unquoted; one with a tab or a line end in it is an error."""
    head = "".join(f"# {note}\n" for note in notes)
    body = table.to_csv(
        None, sep="\t", index=False, quoting=csv.QUOTE_NONE, quotechar="\0", lineterminator="\n"
    )
    write_text(path, head + body)


def sha256(path: str | Path) -> str:
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hashes(folder: str | Path) -> dict[str, str]:
    """The sha256 of every file of a checkpoint, by its name, in order of name.

    Its card is left out: MergeKit lists the models on it in an order of chance.
    """
    files = sorted(f for f in Path(folder).iterdir() if f.is_file() and f.name not in NOT_THE_MODEL)
    return {f.name: sha256(f) for f in files}


def known_hashes(folder: str | Path) -> dict[str, str]:
    """The hashes of a checkpoint's files, which its own provenance has; counted if it has none."""
    known = Path(folder) / "provenance.json"
    return json.loads(known.read_text(encoding="utf-8"))["files"] if known.exists() else hashes(folder)
