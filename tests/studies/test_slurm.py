"""A study on a Slurm cluster of two nodes, which is started on this machine (`make test-slurm`)."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers import clone, snakemake
from servers.slurm_cluster import NODES, Cluster, job_processes, why_not

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        "LEXMERGE_SLURM" not in os.environ, reason="starts daemons on this machine; `make test-slurm`"
    ),
    pytest.mark.skipif(bool(why_not()), reason=str(why_not())),
]
# The cluster has no accounting database, and is asked more often than a real one.
FLAGS = [
    *("--configfile", "small.yaml", "--profile", "profiles/slurm", "--slurm-status-command", "squeue"),
    *("--latency-wait", "20", "--slurm-init-seconds-before-status-checks", "2"),
]
# A part of the toy study with every kind of job but a search; the rest would be more of the same.
SMALL = """
study:
  name: toy
  merges: [slerp, ties]
  judges: [chrf]
  benchmarks: [pubmedqa, japanese_leaderboard]
"""
SUITES = ("pubmedqa", "japanese_leaderboard")
MODELS = ("expert", "generalist", "slerp", "ties")
LOST = NODES[1]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as started:
        yield started


@pytest.fixture(autouse=True)
def whole(cluster) -> Iterator[None]:
    """No job is left to the next test, and no node is missing."""
    yield
    cluster.cancel_all()
    for node, state in cluster.states().items():
        if state != "idle":
            cluster.mend_node(node)


def small_clone(folder: Path) -> Path:
    clone(folder)
    (folder / "small.yaml").write_text(SMALL)
    return folder


def begin(folder: Path, *arguments: str) -> subprocess.Popen:
    """A run on the cluster; what it prints is in `run.log`."""
    with (folder / "run.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *FLAGS, *arguments],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def said(folder: Path) -> str:
    return (folder / "run.log").read_text()


def finish(run: subprocess.Popen, folder: Path, seconds: int = 600) -> str:
    """What a run printed that must succeed."""
    try:
        assert run.wait(seconds) == 0, said(folder)
    finally:
        run.kill()
    return said(folder)


def jobs_of(cluster: Cluster, rule: str, state: str) -> list[dict]:
    return [j for j in cluster.jobs() if j["comment"].startswith(f"rule_{rule}") and j["state"] == state]


def made(folder: Path) -> dict[str, int]:
    """Each result by a number that changes when it is made again; Snakemake touches what a job has made."""
    files = [file for file in (folder / "results/toy").rglob("*") if file.is_file()]
    apart = {"journal", "logs", "timings"}
    return {str(file): file.stat().st_ino for file in files if not apart & set(file.parts)}


def is_of(job: dict, folder: Path, file: str) -> bool:
    """Is a result that of a job? One that still runs may have written it already."""
    name = job["comment"].removeprefix("rule_").replace("_wildcards_", "_", 1)
    return "_".join(Path(file).relative_to(folder / "results/toy").parts).startswith(name)


class Study(NamedTuple):
    """What a whole run on the cluster left behind, and what there was when a node was lost."""

    folder: Path
    said: str
    finished: dict[str, int]
    lost: list[dict]
    jobs: list[dict]


@pytest.fixture(scope="session")
def study(cluster, tmp_path_factory) -> Study:
    """Two things go wrong in it: `references` asks for too little memory at first, and a node is lost."""
    folder = small_clone(tmp_path_factory.mktemp("slurm") / "lexmerge")
    run = begin(folder, "--set-resources", "references:mem_mb=150*8**(attempt-1)")

    def is_in_the_middle() -> bool:
        assert run.poll() is None, said(folder)
        done = jobs_of(cluster, "benchmarks", "COMPLETED")
        return bool(done) and LOST in [job["node"] for job in jobs_of(cluster, "benchmarks", "RUNNING")]

    try:
        cluster.wait_for(is_in_the_middle, "benchmarks to run on both nodes", 900)
        running = [job for job in cluster.jobs() if job["state"] == "RUNNING"]
        lost = [job for job in running if job["node"] == LOST]
        there = made(folder)
        finished = {
            f: number for f, number in there.items() if not any(is_of(job, folder, f) for job in running)
        }
        cluster.lose_node(LOST)
        printed = finish(run, folder)
        return Study(folder, printed, finished, lost, cluster.jobs())
    finally:
        run.kill()


@pytest.fixture(scope="session")
def local(study, tmp_path_factory) -> Path:
    """The same study without a cluster, from the same toy models: to train them takes long."""
    folder = small_clone(tmp_path_factory.mktemp("local") / "lexmerge")
    shutil.copytree(study.folder / "results/toy/models", folder / "results/toy/models")
    snakemake(folder, "--cores", "2", "--configfile", "small.yaml")
    return folder


@pytest.fixture
def copy(study, tmp_path) -> Path:
    """The finished study in a folder that a test may change."""
    return shutil.copytree(study.folder, tmp_path / "lexmerge", symlinks=True)


def test_the_cluster_makes_what_one_machine_makes(study, local):
    def texts(folder: Path) -> dict[str, str]:
        parts = (
            "vocabulary/*",
            "tables/*",
            "statistics/*",
            "benchmarks/*/*",
            "judgements/*/*",
            "references/*",
        )
        files = [file for part in parts for file in sorted((folder / "results/toy").glob(part))]
        return {str(file.relative_to(folder)): file.read_text() for file in files}

    here, there = texts(local), texts(study.folder)
    assert there.keys() == here.keys()
    assert [name for name in here if there[name] != here[name]] == []


def test_only_what_is_worth_a_place_in_the_queue_is_a_job_of_the_cluster(study):
    rules = {job["comment"].removeprefix("rule_").partition("_wildcards")[0] for job in study.jobs}
    heavy = {"toy_models", "merges", "definitions", "references", "transfer_definitions", "benchmarks"}
    assert heavy <= rules
    assert not {"models", "benchmark_data", "judgements", "controls", "recipes", "report"} & rules
    assert not [rule for rule in rules if rule.startswith(("tables_", "figures_"))]


def test_a_second_run_has_nothing_to_do(study):
    again = snakemake(study.folder, *FLAGS, "-n")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_a_job_over_its_memory_is_named_with_its_cause_and_gets_more(study):
    assert "(150 MB)" in study.said
    assert "lexmerge: references expert" in study.said
    assert "was killed: OUT_OF_MEMORY" in study.said
    tried = [job["state"] for job in study.jobs if job["comment"].startswith("rule_references")]
    assert tried == ["FAILED", "COMPLETED"]


def test_a_lost_node_loses_no_finished_work(study):
    assert study.lost, "nothing ran there"
    ended = {job["id"]: job for job in study.jobs}
    assert {ended[job["id"]]["state"] for job in study.lost} == {"COMPLETED"}, "by going back into the queue"
    assert {ended[job["id"]]["node"] for job in study.lost} == set(NODES) - {LOST}
    assert any("/benchmarks/" in file for file in study.finished)
    now = made(study.folder)
    assert {file: now.get(file) for file in study.finished} == study.finished, "and none is made again"


def test_a_job_over_its_time_is_named_with_its_cause_and_runs_again(cluster, copy):
    target = copy / "results/toy/merges/ties"
    shutil.rmtree(target)
    run = begin(copy, "results/toy/merges/ties/provenance.json")

    def has_begun() -> bool:
        assert run.poll() is None, said(copy)
        return bool(jobs_of(cluster, "merges_wildcards_ties", "RUNNING"))

    cluster.wait_for(has_begun, "the merge to begin", 120)
    cluster.hang_jobs()
    cluster.end_time_of(jobs_of(cluster, "merges_wildcards_ties", "RUNNING")[0]["id"])
    printed = finish(run, copy)
    assert "lexmerge: merges ties" in printed
    assert "was killed: TIMEOUT" in printed
    assert (target / "provenance.json").exists()


def test_a_job_has_the_gpu_that_it_asks_for(cluster, copy):
    target = copy / "results/toy/definitions/ties.jsonl"
    target.unlink()
    begun = {job["id"] for job in cluster.jobs()}
    finish(begin(copy, str(target.relative_to(copy)), "--set-resources", "definitions:gpu=1"), copy)
    (job,) = [job for job in cluster.jobs() if job["id"] not in begun]
    shown = subprocess.run(["scontrol", "show", "job", job["id"]], capture_output=True, text=True, check=True)
    assert re.search(r"TresPer\w+=gres:gpu:1", shown.stdout), shown.stdout
    log = (copy / "results/toy/logs/definitions/ties.log").read_text()
    assert "GPUs visible to this job: 0" in log, "each node has one"


def test_a_run_that_is_cancelled_takes_its_jobs_away(cluster, copy):
    targets = [f"results/toy/benchmarks/{suite}/{model}.json" for suite in SUITES for model in MODELS]
    shutil.rmtree(copy / "results/toy/benchmarks")
    before = {job["id"] for job in cluster.jobs()}
    run = begin(copy, *targets)

    def states() -> Counter:
        return Counter(job["state"] for job in cluster.jobs() if job["id"] not in before)

    def are_full() -> bool:
        assert run.poll() is None, said(copy)
        return states()["RUNNING"] == 4 and states()["PENDING"] >= 2

    cluster.wait_for(are_full, "the nodes to be full, and a queue", 120)
    cluster.wait_for(job_processes, "the processes of the jobs to start", 60)
    run.send_signal(signal.SIGINT)
    assert run.wait(120) != 0
    assert states()["CANCELLED"] >= 6
    assert not set(states()) - {"CANCELLED", "COMPLETED"}
    cluster.wait_for(lambda: not job_processes(), "the processes of the jobs to end")
    finish(begin(copy, "-n", *targets), copy)  # nothing is locked
