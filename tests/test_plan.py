"""What a run will take is said before it, what it took after it, and each job that ends has a line."""

import io
import json
import logging
import re
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import clone, snakemake
from lexmerge.plan import stages as plans
from lexmerge.plan.dag import Job
from lexmerge.plan.stages import Need
from lexmerge.run import progress as job_lines
from lexmerge.run.progress import Done, JobLines
from test_style import STAGES

STEPS = {rule: count for rule, count in STAGES.items() if rule != "all"}
TIMING = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def timing(folder, job, seconds, rss=500, cpu=1.0):
    file = folder / "timings" / f"{job}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{TIMING}{seconds}\t0:00:01\t{rss}\t0\t{rss / 2}\t0\t0\t0\t0\t{cpu}\n", encoding="utf-8")


def plan(folder, *arguments):
    said = snakemake(folder, "plan", "--cores", "1", "--quiet", "all", *arguments).stdout
    return said, pd.read_csv(folder / "results/toy/plan.tsv", sep="\t").set_index("stage")


def test_the_plan_of_a_new_study_is_the_whole_study(tmp_path):
    said, table = plan(clone(tmp_path / "lexmerge"))
    assert table.to_run.to_dict() == STEPS and not table.done.any()
    assert set(table.basis) == {"rates, rough"}
    assert table.loc["benchmarks", "cpu_hours"] > table.loc["merges", "cpu_hours"] > 0
    assert not table.gpu_hours.any()  # the toy models are not worth a card
    assert "nothing is to be fetched" in said and "0 calls, 0 dollars" in said
    assert "terms, until the vocabulary is made" in said


def test_the_plan_of_a_finished_study_says_what_it_took(toy_copy):
    said, table = plan(toy_copy)
    assert not table.to_run.any()
    assert table.done.to_dict() == STEPS
    files = toy_copy.glob("results/toy/timings/merges/*.tsv")
    seconds = sum(pd.read_csv(file, sep="\t").s.iloc[0] for file in files)
    assert table.loc["merges", "took_hours_of_done"] == pytest.approx(seconds / 3600)
    assert table.loc["toy_models", "most_memory_mb"] > 300
    assert re.search(r"together +0 +\d+ ", said) and "what is done took" in said


def test_the_plan_after_a_change_rests_on_what_the_study_took(toy_copy, edit):
    edit("config/config.yaml", "parameters: {weight: 0.7}", "parameters: {weight: 0.6}")
    _, table = plan(toy_copy)
    assert (table.loc["merges", "to_run"], table.loc["merges", "done"]) == (1, 5)
    assert table.loc["merges", "basis"] == "jobs of this study"
    assert (table.loc["search", "to_run"], table.loc["judgements", "to_run"]) == (0, 2)
    took = [pd.read_csv(f, sep="\t").s.iloc[0] for f in toy_copy.glob("results/toy/timings/merges/*.tsv")]
    assert min(took) / 2 < table.loc["merges", "cpu_hours"] * 3600 < max(took) * 2


def test_a_plan_runs_nothing_and_changes_no_plan(toy_copy):
    plan(toy_copy)
    again = snakemake(toy_copy, "-n")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_the_plan_of_the_paper_needs_no_key_and_names_what_is_fetched_and_paid(tmp_path):
    folder = clone(tmp_path / "lexmerge")
    done = snakemake(
        folder, "plan", "--cores", "1", "--quiet", "all", "--configfile", "config/paper.yaml", check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    # 1,782 terms by 8 models, and 8 controls of 30 terms
    assert re.search(r"judge gpt_6_luna: [\d,]+ calls of gpt-6-luna", said)
    assert "ContactDoctor/Bio-Medical-Llama-3-8B, 16.1 GB; the documents of pubmedqa" in said
    assert re.search(r"^merges +6 +0 ", said, re.M)
    assert re.search(r"disk: 0 MB now, 128\.5 GB at the peak", said)  # 2 models and 6 merges of 16.06 GB


def test_jobs_to_run_take_what_those_done_took_in_proportion(tmp_path):
    """Two jobs took 10 s where 4 were expected: the third, of whom 6 are expected, will take 15."""
    jobs = [Job("asked", "asked/a", False), Job("asked", "asked/b", False), Job("asked", "asked/c", True)]
    needs = {"asked/a": Need(2, 1, 2), "asked/b": Need(2, 1, 2), "asked/c": Need(6, 1, 2)}
    timing(tmp_path, "asked/a", 4, rss=700)
    timing(tmp_path, "asked/b", 6, rss=900)
    row = plans.stages(jobs, needs, str(tmp_path)).iloc[0]
    assert row.gpu_hours == pytest.approx(15 / 3600)
    assert row.cpu_hours == pytest.approx(2 * 15 / 3600)
    assert (row.to_run, row.done, row.basis, row.most_memory_mb) == (1, 2, "jobs of this study", 900)
    assert row.estimated_hours_of_done == pytest.approx(4 / 3600)


def test_without_a_job_done_the_rates_alone_count_and_it_says_so(tmp_path):
    row = plans.stages([Job("asked", "asked/c", True)], {"asked/c": Need(7200, 2, 1)}, str(tmp_path)).iloc[0]
    assert (row.cpu_hours, row.gpu_hours, row.basis) == (2, 4, "rates, rough")


def test_the_peak_of_the_disk_counts_no_more_merges_than_there_may_be(tmp_path):
    (tmp_path / "there").write_bytes(b"x" * 1000)
    new = {"models/a": 500, "merges/b": 100, "merges/c": 200, "merges/d": 300}
    assert plans.disk(str(tmp_path), new, None)["peak"] == 1000 + 500 + 600
    assert plans.disk(str(tmp_path), new, 2)["peak"] == 1000 + 500 + 500


def test_the_peak_of_the_disk_counts_what_is_made_again_once(tmp_path):
    """100 and 200 bytes are there; a new version of the second, of 250, is whole before the old one goes."""
    for merge, size in {"b": 100, "c": 200}.items():
        (tmp_path / "merges" / merge).mkdir(parents=True)
        (tmp_path / "merges" / merge / "model.safetensors").write_bytes(b"x" * size)
    assert plans.disk(str(tmp_path), {}, None)["peak"] == 300
    assert plans.disk(str(tmp_path), {"merges/c": 250}, None)["peak"] == 100 + 250 + 200
    assert plans.disk(str(tmp_path), {"merges/b": 100, "merges/c": 250}, None)["peak"] == 100 + 250 + 200
    assert plans.disk(str(tmp_path), {"merges/d": 300}, None)["peak"] == 100 + 200 + 300
    assert plans.disk(str(tmp_path), {"merges/d": 300}, 2)["peak"] == 200 + 300


def test_a_disk_that_is_too_small_is_said():
    table = plans.stages([Job("a", "a", True)], {"a": Need(1, 0, 1)}, "nowhere")
    small = {"now": 0, "peak": 2e9, "free": 1e9}
    assert "NOT ENOUGH" in plans.told(table, [], small, [], [])
    assert "NOT ENOUGH" not in plans.told(table, [], small | {"free": 3e9}, [], [])


def test_calls_are_those_of_the_jobs_to_run():
    study = {
        "study": {"models": ["a"], "merges": ["b"]},
        "translations": {"provider": "table"},
        "definitions": {"max_new_tokens": 256, "both_languages": False},
        "judging": {"controls": {"terms": 10, "repeats": 1}},
        "judges": {
            "j": {
                "provider": "openai",
                "model": "m",
                "base_url": "https://api.openai.com/v1",
                "blind": False,
                "prompt": "resources/prompts/definition.en.txt",
                "price": {"input": 1, "output": 2},
            }
        },
    }
    jobs = [Job("judgements", "judgements/j/a", False), Job("judgements", "judgements/j/b", True)]
    jobs += [Job("controls", "controls/j", False), Job("judgements", "judgements/k/b", True)]
    (row,) = plans.calls(study, 100, jobs)
    assert row["calls"] == 100  # one judgement of 100 terms
    controls = [job._replace(to_run=job.rule == "controls") for job in jobs]
    assert [r["calls"] for r in plans.calls(study, 100, controls)] == [10 * (3 + 1)]
    assert [r["calls"] for r in plans.calls(study, 100, [job._replace(to_run=False) for job in jobs])] == [0]


# --- a line a job


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
    assert table[3].startswith("the slowest: asked a 2.0 h; merges b 90.0 s")
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
        and "the slowest:" in done.stdout
    )
    kept = max((toy_copy / ".snakemake/log").glob("*.log")).read_text(encoding="utf-8")
    assert "Finished jobid" in kept


def test_files_that_are_only_touched_took_no_time(toy_copy):
    touched = snakemake(toy_copy, "--cores", "1", "--touch", "--forcerun", "figures_distances")
    assert "figures_distances" in touched.stderr  # as Snakemake itself tells of it
    assert "a line for each job" not in touched.stderr and "the slowest:" not in touched.stdout


def test_quiet_is_quiet_and_a_failure_is_still_told(toy_copy):
    (toy_copy / "results/toy/figures/distances.svg").unlink()
    (toy_copy / "results/toy/statistics/distances.tsv").write_text("broken\n", encoding="utf-8")
    (toy_copy / "results/toy/statistics/distances.tsv").touch()
    failed = snakemake(toy_copy, "--cores", "1", check=False)
    assert failed.returncode and "Error in rule figures_distances" in failed.stderr
    quiet = snakemake(
        toy_copy, "results/toy/study.yaml", "--cores", "1", "--forcerun", "study", "--quiet", "all"
    )
    assert "a line for each job" not in quiet.stderr and not re.search(r"^\[ *1/1\]", quiet.stderr, re.M)


def test_a_logger_of_the_users_is_left_alone():
    logger = SimpleNamespace(handlers=[SimpleNamespace(name="rich", filters=[])])
    assert job_lines.take_over(logger) is None


def test_the_rates_have_their_sources():
    from lexmerge.plan.estimates import rates

    def without(value, path=""):
        if isinstance(value, dict) and "rate" in value and "source" not in value:
            yield path
        for key, item in value.items() if isinstance(value, dict) else ():
            yield from without(item, f"{path}/{key}")

    assert list(without(rates())) == []
    assert json.dumps(rates())  # plain values


def test_merges_whose_weights_were_removed_are_named_if_a_job_to_run_reads_them():
    jobs = [
        Job("benchmarks", "benchmarks/pubmedqa/a", True),
        Job("benchmarks", "benchmarks/pubmedqa/b", False),
        Job("judgements", "judgements/chrf/c", True),  # reads no weights
    ]
    assert plans.remade(jobs, ["a", "b", "c"], {}) == ["a"]
    assert plans.remade(jobs, ["b", "c"], {}) == []
    measured = [*jobs, Job("statistics_distances", "statistics_distances", True)]
    assert plans.remade(measured, ["a", "b", "c"], {"statistics_distances": ["b"]}) == ["a", "b"]
    (note,) = plans.again_told(["a"], {"merges/a": Need(7200, 0, 1)})
    assert note == "1 merge is made again before being read, 2.00 hours more: a"


def test_the_plan_of_a_bounded_study_counts_what_is_made_again(toy_copy, tmp_path):
    """The weights of one merge are gone, and one of its benchmarks is to be made anew."""
    weights = list((toy_copy / "results/toy/merges/linear").glob("*.safetensors"))
    assert weights
    for file in weights:
        file.unlink()
    (toy_copy / "results/toy/benchmarks/pubmedqa/linear.json").unlink()
    overlay = tmp_path / "bounded.yaml"
    overlay.write_text("merging: {checkpoints: {at_most: 2, keep: [ties]}}\n", encoding="utf-8")
    said, table = plan(toy_copy, "--configfile", str(overlay))
    assert re.search(r"1 merge is made again before being read, <?[0-9.]+ hours more: linear", said)
    assert (table.loc["benchmarks", "to_run"], table.loc["merges", "to_run"]) == (1, 0)
