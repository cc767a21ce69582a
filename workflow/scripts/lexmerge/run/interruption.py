"""Ctrl-C: end the running jobs, remove their unfinished outputs, and print one sentence.

Without this, Snakemake prints a traceback and an error for each running job, and leaves their outputs.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import psutil

from lexmerge.run.kills import Killed
from lexmerge.run.progress import JobLines

BEFORE = "Interrupted before the first job was started."
DURING = (
    "Interrupted: the running jobs are being ended, the results of finished jobs are kept, and the same "
    "command continues from them; press Ctrl-C again to kill jobs that do not end."
)
# The start of a shell command in Snakemake, and here. On Ctrl-C the terminal sends SIGINT to the jobs too,
# which would make each print a traceback. They ignore it, and are sent SIGTERM.
DEFAULT_PREFIX = "set -euo pipefail; "
PREFIX = f"{DEFAULT_PREFIX}trap '' INT; "
PAUSE = 0.2  # seconds between two looks for running jobs


class Interruption:
    """What Ctrl-C does in a run.

    Attributes:
        happened: True from the first Ctrl-C on.
    """

    def __init__(self, finish: Callable[[], None] | None, processes: Callable[[], list[psutil.Process]]):
        """Use Snakemake's scheduler and the processes of jobs.

        Args:
            finish: Let Snakemake stop once no job is running; None if it has to cancel jobs elsewhere first.
            processes: The processes that Snakemake started and that are still running.
        """
        self.happened = False
        self._finish, self._processes = finish, processes

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal SIGINT.

        Raises:
            KeyboardInterrupt: Jobs run elsewhere, which Snakemake then cancels, or no job is left to kill.
        """
        if self.happened:
            left = [process for child in self._processes() for process in (child, *descendants(child))]
            for process in left:
                send(process, signal.SIGKILL)
            if left:
                return
            raise KeyboardInterrupt
        self.happened = True
        print(f"\n{DURING}", file=sys.stderr, flush=True)
        if self._finish is None:
            self._terminate(set())  # before Snakemake starts the commands that cancel jobs elsewhere
            raise KeyboardInterrupt
        # In a thread, since the scheduler's lock may be held by the thread that this signal interrupted.
        threading.Thread(target=self._end, args=[self._finish], daemon=True).start()

    def _end(self, finish: Callable[[], None]) -> None:
        """Let Snakemake start no more jobs, and terminate those that run or were just being started."""
        asked: set[int] = set()
        finish()
        while True:
            self._terminate(asked)
            time.sleep(PAUSE)

    def _terminate(self, asked: set[int]) -> None:
        """Send SIGTERM to each running job that is not in `asked`, and add it. Its shell ends with it."""
        for shell in self._processes():
            for process in descendants(shell, recursive=False) or [shell]:
                if process.pid not in asked:
                    asked.add(process.pid)
                    send(process, signal.SIGTERM)

    def filter(self, record: logging.LogRecord) -> bool:
        """True for what the terminal still gets: nothing after Ctrl-C, since Snakemake's log has it."""
        return not self.happened


def descendants(process: psutil.Process, recursive: bool = True) -> list[psutil.Process]:
    """The children of a process, and theirs if `recursive`; empty if it has ended."""
    try:
        return list(process.children(recursive=recursive))
    except psutil.NoSuchProcess:
        return []


def send(process: psutil.Process, number: int) -> None:
    """Send a signal to a process, which may have ended."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def take_over(workflow: Any, logger: logging.Logger) -> Interruption | None:
    """Handle Ctrl-C in a run that is about to start its first job.

    Args:
        workflow: Snakemake's workflow, with its scheduler.
        logger: Snakemake's logger; after Ctrl-C only its file is written.

    Returns:
        The handler of the signal; None if this is not the main thread, which alone can have one.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    finish = workflow.scheduler.exit_gracefully if workflow.local_exec else None
    interruption = Interruption(finish, psutil.Process(os.getpid()).children)
    signal.signal(signal.SIGINT, interruption)
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler" or isinstance(handler, JobLines | Killed):
            handler.addFilter(interruption.filter)
    return interruption


def say_it_in_a_sentence() -> None:
    """Replace the traceback of a KeyboardInterrupt before or after a run by one sentence or nothing."""
    other = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            other(kind, error, trace)
        elif not isinstance(signal.getsignal(signal.SIGINT), Interruption):
            print(f"\n{BEFORE}", file=sys.stderr, flush=True)

    sys.excepthook = hook
