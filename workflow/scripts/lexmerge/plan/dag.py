"""All jobs of a study and which of them are to run, told by a dry run that ends before it prints any."""

import json
import logging
import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import yaml

from lexmerge.common.errors import StudyError

WANTED = "LEXMERGE_JOBS"  # the environment variable that names the file to write them to


class Job(NamedTuple):
    """A job of the study: its rule, its log's path below `logs/` without the ending, and if it is to run."""

    rule: str
    log: str
    to_run: bool


class Teller(logging.Handler):
    """In that dry run: waits for Snakemake's first word about the jobs, writes them, and ends the process."""

    def __init__(self, workflow: object, results: str, file: str):
        super().__init__(logging.INFO)
        self.workflow, self.results, self.file = workflow, results, file

    def emit(self, record: logging.LogRecord) -> None:
        """There is no public way to ask for this: `--summary` leaves out the logs of what is not made."""
        counted = str(getattr(record, "event", "")) == "run_info"
        if not counted and not str(record.msg).startswith("Nothing to be done"):
            return
        dag = self.workflow.dag
        jobs = [
            [job.rule.name, log_of(str(job.log[0]), self.results), dag.needrun(job)]
            for job in dag.jobs
            if job.log
        ]
        Path(self.file).write_text(json.dumps(jobs), encoding="utf-8")
        os._exit(0)


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
        return [Job(*job) for job in json.loads(file.read_text(encoding="utf-8"))]
