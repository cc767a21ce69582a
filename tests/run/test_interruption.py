"""Ctrl-C ends a run in one sentence, and leaves nothing half made."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from helpers import PROJECT, clone, snakemake
from lexmerge.run.interruption import BEFORE, DURING

# A workflow of one job, which writes to its output, says so, and then ends only if it is killed.
STUBBORN = f"""
import sys
sys.path.insert(0, {str(PROJECT / "workflow" / "scripts")!r})
from lexmerge.run import interruption, progress
from snakemake.logging import logger

rule stubborn:
    output: "half.txt"
    shell: "echo half > {{output}}; trap '' TERM; while true; do sleep 1; done"

onstart:
    progress.take_over(logger)
    interruption.take_over(workflow, logger)
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Start Snakemake as the leader of a process group, as a terminal does; both its streams are one pipe.

    Ctrl-C is not ignored, even if the tests run in the background of a shell, which lets its jobs ignore it.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def read_until(run: subprocess.Popen, text: str) -> None:
    """Read a run's output up to a line with the text."""
    seen = []
    for line in run.stdout:
        if text in line:
            return
        seen.append(line)
    raise AssertionError(f"no {text!r} in\n{''.join(seen)}")


def end(run: subprocess.Popen) -> str:
    """The rest of a run's output once it has ended, which is soon."""
    try:
        return run.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        raise


def in_group(leader: int) -> list[str]:
    """The commands that still run in a process group."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True).stdout
    rows = (line.split(None, 2) for line in listed.splitlines())
    return [command for group, state, command in rows if int(group) == leader and state[0] != "Z"]


def test_ctrl_c_ends_a_run_in_one_sentence(tmp_path):
    folder = clone(tmp_path / "lexmerge")
    run = start(folder, "--cores", "2")
    read_until(run, "[  1/")
    os.killpg(run.pid, signal.SIGINT)  # the terminal signals all processes of the run
    rest = end(run)
    # A job may have ended while the first line was read.
    assert [line for line in rest.splitlines() if line and not line.startswith("[ ")] == [DURING]
    assert run.returncode == -signal.SIGINT, "a shell's loop over studies goes on"
    assert in_group(run.pid) == []
    assert list((folder / ".snakemake/incomplete").iterdir()) == []
    assert [p.name for p in (folder / "results").rglob("*") if p.suffix in (".part", ".tmp")] == []
    again = snakemake(folder, "-n", "--quiet", "rules").stdout  # it is not locked
    assert "total" in again
    kept = len(list((folder / "results/toy/benchmark_data").rglob("test.jsonl")))
    assert kept >= 1 and f"benchmark_data {17 - kept}" in " ".join(again.split())


def test_ctrl_c_before_the_first_job_is_one_sentence_too(tmp_path):
    folder = clone(tmp_path / "lexmerge")
    run = start(folder, "-n")
    read_until(run, "note: ")  # the config has been read
    os.killpg(run.pid, signal.SIGINT)
    assert end(run).split("\n")[-2:] == [BEFORE, ""]
    assert run.returncode == -signal.SIGINT


def test_a_second_ctrl_c_kills_a_job_that_goes_on(tmp_path):
    (tmp_path / "Snakefile").write_text(STUBBORN, encoding="utf-8")
    run = start(tmp_path, "--cores", "1", "stubborn")
    while not (tmp_path / "half.txt").exists():
        time.sleep(0.1)
        assert run.poll() is None, run.stdout.read()
    run.send_signal(signal.SIGINT)
    read_until(run, DURING)
    time.sleep(1)
    assert run.poll() is None, "the job was not waited for"
    run.send_signal(signal.SIGINT)
    assert end(run).strip() == ""
    assert not (tmp_path / "half.txt").exists()
    assert in_group(run.pid) == []


def test_a_terminated_job_leaves_no_temporary_files(tmp_path):
    script = "\n".join(
        [
            "import tempfile, time",
            "from lexmerge.run.job import job",
            "with job('logs/job.log'), tempfile.TemporaryDirectory(dir='.', prefix='part.'):",
            "    time.sleep(60)",
        ]
    )
    scripts = str(PROJECT / "workflow" / "scripts")
    run = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": scripts}
    )
    while not list(tmp_path.glob("part.*")):
        time.sleep(0.05)
        assert run.poll() is None
    run.terminate()
    assert run.wait(30) == 128 + signal.SIGTERM
    assert list(tmp_path.glob("part.*")) == []
    assert (tmp_path / "logs/job.log").read_text(encoding="utf-8") == "ended by SIGTERM\n"
