"""One job of the workflow: its log, its clock, and the one line a user sees when it fails."""

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexmerge.common.errors import StudyError


@contextmanager
def job(log: str) -> Iterator[None]:
    """Send what the job prints to `log`; on an error, tell the terminal its cause and where the log is."""
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    terminal = os.dup(2)
    with Path(log).open("w", buffering=1, encoding="utf-8") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        sys.stdout = sys.stderr = stream
        before, began = time.process_time(), time.perf_counter()
        try:
            yield
        except Exception as error:
            if not isinstance(error, StudyError):
                traceback.print_exc(file=stream)
            cause = str(error) or type(error).__name__
            kind = "" if isinstance(error, StudyError) else f"{type(error).__name__}: "
            print(f"failed: {kind}{cause}", file=stream)
            os.write(terminal, f"\nlexmerge: {kind}{cause}\n  whole log: {log}\n".encode())
            raise SystemExit(1) from None
        print(f"start-up {before:.2f} CPU-s, work {time.perf_counter() - began:.2f} s", file=stream)
