"""What profiles/slurm says is what Snakemake, its plugin for Slurm and the workflow take."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from helpers import PROJECT, clone, snakemake
from lexmerge.study.config import faults_of, overlay
from servers import slurm_cluster as cluster
from snakemake.cli import parse_config

partitions = pytest.importorskip(
    "snakemake_executor_plugin_slurm.partitions", reason="no plugin for Slurm here"
)
PROFILE = PROJECT / "profiles" / "slurm"
JOB = {"mem_mb": 4000, "runtime": 20}


@pytest.fixture
def profile() -> dict:
    return yaml.safe_load((PROFILE / "profile.yaml").read_text(encoding="utf-8"))


def chosen(declared: list, resources: dict) -> str | None:
    """The partition that the plugin puts a job into."""
    quiet = SimpleNamespace(debug=print, info=print, warning=print)
    job = SimpleNamespace(name="job", threads=2, resources=JOB | resources)
    return partitions.get_best_partition(declared, job, quiet)


def test_the_rules_that_it_keeps_local_are_rules(profile, monkeypatch):
    monkeypatch.chdir(PROJECT)
    toy = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    given = parse_config(profile["config"])
    assert {"models", "benchmark_data", "judgements", "transfer_judgements", "controls"} <= set(
        given["local_rules"]
    )
    assert faults_of(overlay(toy, given)) == []


def test_a_name_that_is_no_rule_stops_the_run_and_is_named(tmp_path):
    folder = clone(tmp_path / "lexmerge")
    done = snakemake(folder, "-n", "--config", "local_rules=[judgments]", check=False)
    assert done.returncode != 0
    assert "local_rules: unknown name 'judgments'; did you mean 'judgements'?" in done.stdout + done.stderr


def test_a_local_rule_that_a_study_does_not_have_is_nothing_to_warn_of(tmp_path):
    folder = clone(tmp_path / "lexmerge")
    done = snakemake(folder, "-n", "--quiet", "host", "--config", "local_rules=[tables_published, study]")
    assert "not present" not in done.stdout + done.stderr


def test_no_partition_is_declared_and_the_example_is_one_that_the_plugin_takes(profile, tmp_path):
    file = PROFILE / "partitions.yaml"
    assert profile["slurm-partition-config"] == str(file.relative_to(PROJECT))
    assert partitions.read_partition_file(file) == []
    lines = file.read_text(encoding="utf-8").splitlines()
    block = lines[lines.index("# partitions:") : lines.index("#", lines.index("# partitions:"))]
    example = tmp_path / "partitions.yaml"
    example.write_text("\n".join(line[2:] for line in block))
    declared = partitions.read_partition_file(example)
    assert chosen(declared, {}) == "cpu"
    assert chosen(declared, {"gpu": 1, "gpu_model": "a100"}) == "gpu"
    assert chosen(declared, {"gpu": 1, "gpu_model": "v100"}) is None
    assert chosen(declared, {"mem_mb": 900000}) == "large"


def test_a_machine_that_can_have_no_cluster_says_why_and_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONF", tmp_path / "slurm.conf")
    monkeypatch.setattr(cluster, "ROOM", tmp_path / "room")
    monkeypatch.setattr(cluster.shutil, "which", lambda *_, **__: "/usr/sbin/slurmctld")
    monkeypatch.setattr(cluster.os, "geteuid", lambda: 0)
    monkeypatch.setattr(cluster, "job_processes", lambda *_: [])
    assert cluster.why_not() is None
    (tmp_path / "slurm.conf").write_text("ClusterName=theirs\n")
    with pytest.raises(
        cluster.Unavailable, match=r"a Slurm of its own \(.*slurm.conf\), which is left alone"
    ):
        cluster.Cluster().start()
    cluster.Cluster().stop()
    assert (tmp_path / "slurm.conf").read_text() == "ClusterName=theirs\n"
    monkeypatch.setattr(cluster.os, "geteuid", lambda: 1000)
    assert "needs root" in cluster.why_not()
    monkeypatch.setattr(cluster.shutil, "which", lambda *_, **__: None)
    assert "apt-get install slurm-wlm munge" in cluster.why_not()
