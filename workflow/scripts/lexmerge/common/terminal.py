"""The terminal of a job, whose standard output and error go to a log: what the user is to see at once.

Whoever sends the output to a log does it here, so that the terminal is known from then on, in whatever order
modules are imported.
"""

import os
import sys
from typing import TextIO

STDOUT, STDERR = 1, 2
_terminal: dict[int, int] = {}  # by STDOUT and STDERR, duplicates of what they were before `redirect`


def redirect(log: TextIO) -> None:
    """Send what this process and its children print to a log, and keep the terminal for `tell` and `show`.

    This is not undone, since libraries print until the process ends.

    Args:
        log: A text file that is open for writing.
    """
    for stream in (STDOUT, STDERR):
        if stream not in _terminal:
            _terminal[stream] = os.dup(stream)
        os.dup2(log.fileno(), stream)
    sys.stdout = sys.stderr = log


def tell(text: str) -> None:
    """Write a line to the log, and to the terminal's standard error with `lexmerge: ` before it.

    Without a log, the line is printed once, to standard output.

    Args:
        text: The line, without its end.
    """
    print(text, flush=True)
    if _terminal:
        show(f"lexmerge: {text}")


def show(text: str, stream: int = STDERR) -> None:
    """Write text to the terminal only, and not to the log.

    Args:
        text: One or more lines; the end of the last is added.
        stream: STDOUT or STDERR, as they were when the process started.
    """
    os.write(_terminal.get(stream, stream), f"{text}\n".encode())
