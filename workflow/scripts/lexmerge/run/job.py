"""The frame of a job: its log, its timing, and the line on the terminal if it fails."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from lexmerge.common.errors import StudyError
from lexmerge.common.terminal import redirect, show


@contextmanager
def job(log: str) -> Iterator[None]:
    """Send what the job prints to its log; on an error, show its cause and the log's path on the terminal.

    The job reads nothing from the terminal: a library's question, such as whether to run a model's code, gets
    no answer and so is an error instead of a wait.

    SIGTERM, from Ctrl-C in the run or from a scheduler, ends the job as an error would, so that it leaves no
    temporary files.

    Args:
        log: The file, which is overwritten; its folder is made if need be.

    Raises:
        SystemExit: With status 1, instead of any error in the block, or with 143 on SIGTERM.
    """
    close_input()
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with Path(log).open("w", buffering=1, encoding="utf-8") as stream:
        redirect(stream)
        end_on_sigterm(stream)
        before, began = time.process_time(), time.perf_counter()
        try:
            yield
        except Exception as error:
            if not isinstance(error, StudyError):
                traceback.print_exc(file=stream)
            cause = str(error) or type(error).__name__
            kind = "" if isinstance(error, StudyError) else f"{type(error).__name__}: "
            print(f"failed: {kind}{cause}", file=stream)
            show(f"\nlexmerge: {kind}{cause}\n  whole log: {log}")
            raise SystemExit(1) from None
        print(f"start-up {before:.2f} CPU-s, work {time.perf_counter() - began:.2f} s", file=stream)


def close_input() -> None:
    """Make the standard input of this process and its children empty."""
    empty = os.open(os.devnull, os.O_RDONLY)
    if empty:
        os.dup2(empty, 0)
        os.close(empty)
    else:  # there was no standard input
        os.set_inheritable(0, True)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)  # forgets what was read ahead


def end_on_sigterm(log: TextIO) -> None:
    """On SIGTERM write a line to the log and raise SystemExit; outside the main thread change nothing."""

    def end(number: int, frame: FrameType | None) -> None:
        os.write(log.fileno(), b"ended by SIGTERM\n")
        raise SystemExit(128 + number)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)
