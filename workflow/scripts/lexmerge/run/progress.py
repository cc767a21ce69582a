"""A line on the terminal for each job that ends, instead of Snakemake's blocks, and a table at the end.

Snakemake's own log in `.snakemake/log` stays complete.
"""

import csv
import logging
import re
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TextIO

# Events and messages of Snakemake's that are replaced here.
REPLACED = {"job_info", "job_started", "job_finished", "job_error", "progress"}
CHATTER = ("Select jobs to execute", "Execute ", "Finished jobid", "Shutting down, this might")
FINAL = "Exiting because a job execution failed."  # Snakemake's last line says the same
# The end of a job's process, in the message of Snakemake's exception.
DEATH = re.compile(r"CalledProcessError in .*(died with .*|returned non-zero exit status \d+)\.\s*$", re.S)
LAST = 10  # lines of its log that are shown of a job that failed without a message
SUBMITTED = "has been submitted with"  # the executors' line for each job
SLOWEST = 5  # jobs that are listed at the end of a run


class Done(NamedTuple):
    """A finished job.

    Attributes:
        rule: The rule's name.
        about: Its wildcards, separated by spaces.
        seconds: Wall-clock time.
        memory: Peak memory in MB; None if it was not measured.
    """

    rule: str
    about: str
    seconds: float
    memory: float | None


class JobLines(logging.Handler):
    """A handler of Snakemake's logger that prints a line for each finished or failed job.

    Attributes:
        done: The finished jobs.
    """

    def __init__(self, stream: TextIO = sys.stderr, wall: Callable[[], float] = time.monotonic):
        """Print to `stream`; `wall` returns a time in seconds."""
        super().__init__(logging.INFO)
        self.stream, self.wall = stream, wall
        self.done: list[Done] = []
        self._known: dict[int, dict[str, Any]] = {}
        self._ended: int | None = None
        self._deaths: dict[int, str] = {}  # by thread, in which Snakemake then reports the job's error

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a job that starts; print a line when it fails, or at the progress after it finished."""
        fields: dict[str, Any] = vars(record)  # Snakemake's own are among them
        event = str(fields.get("event", ""))
        if event == "job_info":
            self._known[fields["jobid"]] = {
                "rule": fields["rule_name"],
                "about": " ".join(map(str, fields["wildcards"].values())),
                "benchmark": fields["benchmark"],
                "began": self.wall(),
            }
        elif event == "job_finished":
            self._ended = fields["job_id"]
        elif event == "progress" and self._ended in self._known:
            known = self._known.pop(self._ended)
            if known["rule"] != "all":
                self.done.append(measured(known, self.wall()))
                print(line(self.done[-1], fields["done"], fields["total"]), file=self.stream, flush=True)
        elif died := death(record):
            self._deaths[threading.get_ident()] = died
        elif event == "job_error":
            known = self._known.pop(fields["jobid"], {"about": "", "began": self.wall()})
            head = failure(fields["rule_name"], known["about"], self.wall() - known["began"])
            remote, died = "external_jobid" in fields["aux"], self._deaths.pop(threading.get_ident(), None)
            ended = f"its process {died}" if died else fields["rule_msg"]  # a scheduler's message
            print("\n".join([head, *cause(fields["log"], remote, ended)]), file=self.stream, flush=True)


def take_over(logger: logging.Logger) -> JobLines | None:
    """Replace Snakemake's blocks on the terminal by the lines of a `JobLines`.

    Args:
        logger: Snakemake's logger.

    Returns:
        The handler; None if Snakemake was asked to be quiet about jobs, or logs to the user's own handler.
    """
    terminal: Any = next((h for h in logger.handlers if h.name == "DefaultStreamHandler"), None)
    quiet = {
        str(part) for own in getattr(terminal, "filters", []) for part in getattr(own, "quiet", None) or ()
    }
    if terminal is None or quiet & {"all", "progress", "rules"}:
        return None
    terminal.addFilter(lambda record: not _is_replaced(record))
    lines = JobLines(terminal.stream)
    logger.addHandler(lines)
    return lines


def _is_replaced(record: logging.LogRecord) -> bool:
    """True if a `JobLines` reports this in its own line."""
    text = str(record.msg or "")
    if str(getattr(record, "event", "")) in REPLACED or death(record) or text.startswith(FINAL):
        return True
    return record.levelno == logging.INFO and (text.startswith(CHATTER) or SUBMITTED in text)


def death(record: logging.LogRecord) -> str | None:
    """How a job's process ended, such as `died with <Signals.SIGKILL: 9>`; None for any other record."""
    found = DEATH.search(str(record.msg)) if getattr(record, "exception", None) == "RuleException" else None
    return found and found[1]


def failure(rule: str, about: str, seconds: float) -> str:
    """The line of a failed job, such as `Error in rule merges: slerp, after 6.1 s`.

    Args:
        rule: The rule's name.
        about: The job's wildcards, separated by spaces.
        seconds: The time since its start.
    """
    return f"Error in rule {rule}: {about}{', ' if about else ''}after {duration(seconds)}"


def cause(logs: Iterable[str], remote: bool, ended: str | None) -> list[str]:
    """The cause of a job's failure, unless the job printed it on this terminal itself; see `run.job`.

    Args:
        logs: The job's logs: its own, then its scheduler's; the first counts in which something is written.
        remote: True if a scheduler started the job, so that what it showed is not on this terminal.
        ended: How it ended, if that is known.

    Returns:
        Lines with the message or the end of the log, and the log's path; empty if the job printed them.
    """
    texts = {log: _text(log) for log in logs}
    log, text = next(((log, text) for log, text in texts.items() if text), ("", ""))
    message = re.search(r"^failed: (?!.*^failed: )(.*)\Z", text, re.M | re.S)
    if message and not remote:
        return []
    lines = message[1].splitlines() if message else text.splitlines()[-LAST:]
    told = ended.splitlines() if ended and not message else []
    where = [f"whole log: {log}"] if text else ["it wrote no log"]
    return [f"  {line}" for line in (*told, *lines, *where)]


def _text(log: str) -> str:
    """What a log says; empty if it is missing."""
    try:
        return Path(log).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def measured(known: dict[str, Any], now: float) -> Done:
    """A finished job with Snakemake's measurements, or with the time since its start if there are none.

    Args:
        known: The job's `rule`, `about`, `began` (in seconds) and `benchmark`, a file or None.
        now: The time in seconds.
    """
    row = benchmark(known["benchmark"]) or {}
    memory = float(row["max_rss"]) if sampled(row) else None
    return Done(known["rule"], known["about"], float(row.get("s") or now - known["began"]), memory)


def benchmark(file: str | None) -> dict[str, str] | None:
    """Read the measurements of a job.

    Args:
        file: A benchmark file of Snakemake's, if the job has one.

    Returns:
        Its row, by column, with `s` in seconds and `max_rss` in MB; None if it is missing or cannot be read.
    """
    try:
        with Path(file or "").open(encoding="utf-8", newline="") as lines:
            row = next(csv.DictReader(lines, delimiter="\t"))
        return row if float(row["s"]) >= 0 else None
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def sampled(row: dict[str, str]) -> bool:
    """True if Snakemake measured the process; if that ends within a second, it measures only the shell."""
    try:
        return float(row["cpu_time"]) > 0 and float(row["max_rss"]) >= float(row["max_uss"]) > 0
    except (KeyError, ValueError, TypeError):
        return False


def line(job: Done, done: int, total: int) -> str:
    """The line of a finished job, such as `[ 17/132] merges      slerp      6.1 s    543 MB`.

    Args:
        job: The job.
        done: The number of finished jobs.
        total: The number of jobs in the run.
    """
    counted = f"[{done:>{len(str(total))}}/{total}]"
    return (
        f"{counted} {job.rule:<24} {job.about:<32} {duration(job.seconds):>9} {size(job.memory):>9}".rstrip()
    )


def duration(seconds: float) -> str:
    """A time in s, from two minutes in min, from two hours in h, with one decimal."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(mb: float | None) -> str:
    """Memory or disk space in MB, from 10,000 MB in GB; empty if it is unknown."""
    if mb is None:
        return ""
    return f"{mb:.0f} MB" if mb < 10_000 else f"{mb / 1000:.1f} GB"


def summary(jobs: Iterable[Done]) -> str:
    """Summarise a run for the terminal.

    Args:
        jobs: The finished jobs.

    Returns:
        A table of time and memory for each rule, longest first, and the slowest jobs; empty without jobs.
    """
    jobs = list(jobs)
    if not jobs:
        return ""
    stages: dict[str, list[Done]] = defaultdict(list)
    for job in jobs:
        stages[job.rule].append(job)
    head = f"{'stage':<24} {'jobs':>5} {'total':>10} {'longest':>12} {'peak memory':>12}"
    rows = sorted(stages.items(), key=lambda stage: -sum(job.seconds for job in stage[1]))
    lines = [head, *(_stage(rule, of) for rule, of in rows)]
    slow = sorted(jobs, key=lambda job: -job.seconds)[:SLOWEST]
    listed = "; ".join(f"{job.rule} {job.about}".rstrip() + f" {duration(job.seconds)}" for job in slow)
    return "\n".join([*lines, f"slowest jobs: {listed}"])


def _stage(rule: str, jobs: list[Done]) -> str:
    """The row of a rule in the table."""
    together, longest = sum(job.seconds for job in jobs), max(job.seconds for job in jobs)
    memory = max((job.memory for job in jobs if job.memory is not None), default=None)
    times = f"{duration(together):>10} {duration(longest):>12}"
    return f"{rule:<24} {len(jobs):>5} {times} {size(memory):>12}".rstrip()
