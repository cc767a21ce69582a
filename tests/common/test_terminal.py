"""The terminal of a job, whose output goes to a log."""

import subprocess
import sys

from helpers import PROJECT

JOB = """
import os, subprocess, sys
sys.path.insert(0, "workflow/scripts")
from lexmerge.run.job import job
with job(sys.argv[1]):
    print("printed")
    from lexmerge.common.terminal import STDOUT, show, tell  # after the output went to the log
    tell("told")
    show("shown")
    show("the plan", STDOUT)
    os.write(2, b"by a library\\n")
    subprocess.run(["echo", "by a child"])
    if sys.argv[2:]:
        raise ValueError("a cause")
"""
NO_JOB = """
import sys
sys.path.insert(0, "workflow/scripts")
from lexmerge.common.terminal import show, tell
tell("told")
show("shown")
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)


def test_what_is_told_is_in_the_log_and_on_the_terminal_and_the_rest_in_one_of_them(tmp_path):
    log = tmp_path / "logs/job.log"
    done = run(JOB, str(log))
    assert done.returncode == 0
    assert done.stdout == "the plan\n"
    assert done.stderr == "lexmerge: told\nshown\n"
    lines = log.read_text(encoding="utf-8").splitlines()
    assert lines[:4] == ["printed", "told", "by a library", "by a child"]
    assert lines[4].startswith("start-up ")
    assert len(lines) == 5


def test_an_error_is_shown_on_the_terminal_with_the_log(tmp_path):
    log = tmp_path / "job.log"
    done = run(JOB, str(log), "fail")
    assert done.returncode == 1
    assert done.stderr.endswith(f"\nlexmerge: ValueError: a cause\n  whole log: {log}\n")
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert text.endswith("failed: ValueError: a cause\n")


def test_without_a_log_a_line_is_printed_once():
    done = run(NO_JOB)
    assert (done.stdout, done.stderr) == ("told\n", "shown\n")
