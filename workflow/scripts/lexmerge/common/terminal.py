"""Messages to the user's terminal from a job whose standard output and error go to a log.

Output is redirected here and nowhere else, so that the terminal stays known, in whatever order modules are
imported.
"""

import os
import sys
from typing import TextIO

STDOUT, STDERR = 1, 2
_terminal: dict[int, int] = {}  # duplicates of STDOUT and STDERR as they were before `redirect`


def redirect(log: TextIO) -> None:
    """Send the output of this process and its children to a log, and keep the terminal for `tell` and `show`.

    This is never undone, since libraries print until the process ends.

    Args:
        log: A text file that is open for writing.
    """
    for stream in (STDOUT, STDERR):
        if stream not in _terminal:
            _terminal[stream] = os.dup(stream)
        os.dup2(log.fileno(), stream)
    sys.stdout = sys.stderr = log


def tell(text: str) -> None:
    """Write a line to the log, and with the prefix `lexmerge: ` to the terminal's standard error.

    Without `redirect`, the line is printed once, to standard output.

    Args:
        text: The line, without its end.
    """
    print(text, flush=True)
    if _terminal:
        show(f"lexmerge: {text}")


def show(text: str, stream: int = STDERR) -> None:
    """Write text to the terminal only, and not to the log.

    Args:
        text: One or more lines; a line end is added to the last.
        stream: STDOUT or STDERR, as they were when the process started.
    """
    os.write(_terminal.get(stream, stream), f"{text}\n".encode())
