"""The terminal of a job, whose output goes to a log."""

import json
import subprocess
import sys
import time

import pytest
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
ASKING = """
import subprocess, sys
sys.path.insert(0, "workflow/scripts")
from lexmerge.run.job import job
ahead = sys.stdin.readline()
with job(sys.argv[1]):
    child = subprocess.run(["cat"], stdout=subprocess.PIPE, text=True, check=True)
    print("to a child:", repr(child.stdout))
    input("run custom code [y/N] ")
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


@pytest.fixture
def ask(tmp_path):
    """Runs code on a terminal that stays open, with answers waiting; gives the exit status and the errors."""

    def asked(code: str) -> tuple[int, str]:
        command = [sys.executable, "-c", code, str(tmp_path / "log")]
        pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, cwd=PROJECT, text=True, **pipes) as job:
            job.stdin.write("ahead\ny\ny\n")
            job.stdin.flush()
            return job.wait(60), job.stderr.read()

    return asked


def test_a_question_in_a_job_gets_no_answer_and_does_not_wait(ask, tmp_path):
    status, said = ask(ASKING)
    assert (status, "EOFError" in said) == (1, True)
    assert "to a child: ''" in (tmp_path / "log").read_text()


def test_a_job_without_a_standard_input_has_its_log(tmp_path):
    code = ASKING.replace("ahead = sys.stdin.readline()", "")
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    done = run(f"import os\nos.close(0)\nos.execv({sys.executable!r}, {command!r})")
    assert (done.returncode, "EOFError" in done.stderr) == (1, True)
    assert "to a child: ''" in (tmp_path / "log").read_text()


def test_transformers_runs_no_code_of_a_model_in_a_job_and_does_not_wait(ask, tmp_path):
    """Even where a loader does not say that it trusts no code, such as one inside a library."""
    auto = {"model_type": "mine", "auto_map": {"AutoConfig": "code.Mine"}}
    (tmp_path / "config.json").write_text(json.dumps(auto))
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Mine: pass\n")
    began = time.monotonic()
    status, said = ask(
        ASKING[: ASKING.index("ahead")]
        + "from transformers import AutoConfig\n"
        + f"with job(sys.argv[1]):\n    AutoConfig.from_pretrained({str(tmp_path)!r})\n"
    )
    assert (status, "contains custom code" in said) == (1, True)
    assert not (tmp_path / "ran").exists()
    assert time.monotonic() - began < 50
