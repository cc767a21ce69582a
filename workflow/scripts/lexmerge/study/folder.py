"""Paths of Python with which Snakemake cannot start a job.

Snakemake puts the path into a shell command without quotes (its issue 2645). Only the standard library is
imported here, since the Makefile asks before anything is installed.
"""

import re

SPECIAL = re.compile(r"""[\s"'\\$`&|;<>()]""")  # what a shell splits a word at, or reads as syntax


def unsupported_folder(python: str) -> str | None:
    """Say why jobs cannot be started by a Python.

    Args:
        python: The absolute path of the interpreter that runs Snakemake.

    Returns:
        One sentence with the path and the remedy; None if jobs can be started.
    """
    found = SPECIAL.search(python)
    if not found:
        return None
    return (
        f"Snakemake cannot start jobs by {python}, since the path contains {found[0]!r}: move the folder, or "
        'keep the environment in another one: make toy VENV="$HOME/lexmerge-venv"'
    )
