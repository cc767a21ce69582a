"""Answers that were paid for, kept whatever happens to the job that asked.

A journal is no output of a rule, since Snakemake deletes the outputs of a job that fails. It has one line of
JSON an answer, appended and fsynced, and finds it again by the hash of the whole request.
"""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from lexmerge.errors import StudyError


def key_of(request: dict) -> str:
    """The hash of a request: of everything in it, whatever the order of its keys."""
    canonical = json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def answers_in(path: str | Path) -> dict[str, dict]:
    """The answers in a journal that another process writes, but for a line that is not whole yet."""
    data = Path(path).read_bytes()
    return _answers(path, data[: data.rfind(b"\n") + 1])


def _answers(path: str | Path, whole: bytes) -> dict[str, dict]:
    found = {}
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            record = json.loads(line)
            found[record["key"]] = record["answer"]
        except (ValueError, KeyError, TypeError):
            print(f"{path}: line {number} cannot be read and is left out")
    return found


class Journal:
    """The answers by the keys of their requests, in a file that only grows."""

    def __init__(self, path: str | Path):
        """Read what is there; a last line that a kill tore is cut off, so that nothing is glued to it."""
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        data = self.path.read_bytes() if self.path.exists() else b""
        with self.path.open("ab"):  # a place where nothing can be kept is found before anything is paid
            pass
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            os.truncate(self.path, len(whole))
        self._answers = _answers(path, whole)

    def __contains__(self, key: str) -> bool:
        return key in self._answers

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> dict | None:
        return self._answers.get(key)

    def add(self, request: dict, answer: dict) -> None:
        """Keep an answer; it is on the disk when this returns."""
        key = key_of(request)
        record = {"key": key, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        text = json.dumps({**record, "request": request, "answer": answer}, ensure_ascii=False)
        line = f"{text}\n".encode("utf-8", "backslashreplace")
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            written = os.write(handle, line)  # one write, so that two processes never mix their lines
            if written < len(line):
                os.ftruncate(handle, os.fstat(handle).st_size - written)
                raise StudyError(f"{self.path}: the disk is full; make room and run again")
            os.fsync(handle)
        finally:
            os.close(handle)
        self._answers[key] = answer
