"""Each job that ends or fails has a line, and the run a table at its end."""

import io
import logging
import re
import shutil
from types import SimpleNamespace

import pytest
from helpers import STAGES, TIMING, clone, snakemake, timing
from lexmerge.run import progress as job_lines
from lexmerge.run.progress import Done, JobLines

STEPS = {rule: count for rule, count in STAGES.items() if rule != "all"}


def event(kind, **said):
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, said.pop("msg", ""), (), None)
    record.__dict__.update({"event": kind, **said})
    return record


def test_a_job_has_a_line_when_it_ends(tmp_path):
    timing(tmp_path, "merges/slerp", 6.11, rss=543.3)
    stream, clock = io.StringIO(), iter([100.0, 130.0, 200.0, 230.0])
    lines = JobLines(stream, lambda: next(clock))
    started = {"rule_name": "merges", "wildcards": {"merge": "slerp"}}
    lines.emit(event("job_info", jobid=7, benchmark=str(tmp_path / "timings/merges/slerp.tsv"), **started))
    assert stream.getvalue() == ""
    lines.emit(event("job_finished", job_id=7))
    lines.emit(event("progress", done=17, total=132))
    assert stream.getvalue().split() == ["[", "17/132]", "merges", "slerp", "6.1", "s", "543", "MB"]
    lines.emit(event("job_info", jobid=8, benchmark=None, rule_name="study", wildcards={}))
    lines.emit(event("job_finished", job_id=8))
    lines.emit(event("progress", done=18, total=132))
    assert stream.getvalue().splitlines()[1].split() == ["[", "18/132]", "study", "30.0", "s"]


@pytest.mark.parametrize("text", ["", "s\n", TIMING, "junk\n1\n", f"{TIMING}abc\n", "\x00\xff"])
def test_a_timing_that_cannot_be_read_is_none(tmp_path, text):
    file = tmp_path / "timing.tsv"
    file.write_bytes(text.encode("latin-1"))
    assert job_lines.benchmark(str(file)) is None


def test_memory_that_was_not_sampled_is_no_number(tmp_path):
    timing(tmp_path, "recipes/slerp", 0.4, rss=3.1, cpu=0)
    known = {
        "rule": "recipes",
        "about": "slerp",
        "began": 0,
        "benchmark": str(tmp_path / "timings/recipes/slerp.tsv"),
    }
    assert job_lines.measured(known, 1).memory is None


def test_the_table_at_the_end_adds_up():
    jobs = [Done("merges", "a", 60, 500), Done("merges", "b", 90, None), Done("asked", "a", 7200, 12_000)]
    table = job_lines.summary(jobs).splitlines()
    assert table[1].split() == ["asked", "1", "2.0", "h", "2.0", "h", "12.0", "GB"]
    assert table[2].split() == ["merges", "2", "2.5", "min", "90.0", "s", "500", "MB"]
    assert table[3].startswith("slowest jobs: asked a 2.0 h; merges b 90.0 s")
    assert job_lines.summary([]) == ""


def test_a_run_has_a_line_a_job_and_a_table_and_keeps_snakemakes_log(toy_copy):
    shutil.rmtree(toy_copy / "results/toy/figures")
    done = snakemake(toy_copy, "--cores", "2")
    said = done.stderr
    lines = re.findall(r"^\[ *(\d+)/(\d+)\] (\w+)", said, re.M)
    assert [int(done) for done, _, _ in lines] == list(range(1, len(lines) + 1))
    assert {rule for _, _, rule in lines} >= {"figures_distances", "figures_differences", "report"}
    assert "Select jobs to execute" not in said and "Job 1:" not in said and "Finished jobid" not in said
    assert (
        re.search(r"^figures_score_histograms +1 +[\d.]+ s", done.stdout, re.M)
        and "slowest jobs:" in done.stdout
    )
    kept = max((toy_copy / ".snakemake/log").glob("*.log")).read_text(encoding="utf-8")
    assert "Finished jobid" in kept


@pytest.mark.parametrize(
    ("instead", "causes"),
    [
        ('raise StudyError("no such thing")', ["lexmerge: no such thing"]),
        ("1 / 0", ["lexmerge: ZeroDivisionError: division by zero"]),
        (
            "print('half way'); import os; os.kill(os.getpid(), 9)",
            ["its process died with <Signals.SIGKILL: 9>", "half way"],
        ),
    ],
)
def test_a_failure_is_printed_once(tmp_path, instead, causes):
    folder = clone(tmp_path / "lexmerge")
    script = folder / "workflow/scripts/recipes.py"
    begin = "    with job(snakemake.log[0]):\n"
    broken = f"{begin}        from lexmerge.common.errors import StudyError\n        {instead}\n"
    script.write_text(script.read_text(encoding="utf-8").replace(begin, broken), encoding="utf-8")
    recipe = "results/toy/recipes/slerp.yaml"
    failed = snakemake(folder, recipe, "--cores", "1", check=False)
    log = "whole log: results/toy/logs/recipes/slerp.log"
    assert failed.returncode == 1
    for said in ("Error in rule recipes: slerp, after ", log, *causes):
        assert failed.stderr.count(said) == 1, failed.stderr
    for said in ("RuleException", "CalledProcessError", "Traceback", "message: None", "====", "failed: "):
        assert said not in failed.stderr
    kept = max((folder / ".snakemake/log").glob("*.log")).read_text(encoding="utf-8")
    assert "CalledProcessError" in kept and "Error in rule recipes" in kept  # Snakemake's log has everything


def test_a_job_elsewhere_has_its_cause_in_the_line_since_its_own_message_went_elsewhere(tmp_path):
    log = tmp_path / "slerp.log"
    log.write_text("loading\nTraceback\nfailed: no such thing\n  - and why\n", encoding="utf-8")
    assert job_lines.cause([str(log)], remote=False, ended=None) == []
    told = job_lines.cause([str(log)], remote=True, ended=None)
    assert told == ["  no such thing", "    - and why", f"  whole log: {log}"]
    none = str(tmp_path / "none.log")
    assert job_lines.cause([none], remote=True, ended=None) == ["  it wrote no log"]
    assert job_lines.cause([none, str(log)], remote=True, ended=None) == told  # the scheduler's own


def test_files_that_are_only_touched_took_no_time(toy_copy):
    touched = snakemake(toy_copy, "--cores", "1", "--touch", "--forcerun", "figures_distances")
    assert "figures_distances" in touched.stderr  # as Snakemake itself tells of it
    assert "each line is a finished job" not in touched.stderr and "slowest jobs:" not in touched.stdout


def test_quiet_is_quiet_and_a_failure_is_still_told(toy_copy):
    (toy_copy / "results/toy/figures/distances.svg").unlink()
    (toy_copy / "results/toy/statistics/distances.tsv").write_text("broken\n", encoding="utf-8")
    (toy_copy / "results/toy/statistics/distances.tsv").touch()
    failed = snakemake(toy_copy, "--cores", "1", check=False)
    assert failed.returncode and "Error in rule figures_distances" in failed.stderr
    quiet = snakemake(
        toy_copy, "results/toy/study.yaml", "--cores", "1", "--forcerun", "study", "--quiet", "all"
    )
    assert "each line is a finished job" not in quiet.stderr
    assert not re.search(r"^\[ *1/1\]", quiet.stderr, re.M)


def test_a_logger_of_the_users_is_left_alone():
    logger = SimpleNamespace(handlers=[SimpleNamespace(name="rich", filters=[])])
    assert job_lines.take_over(logger) is None
