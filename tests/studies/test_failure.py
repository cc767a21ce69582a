"""A job that dies leaves nothing that looks whole, and the user learns the rule, the cause and the log."""

import shutil
import signal
import subprocess
import sys
import time

from helpers import pending, snakemake


def test_a_bad_table_is_named_on_the_terminal_before_any_job(toy_copy, edit):
    edit("resources/toy/glossary.tsv", "\tdefinition_ja\n", "\tdefinition_jp\n")
    shutil.rmtree(toy_copy / "results/toy/judgements")
    done = snakemake(toy_copy, "--cores", "2", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "judges.chrf.gold: " in said
    assert "resources/toy/glossary.tsv has no column 'definition_ja'" in said
    assert not (toy_copy / "results/toy/judgements").exists()


def test_a_crash_shows_its_cause_and_its_log(toy_copy, edit):
    head = "def check_checkpoint(folder: Path, recipe: dict[str, Any], parents: list[Headers]) -> None:"
    edit("workflow/scripts/lexmerge/merges/merge.py", head, f"{head}\n    1 / 0")
    done = snakemake(toy_copy, "--cores", "2", "results/toy/merges/slerp/provenance.json", check=False)
    said = done.stdout + done.stderr
    assert "Error in rule merges" in said
    assert "lexmerge: ZeroDivisionError: division by zero" in said
    assert "whole log: results/toy/logs/merges/slerp.log" in said
    assert not (toy_copy / "results/toy/merges/slerp/model.safetensors").exists() or pending(toy_copy)


def test_a_killed_merge_is_made_again(toy_copy):
    merged = toy_copy / "results/toy/merges/ties/model.safetensors"
    before = merged.read_bytes()
    shutil.rmtree(merged.parent)
    running = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "results/toy/merges/ties/provenance.json"],
        cwd=toy_copy,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def parts():
        return list(merged.parent.parent.glob(".ties.*.part"))

    for _ in range(600):
        if parts() or running.poll() is not None:
            break
        time.sleep(0.05)
    assert parts(), "the merge was killed before or after its work"
    import os

    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (merged.parent / "provenance.json").exists()
    snakemake(toy_copy, "--unlock")
    snakemake(toy_copy, "--cores", "1", "results/toy/merges/ties/provenance.json")
    assert merged.read_bytes() == before
    assert not parts()
