"""A line on the terminal about why a scheduler killed a job.

A killed job cannot write the cause to its log, and Slurm often reports the job as merely FAILED, since only a
step of it was killed. The cause is in Slurm's own log of the job.
"""

import logging
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

# Patterns in a scheduler's log of a job or in the message of Snakemake's executor; the first match counts.
CAUSES = {
    "OUT_OF_MEMORY": r"exceeded (?:job |step )?memory limit|oom[-_ ]kill|\bout[ _]of[ _]memory\b",
    "TIMEOUT": r"DUE TO TIME LIMIT|'TIMEOUT'|DEADLINE",
    "NODE_FAIL": r"DUE TO NODE FAIL|'NODE_FAIL'|'BOOT_FAIL'",
    "PREEMPTED": r"DUE TO PREEMPTION|'PREEMPTED'",
    "CANCELLED": r"JOB \d+ (?:ON \S+ )?CANCELLED|'CANCELLED",
}
MEANS = {
    "OUT_OF_MEMORY": "it needed more memory than it requested{mem_mb}. A retry requests twice as much "
    "by default; to start with more: --set-resources {rule}:mem_mb=...",
    "TIMEOUT": "it needed more time than it requested{runtime}. To request more minutes: "
    "--set-resources {rule}:runtime=...",
    "NODE_FAIL": "its node failed. Run again: finished results are kept",
    "PREEMPTED": "it was preempted by another job. Run again: finished results are kept",
    "CANCELLED": "it was cancelled by a user or the cluster. Run again: finished results are kept",
}
LAST = 100_000  # bytes at the end of a log that are searched for the cause


class Killed(logging.Handler):
    """A handler of Snakemake's logger that reports why a scheduler killed a job."""

    def __init__(self, stream: TextIO = sys.stderr):
        """Report to `stream`."""
        super().__init__(logging.INFO)
        self.stream = stream
        self._known: dict[int, tuple[str, dict[str, Any]]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a job that starts, and report one that was killed."""
        fields: dict[str, Any] = vars(record)  # Snakemake's own are among them
        event = str(fields.get("event", ""))
        if event == "job_info":
            about = " ".join([fields["rule_name"], *map(str, fields["wildcards"].values())])
            self._known[fields["jobid"]] = (about, dict(fields["resources"].items()))
        elif event == "job_error" and "external_jobid" in fields["aux"] and (why := cause(record)):
            about, asked = self._known.get(fields["jobid"], (fields["rule_name"], {}))
            units = {"mem_mb": " ({} MB)", "runtime": " ({} minutes)"}
            limits = {key: text.format(asked[key]) if key in asked else "" for key, text in units.items()}
            means = MEANS[why].format(rule=fields["rule_name"], **limits)
            job = fields["aux"]["external_jobid"]
            print(f"\nlexmerge: {about} (job {job}) was killed: {why}, {means}", file=self.stream, flush=True)


def cause(record: logging.LogRecord) -> str | None:
    """Find why a scheduler killed a job.

    Args:
        record: Snakemake's record of the job's error.

    Returns:
        A key of `CAUSES`; None if the job ended by itself or no cause is found.
    """
    fields: dict[str, Any] = vars(record)
    evidence = "\n".join([str(fields["rule_msg"]), *_scheduler_lines(fields["log"])])
    return next(
        (name for name, pattern in CAUSES.items() if re.search(pattern, evidence, re.IGNORECASE)), None
    )


def _scheduler_lines(logs: Iterable[str]) -> Iterable[str]:
    """Yield the scheduler's own lines in the logs of a job; the job's output is not evidence."""
    for file in map(Path, logs):
        if not file.is_file():
            continue
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - LAST))
            lines = log.read().decode(errors="replace").splitlines()
        yield from (line for line in lines if re.match(r"(slurmstepd|srun|slurmd)\S*: ", line))


def report_kills(logger: logging.Logger) -> None:
    """Report killed jobs on the terminal, by a handler of Snakemake's logger."""
    logger.addHandler(Killed())
