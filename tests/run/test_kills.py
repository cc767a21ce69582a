"""What a user reads of a job that its scheduler killed; `make test-slurm` has real ones."""

import io
import logging

import pytest
from lexmerge.run.kills import Killed

STEP = "slurmstepd-n1: error: "


@pytest.fixture
def told(tmp_path):
    """What is told of a job with this log of Slurm's, and this status in the plugin's message."""

    def tell(log: str, status: str = "FAILED", **others) -> str:
        (tmp_path / "7.log").write_text(log)
        handler = Killed(io.StringIO())
        job = {"jobid": 3, "rule_name": "merges", "wildcards": {"merge": "slerp"}}
        job |= {"resources": {"mem_mb": 400, "runtime": 12}, "event": "job_info"}
        message = f"SLURM-job '7' failed, SLURM status is: '{status}'."
        error = {"jobid": 3, "rule_name": "merges", "rule_msg": message, "event": "job_error"}
        error |= {"log": ["absent.log", str(tmp_path / "7.log")], "aux": {"external_jobid": "7"}}
        for extra in (job, error | others):
            handler.handle(logging.makeLogRecord({"levelno": logging.ERROR, **extra}))
        return handler.stream.getvalue()

    return tell


@pytest.mark.parametrize(
    ("log", "status", "cause"),
    [
        (f"{STEP}StepId=7.0 exceeded memory limit (5 > 4), being killed", "FAILED", "OUT_OF_MEMORY"),
        (f"{STEP}Detected 1 oom-kill event(s) in StepId=7.0.", "FAILED", "OUT_OF_MEMORY"),
        ("srun: error: n1: task 0: Out Of Memory", "FAILED", "OUT_OF_MEMORY"),
        ("", "OUT_OF_MEMORY", "OUT_OF_MEMORY"),
        (
            f"{STEP}*** STEP 7.0 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***",
            "FAILED",
            "TIMEOUT",
        ),
        ("", "TIMEOUT", "TIMEOUT"),
        ("", "NODE_FAIL", "NODE_FAIL"),
        ("", "CANCELLED", "CANCELLED"),
    ],
)
def test_a_kill_is_told_with_its_cause_and_its_job(told, log, status, cause):
    assert f"lexmerge: merges slerp (job 7) was killed: {cause}, " in told(log, status)


def test_what_was_asked_for_and_what_to_change_is_told(told):
    assert "(400 MB)" in told("", "OUT_OF_MEMORY")
    assert "--set-resources merges:mem_mb=" in told("", "OUT_OF_MEMORY")
    assert "(12 minutes)" in told("", "TIMEOUT")
    assert "--set-resources merges:runtime=" in told("", "TIMEOUT")


def test_a_job_that_fails_by_itself_is_not_called_killed(told):
    assert told("srun: error: n1: task 0: Exited with exit code 1") == ""
    assert told("the judge says: the patient was killed, out of memory") == ""
    assert told("slurmstepd: error: exceeded memory limit", aux={}) == "", "a local job has no scheduler"
