"""All jobs of a study, with their resources and whether they would run, from a dry run in another process."""

import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lexmerge.common.errors import StudyError

WANTED = "LEXMERGE_JOBS"  # the environment variable that names the file to write them to


class Job(NamedTuple):
    """A job of the study, with the resources that its rule asks for.

    Attributes:
        rule: The rule's name.
        log: The path of its log below `logs/`, without the ending.
        to_run: True if the job would run now.
        seconds: The time that its work is expected to take, without waiting.
        gpu: GPUs.
        threads: Threads.
        output_mb: MB of weights that it leaves on the disk.
        calls: Requests to a paid service.
        judge: The judge that it asks, or an empty string.
        fetches: What it downloads, in words, or an empty string.
        merged_again: The merges, of those that it reads, whose weights were removed.
    """

    rule: str
    log: str
    to_run: bool
    seconds: float = 1
    gpu: int = 0
    threads: int = 1
    output_mb: float = 0
    calls: int = 0
    judge: str = ""
    fetches: str = ""
    merged_again: tuple[str, ...] = ()


class Reporter(logging.Handler):
    """In that dry run: waits for Snakemake's first word about the jobs, writes them, and ends the process."""

    def __init__(self, workflow: Any, results: str, file: str, is_removed: Callable[[Path], bool]):
        """`is_removed` is true for the folder of a merge whose weights were removed; `file` is written."""
        super().__init__(logging.INFO)
        self.workflow, self.results, self.file, self.is_removed = workflow, results, file, is_removed

    def emit(self, record: logging.LogRecord) -> None:
        """There is no public way to ask for this: `--summary` leaves out the logs of what is not made."""
        counted = str(getattr(record, "event", "")) == "run_info"
        if not counted and not str(record.msg).startswith("Nothing to be done"):
            return
        dag = self.workflow.dag
        jobs = [
            _described(job, dag.needrun(job), self.results, self.is_removed) for job in dag.jobs if job.log
        ]
        Path(self.file).write_text(json.dumps(jobs), encoding="utf-8")
        os._exit(0)


def _described(job: Any, to_run: bool, results: str, is_removed: Callable[[Path], bool]) -> Job:
    """A job as its rule asks for resources; those that the rule does not name have defaults."""
    asked = {key: job.resources.get(key) for key in job.rule.resources}
    removed = [Path(file).parent for file in job.input if Path(file).name == "provenance.json"]
    again = [str(folder.name) for folder in removed if folder.parent.name == "merges" and is_removed(folder)]
    return Job(
        rule=job.rule.name,
        log=log_of(str(job.log[0]), results),
        to_run=to_run,
        seconds=asked.get("expected_seconds") or 1,
        gpu=asked.get("gpu") or 0,
        threads=job.threads,
        output_mb=asked.get("output_mb") or 0,
        calls=asked.get("calls") or 0,
        judge=getattr(job.wildcards, "judge", ""),
        fetches=asked.get("fetches") or "",
        merged_again=tuple(again) if asked.get("merged_again") else (),
    )


def log_of(path: str, results: str) -> str:
    """`results/toy/logs/merges/slerp.log` is `merges/slerp`."""
    return path.removeprefix(f"{results}/logs/").removesuffix(".log")


def jobs_of(command: list[str], config: dict) -> list[Job]:
    """The jobs of the study of a config, by a Snakemake in a process of its own: `command` starts it."""
    with tempfile.TemporaryDirectory() as folder:
        given, file = Path(folder) / "config.yaml", Path(folder) / "jobs.json"
        given.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        asked = subprocess.run(
            [*command, "-n", "--configfile", str(given)],
            capture_output=True,
            text=True,
            env=os.environ | {WANTED: str(file)},
        )
        if not file.exists():
            raise StudyError(f"Snakemake cannot say what is to be run:\n{asked.stdout}{asked.stderr}")
        jobs = [Job(*job) for job in json.loads(file.read_text(encoding="utf-8"))]
    return [job._replace(merged_again=tuple(job.merged_again)) for job in jobs]
