"""All jobs of a study with their resources, from a dry run in another process."""

import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lexmerge.common.errors import StudyError

# Environment variables of the dry run: the file for the jobs, and the file with the study's config.
WANTED, GIVEN = "LEXMERGE_JOBS", "LEXMERGE_CONFIG"


class Job(NamedTuple):
    """A job of the study, with the resources that its rule requests.

    Attributes:
        rule: The rule's name.
        log: The path of its log below `logs/`, without the ending.
        to_run: True if the job would run now.
        seconds: The expected time of its work, without waiting.
        gpu: The number of GPUs.
        threads: The number of threads.
        output_mb: MB of weights that it leaves on the disk.
        calls: The number of requests to a paid service.
        judge: The judge that it asks; empty if none.
        fetches: A description of its downloads; empty if none.
        merged_again: The merges among its inputs whose weights were removed, so that it remakes them.
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
    """A handler of the dry run's logger: writes the jobs as soon as they are known, and ends the process."""

    def __init__(
        self,
        workflow: Any,
        results: str,
        file: str,
        is_removed: Callable[[Path], bool],
        own_name: Callable[[str], str],
    ):
        """Wait for the jobs of a workflow.

        Args:
            workflow: Snakemake's workflow.
            results: The study's folder of results.
            file: The JSON file to write.
            is_removed: Returns True for the folder of a merge whose weights were removed.
            own_name: Returns the name of a rule in this workflow, which a module may rename.
        """
        super().__init__(logging.INFO)
        self.workflow, self.results, self.file = workflow, results, file
        self.is_removed, self.own_name = is_removed, own_name

    def emit(self, record: logging.LogRecord) -> None:
        """Write the jobs at the first event about them; Snakemake has no public function that lists them."""
        counted = str(getattr(record, "event", "")) == "run_info"
        if not counted and not str(record.msg).startswith("Nothing to be done"):
            return
        dag = self.workflow.dag
        jobs = [
            _described(job, dag.needrun(job), self.results, self.is_removed)._replace(
                rule=self.own_name(job.rule.name)
            )
            for job in dag.jobs
            if job.log and str(job.log[0]).startswith(f"{self.results}/logs/")
        ]
        Path(self.file).write_text(json.dumps(jobs), encoding="utf-8")
        os._exit(0)


def _described(job: Any, to_run: bool, results: str, is_removed: Callable[[Path], bool]) -> Job:
    """A job with the resources that its rule requests, and defaults for the others."""
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
    """The path of a log below the folder of logs, without the ending, such as `merges/slerp`."""
    return path.removeprefix(f"{results}/logs/").removesuffix(".log")


def given() -> dict[str, Any]:
    """The config of the study that a dry run of `jobs_of` lists; empty in any other run."""
    file = os.environ.get(GIVEN)
    config: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8")) if file else {}
    return config


def jobs_of(command: list[str], config: dict[str, Any]) -> list[Job]:
    """List all jobs of a study by a dry run.

    Args:
        command: The command that starts Snakemake, with the target.
        config: The study's config, as the user gave it.

    Returns:
        The jobs, finished or not.

    Raises:
        StudyError: If the dry run fails; the message has its output.
    """
    with tempfile.TemporaryDirectory() as folder:
        study, file = Path(folder) / "config.json", Path(folder) / "jobs.json"
        study.write_text(json.dumps(config), encoding="utf-8")
        asked = subprocess.run(
            [*command, "-n"],
            capture_output=True,
            text=True,
            env=os.environ | {WANTED: str(file), GIVEN: str(study)},
        )
        if not file.exists():
            raise StudyError(
                f"the dry run of Snakemake failed, so there is no plan:\n{asked.stdout}{asked.stderr}"
            )
        jobs = [Job(*job) for job in json.loads(file.read_text(encoding="utf-8"))]
    return [job._replace(merged_again=tuple(job.merged_again)) for job in jobs]
