"""Which GPUs a job takes: as many as it asks for, and none that another has."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import PROJECT
from lexmerge.run.gpus import gpus, own_gpus


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")


def test_two_jobs_have_a_gpu_each(two_gpus, tmp_path):
    with own_gpus(1, tmp_path) as first:
        seen = os.environ["CUDA_VISIBLE_DEVICES"]
        os.environ["CUDA_VISIBLE_DEVICES"] = "0,1"
        with own_gpus(1, tmp_path) as second:
            assert (first, second, seen) == (["0"], ["1"], "0")
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    assert gpus() == ["0", "1"]


CLAIM = """
import sys, time
sys.path.insert(0, "workflow/scripts")
from lexmerge.run import gpus
gpus.POLL = 0.05
with gpus.own_gpus(int(sys.argv[1]), sys.argv[2]) as mine:
    began = time.time()
    time.sleep(0.6)
    print(",".join(mine), began, time.time())
"""


def test_more_jobs_than_gpus_wait_and_never_share(two_gpus, tmp_path):
    def job(wanted):
        command = [sys.executable, "-c", CLAIM, str(wanted), str(tmp_path)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        names, began, ended = done.stdout.splitlines()[-1].split()
        return set(names.split(",")), float(began), float(ended)

    with ThreadPoolExecutor() as pool:
        held = list(pool.map(job, [1, 1, 2, 1]))
    assert sorted(len(names) for names, _, _ in held) == [1, 1, 1, 2]
    for number, (names, began, ended) in enumerate(held):
        for others, began_other, ended_other in held[number + 1 :]:
            assert not names & others or ended <= began_other or ended_other <= began


def test_a_job_that_asks_for_none_sees_none(two_gpus, tmp_path):
    with own_gpus(0, tmp_path):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_jobs_of_one_allocation_share_its_gpus_and_no_others(two_gpus, monkeypatch, tmp_path):
    """A cluster may call the first GPU of every job 0: jobs of two allocations do not wait for each other."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with own_gpus(1) as first:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        with own_gpus(1) as second:
            assert (first, second) == (["0"], ["1"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with own_gpus(1):
        monkeypatch.setenv("SLURM_JOB_ID", "8")
        with own_gpus(1) as other:
            assert other == ["0"]
