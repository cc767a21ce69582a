"""Journals of paid or slow answers, which survive the failure of the job that sent the request.

A journal is not an output of a rule, because Snakemake deletes the outputs of a failed job. Each answer is
one line of JSON, appended and fsynced, and is looked up by the hash of its whole request.

On a shared file system, two hosts that append to one file overwrite each other's lines, and a job whose node
counted as lost may still be writing while another node reruns it. Therefore each host appends to its own
file: the first host to `answers.jsonl`, any other to `answers@<host>.jsonl`. All files are read.
"""

import glob
import hashlib
import json
import os
import re
import socket
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError

HOST = re.sub(r"[^\w.-]", "_", socket.gethostname())


def key_of(request: Mapping[str, object]) -> str:
    """The SHA-256 of a request as canonical JSON, which does not depend on the order of its keys."""
    canonical = json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Growing:
    """An append-only log of JSON records, one a line, in one file per host."""

    def __init__(self, path: str | Path):
        """Open the log, and cut off an incomplete last line that a killed process of this host left.

        Args:
            path: The first host's file; other hosts' files get their names from it.

        Raises:
            OSError: If the folder cannot be written to; this is noticed before any request is paid for.
        """
        self._first = Path(path)
        self._first.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._first.parent):
            pass
        self.path = self._own()
        self._begun = self.path.exists()
        if self._begun:
            os.truncate(self.path, len(_whole(self.path)))

    def _own(self) -> Path:
        """This host's file: the first file, if it does not exist or this host began it."""
        if not self._first.exists():
            return self._first
        begun = next((record for _, record in _records(self._first)), {})
        named = f"{self._first.stem}@{HOST}{self._first.suffix}"
        return self._first if begun.get("host") == HOST else self._first.with_name(named)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the records of all hosts; a line that cannot be read is skipped and reported."""
        others = sorted(self._first.parent.glob(f"{glob.escape(self._first.stem)}@*{self._first.suffix}"))
        for file in (file for file in (self._first, *others) if file.exists()):
            for number, record in _records(file):
                if record:
                    yield record
                else:
                    print(f"{file}: line {number} cannot be read and is skipped")

    def append(self, record: Mapping[str, object]) -> None:
        """Add a record with its time and host, and fsync it.

        Raises:
            StudyError: If the disk is full.
        """
        stamped = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "host": HOST, **record}
        line = f"{json.dumps(stamped, ensure_ascii=False)}\n".encode("utf-8", "backslashreplace")
        handle = self._open()
        try:
            written = os.write(handle, line)  # in a single call, so that processes never mix their lines
            if written < len(line):
                os.ftruncate(handle, os.fstat(handle).st_size - written)
                raise StudyError(f"{self.path.absolute()}: the disk is full; make room and run again")
            os.fsync(handle)
        finally:
            os.close(handle)

    def _open(self) -> int:
        """A descriptor to append with; only one process can create the file."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            return os.open(self.path, flags if self._begun else flags | os.O_EXCL, 0o644)
        except FileExistsError:  # another process has begun it since
            self.path = self._own()
            return os.open(self.path, flags, 0o644)
        finally:
            self._begun = True


def _whole(file: Path) -> bytes:
    """A file's content without an incomplete last line."""
    data = file.read_bytes()
    return data[: data.rfind(b"\n") + 1]


def _records(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and record of each complete line; the record is empty if the line cannot be read."""
    for number, line in enumerate(_whole(file).splitlines(), 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = {}
        yield number, record if isinstance(record, dict) else {}


def answers_in(path: str | Path) -> dict[str, Any]:
    """The answers in one file of a journal, by key; another process may be writing to it."""
    return {r["key"]: r["answer"] for _, r in _records(Path(path)) if "key" in r and "answer" in r}


class Journal:
    """Answers by the hash of their request; see the module's description."""

    def __init__(self, path: str | Path):
        """Read the answers of all hosts; for the arguments and errors see `Growing`."""
        self._file = Growing(path)
        self._answers: dict[str, Any] = {}
        for record in self._file.records():
            if "key" in record and "answer" in record:
                self._answers[record["key"]] = record["answer"]

    @property
    def path(self) -> Path:
        """The file to which this host appends."""
        return self._file.path

    def __contains__(self, key: str) -> bool:
        return key in self._answers

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> Any | None:
        """The answer to the request with this key, as it was added; None if there is none."""
        return self._answers.get(key)

    def add(self, request: Mapping[str, object], answer: Mapping[str, object]) -> None:
        """Append the answer to a request, and fsync it."""
        key = key_of(request)
        self._file.append({"key": key, "request": request, "answer": answer})
        self._answers[key] = answer
