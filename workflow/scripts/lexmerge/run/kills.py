"""Why a scheduler ended a job, in one line on the terminal.

A job that is killed writes nothing of its own, Snakemake shows an empty log, and what Slurm says of the whole
job is often only FAILED, since the part that was killed is a step of it. Its log has the cause.
"""

import logging
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

# What a scheduler writes into a job's log, or Snakemake's executor into its message; the first that fits.
CAUSES = {
    "OUT_OF_MEMORY": r"exceeded (?:job |step )?memory limit|oom[-_ ]kill|\bout[ _]of[ _]memory\b",
    "TIMEOUT": r"DUE TO TIME LIMIT|'TIMEOUT'|DEADLINE",
    "NODE_FAIL": r"DUE TO NODE FAIL|'NODE_FAIL'|'BOOT_FAIL'",
    "PREEMPTED": r"DUE TO PREEMPTION|'PREEMPTED'",
    "CANCELLED": r"JOB \d+ (?:ON \S+ )?CANCELLED|'CANCELLED",
}
MEANS = {
    "OUT_OF_MEMORY": "it needed more memory than it asked for{mem_mb}. A retry gets twice as much, "
    "if nothing else is set; to begin with more: --set-resources {rule}:mem_mb=...",
    "TIMEOUT": "it needed more time than it asked for{runtime}. For more minutes: "
    "--set-resources {rule}:runtime=...",
    "NODE_FAIL": "its node was lost. Run again: what is finished stays",
    "PREEMPTED": "another job was preferred. Run again: what is finished stays",
    "CANCELLED": "by hand, or by the cluster. Run again: what is finished stays",
}
LAST = 100_000  # the bytes of a log in which the cause is looked for


class Killed(logging.Handler):
    """A handler of Snakemake's logger that explains the failure of a job that did not end by itself."""

    def __init__(self, stream: TextIO = sys.stderr):
        super().__init__(logging.INFO)
        self.stream = stream
        self._known: dict[int, tuple[str, dict]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        event = str(getattr(record, "event", ""))
        if event == "job_info":
            about = " ".join([record.rule_name, *map(str, record.wildcards.values())])
            self._known[record.jobid] = (about, dict(record.resources.items()))
        elif event == "job_error" and "external_jobid" in record.aux and (why := cause(record)):
            about, asked = self._known.get(record.jobid, (record.rule_name, {}))
            limits = {"mem_mb": " ({} MB)", "runtime": " ({} minutes)"}
            told = {key: text.format(asked[key]) if key in asked else "" for key, text in limits.items()}
            means = MEANS[why].format(rule=record.rule_name, **told)
            job = record.aux["external_jobid"]
            print(f"\nlexmerge: {about} (job {job}) was killed: {why}, {means}", file=self.stream, flush=True)


def cause(record: logging.LogRecord) -> str | None:
    """Why the job of an error was killed; None if it ended by itself, as far as can be told."""
    logs = "\n".join(scheduler_says(record.log))
    said = f"{record.rule_msg}\n{logs}"
    return next((name for name, pattern in CAUSES.items() if re.search(pattern, said, re.IGNORECASE)), None)


def scheduler_says(logs: Iterable[str]) -> Iterable[str]:
    """The lines of a scheduler's own in the logs of a job; what the job itself wrote is no evidence."""
    for file in map(Path, logs):
        if not file.is_file():
            continue
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - LAST))
            lines = log.read().decode(errors="replace").splitlines()
        yield from (line for line in lines if re.match(r"(slurmstepd|srun|slurmd)\S*: ", line))


def report_kills(logger: logging.Logger) -> None:
    logger.addHandler(Killed())
