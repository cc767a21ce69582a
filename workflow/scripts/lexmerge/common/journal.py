"""Answers that were paid for, kept whatever happens to the job that asked.

A journal is no output of a rule, since Snakemake deletes the outputs of a job that fails. It has one line of
JSON an answer, appended and fsynced, and finds it again by the hash of the whole request.

On a shared file system two hosts that append to one file overwrite each other's lines, and a job whose node
was taken for lost may still write while another node runs it again. So each host appends to a file of its
own: the first to `answers.jsonl`, any other to `answers@<host>.jsonl`. All are read.
"""

import glob
import hashlib
import json
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lexmerge.common.errors import StudyError

HOST = re.sub(r"[^\w.-]", "_", socket.gethostname())


def key_of(request: dict) -> str:
    """The hash of a request: of everything in it, whatever the order of its keys."""
    canonical = json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class Growing:
    """Records of JSON, a line each, that every host adds to a file of its own; nothing is ever changed."""

    def __init__(self, path: str | Path):
        """A last line of this host's that a kill tore is cut off, so that nothing is glued to it."""
        self._first = Path(path)
        self._first.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._first.parent):
            pass  # a place where nothing can be kept is found before anything is paid
        self.path = self._own()
        self._begun = self.path.exists()
        if self._begun:
            os.truncate(self.path, len(_whole(self.path)))

    def _own(self) -> Path:
        """This host's file: the first, if it is not there or this host began it."""
        if not self._first.exists():
            return self._first
        begun = next((record for _, record in _records(self._first)), {})
        named = f"{self._first.stem}@{HOST}{self._first.suffix}"
        return self._first if begun.get("host") == HOST else self._first.with_name(named)

    def records(self) -> Iterator[dict]:
        """What all hosts have added; a line that cannot be read is left out, and said."""
        others = sorted(self._first.parent.glob(f"{glob.escape(self._first.stem)}@*{self._first.suffix}"))
        for file in (file for file in (self._first, *others) if file.exists()):
            for number, record in _records(file):
                if record:
                    yield record
                else:
                    print(f"{file}: line {number} cannot be read and is left out")

    def append(self, record: dict) -> None:
        """Add a record; it is on the disk when this returns."""
        told = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "host": HOST, **record}
        line = f"{json.dumps(told, ensure_ascii=False)}\n".encode("utf-8", "backslashreplace")
        handle = self._open()
        try:
            written = os.write(handle, line)  # one write, so that two processes never mix their lines
            if written < len(line):
                os.ftruncate(handle, os.fstat(handle).st_size - written)
                raise StudyError(f"{self.path}: the disk is full; make room and run again")
            os.fsync(handle)
        finally:
            os.close(handle)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            return os.open(self.path, flags if self._begun else flags | os.O_EXCL, 0o644)
        except FileExistsError:  # another process has begun it since
            self.path = self._own()
            return os.open(self.path, flags, 0o644)
        finally:
            self._begun = True


def _whole(file: Path) -> bytes:
    """What is in a file, but for a last line that is not whole."""
    data = file.read_bytes()
    return data[: data.rfind(b"\n") + 1]


def _records(file: Path) -> Iterator[tuple[int, dict]]:
    """The whole lines of a file with their numbers; an empty record for what is none."""
    for number, line in enumerate(_whole(file).splitlines(), 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = {}
        yield number, record if isinstance(record, dict) else {}


def answers_in(path: str | Path) -> dict[str, dict]:
    """The answers in one file of a journal, which another process may be writing."""
    return {r["key"]: r["answer"] for _, r in _records(Path(path)) if "key" in r and "answer" in r}


class Journal:
    """The answers by the keys of their requests."""

    def __init__(self, path: str | Path):
        self._file = Growing(path)
        self._answers = {}
        for record in self._file.records():
            if "key" in record and "answer" in record:
                self._answers[record["key"]] = record["answer"]

    @property
    def path(self) -> Path:
        """The file that this host's answers are added to."""
        return self._file.path

    def __contains__(self, key: str) -> bool:
        return key in self._answers

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> dict | None:
        return self._answers.get(key)

    def add(self, request: dict, answer: dict) -> None:
        """Keep an answer; it is on the disk when this returns."""
        key = key_of(request)
        self._file.append({"key": key, "request": request, "answer": answer})
        self._answers[key] = answer
