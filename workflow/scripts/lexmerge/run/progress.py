"""A line for each job that ends, in the place of Snakemake's blocks, and a table of a run at its end.

Snakemake's own log in `.snakemake/log` stays whole.
"""

import csv
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TextIO

# Of Snakemake's events those that tell of one job; a failure is told by Snakemake itself.
TOLD_HERE = {"job_info", "job_started", "job_finished", "progress"}
CHATTER = ("Select jobs to execute", "Execute ", "Finished jobid")
SUBMITTED = "has been submitted with"  # the executors' line for each job
SLOWEST = 5


class Done(NamedTuple):
    """A job that has ended: its rule, its wildcards, seconds, and its most memory in MB if measured."""

    rule: str
    about: str
    seconds: float
    memory: float | None


class JobLines(logging.Handler):
    """A handler of Snakemake's logger. `wall` gives seconds; `stream` is the terminal's error stream."""

    def __init__(self, stream: TextIO = sys.stderr, wall: Callable[[], float] = time.monotonic):
        super().__init__(logging.INFO)
        self.stream, self.wall = stream, wall
        self.done: list[Done] = []
        self._known: dict[int, dict] = {}
        self._ended: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Note what begins, and write a line for what has ended once it is known how far the whole is."""
        event = str(getattr(record, "event", ""))
        if event == "job_info":
            self._known[record.jobid] = {
                "rule": record.rule_name,
                "about": " ".join(map(str, record.wildcards.values())),
                "benchmark": record.benchmark,
                "began": self.wall(),
            }
        elif event == "job_finished":
            self._ended = record.job_id
        elif event == "progress" and self._ended in self._known:
            known = self._known.pop(self._ended)
            if known["rule"] != "all":
                self.done.append(measured(known, self.wall()))
                print(line(self.done[-1], record.done, record.total), file=self.stream, flush=True)


def take_over(logger: logging.Logger) -> JobLines | None:
    """Let a `JobLines` tell of the jobs on the terminal; None where Snakemake is to be quiet of them."""
    terminal = next((h for h in logger.handlers if h.name == "DefaultStreamHandler"), None)
    quiet = {
        str(part) for own in getattr(terminal, "filters", []) for part in getattr(own, "quiet", None) or ()
    }
    if terminal is None or quiet & {"all", "progress", "rules"}:
        return None
    terminal.addFilter(lambda record: not told_here(record))
    lines = JobLines(terminal.stream)
    logger.addHandler(lines)
    return lines


def told_here(record: logging.LogRecord) -> bool:
    """Is this what a `JobLines` tells in a line of its own?"""
    text = str(record.msg or "")
    chatter = text.startswith(CHATTER) or SUBMITTED in text
    return str(getattr(record, "event", "")) in TOLD_HERE or (record.levelno == logging.INFO and chatter)


def measured(known: dict, now: float) -> Done:
    """What Snakemake measured of a job, or the time since it was handed out."""
    row = benchmark(known["benchmark"]) or {}
    memory = float(row["max_rss"]) if sampled(row) else None
    return Done(known["rule"], known["about"], float(row.get("s") or now - known["began"]), memory)


def benchmark(file: str | None) -> dict | None:
    """The row of one of Snakemake's benchmark files; None where there is none, or none that can be read."""
    try:
        with Path(file or "").open(encoding="utf-8", newline="") as lines:
            row = next(csv.DictReader(lines, delimiter="\t"))
        return row if float(row["s"]) >= 0 else None
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def sampled(row: dict) -> bool:
    """Was the process looked at? Of one that ends within a second Snakemake saw the shell, if anything."""
    try:
        return float(row["cpu_time"]) > 0 and float(row["max_rss"]) >= float(row["max_uss"]) > 0
    except (KeyError, ValueError, TypeError):
        return False


def line(job: Done, done: int, total: int) -> str:
    """`[ 17/132] merges                 slerp                 6.1 s    543 MB`"""
    counted = f"[{done:>{len(str(total))}}/{total}]"
    return (
        f"{counted} {job.rule:<24} {job.about:<32} {duration(job.seconds):>9} {size(job.memory):>9}".rstrip()
    )


def duration(seconds: float) -> str:
    """Seconds with a digit below two minutes, then minutes, then hours."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(mb: float | None) -> str:
    """Memory, where it is known."""
    if mb is None:
        return ""
    return f"{mb:.0f} MB" if mb < 10_000 else f"{mb / 1000:.1f} GB"


def summary(jobs: Iterable[Done]) -> str:
    """Time and memory a stage, the longest first, and the slowest jobs; nothing of a run without jobs."""
    jobs = list(jobs)
    if not jobs:
        return ""
    stages: dict[str, list[Done]] = defaultdict(list)
    for job in jobs:
        stages[job.rule].append(job)
    head = f"{'stage':<24} {'jobs':>5} {'together':>10} {'the longest':>12} {'most memory':>12}"
    rows = sorted(stages.items(), key=lambda stage: -sum(job.seconds for job in stage[1]))
    lines = [head, *(_stage(rule, of) for rule, of in rows)]
    slow = sorted(jobs, key=lambda job: -job.seconds)[:SLOWEST]
    told = "; ".join(f"{job.rule} {job.about}".rstrip() + f" {duration(job.seconds)}" for job in slow)
    return "\n".join([*lines, f"the slowest: {told}"])


def _stage(rule: str, jobs: list[Done]) -> str:
    together, longest = sum(job.seconds for job in jobs), max(job.seconds for job in jobs)
    memory = max((job.memory for job in jobs if job.memory is not None), default=None)
    times = f"{duration(together):>10} {duration(longest):>12}"
    return f"{rule:<24} {len(jobs):>5} {times} {size(memory):>12}".rstrip()
