"""What a run will take is said before it, and rests on what the study took."""

import json
import re

import pandas as pd
import pytest
from helpers import STAGES, clone, snakemake, timing
from lexmerge.plan import stages as plans
from lexmerge.plan.dag import Job

STEPS = {rule: count for rule, count in STAGES.items() if rule != "all"}


def plan(folder, *arguments):
    said = snakemake(folder, "plan", "--cores", "1", "--quiet", "all", *arguments).stdout
    return said, pd.read_csv(folder / "results/toy/plan.tsv", sep="\t").set_index("stage")


def test_the_plan_of_a_new_study_is_the_whole_study(tmp_path):
    said, table = plan(clone(tmp_path / "lexmerge"))
    assert table.to_run.to_dict() == STEPS and not table.done.any()
    assert set(table.basis) == {"rates (rough)"}
    assert table.loc["benchmarks", "cpu_hours"] > table.loc["merges", "cpu_hours"] > 0
    assert not table.gpu_hours.any()  # the toy models are not worth a card
    assert "nothing to download" in said and "0 calls, 0 dollars" in said
    assert "terms, until the vocabulary is made" in said


def test_the_plan_of_a_finished_study_says_what_it_took(toy_copy):
    said, table = plan(toy_copy)
    assert not table.to_run.any()
    assert table.done.to_dict() == STEPS
    files = toy_copy.glob("results/toy/timings/merges/*.tsv")
    seconds = sum(pd.read_csv(file, sep="\t").s.iloc[0] for file in files)
    assert table.loc["merges", "took_hours_of_done"] == pytest.approx(seconds / 3600)
    assert table.loc["toy_models", "most_memory_mb"] > 300
    assert re.search(r"total +0 +\d+ ", said) and "finished jobs took" in said


def test_the_plan_after_a_change_rests_on_what_the_study_took(toy_copy, edit):
    edit("config/config.yaml", "parameters: {weight: 0.7}", "parameters: {weight: 0.6}")
    _, table = plan(toy_copy)
    assert (table.loc["merges", "to_run"], table.loc["merges", "done"]) == (1, 5)
    assert table.loc["merges", "basis"] == "finished jobs"
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
    assert re.search(r"disk: 0 MB used, 128\.5 GB at the peak", said)  # 2 models and 6 merges of 16.06 GB


def test_jobs_to_run_take_what_those_done_took_in_proportion(tmp_path):
    """Two jobs took 10 s where 4 were expected: the third, of whom 6 are expected, will take 15."""
    jobs = [
        Job("asked", f"asked/{name}", to_run, seconds=seconds, gpu=1, threads=2)
        for name, to_run, seconds in (("a", False, 2), ("b", False, 2), ("c", True, 6))
    ]
    timing(tmp_path, "asked/a", 4, rss=700)
    timing(tmp_path, "asked/b", 6, rss=900)
    row = plans.stages(jobs, str(tmp_path)).iloc[0]
    assert row.gpu_hours == pytest.approx(15 / 3600)
    assert row.cpu_hours == pytest.approx(2 * 15 / 3600)
    assert (row.to_run, row.done, row.basis, row.most_memory_mb) == (1, 2, "finished jobs", 900)
    assert row.estimated_hours_of_done == pytest.approx(4 / 3600)


def test_without_a_job_done_the_rates_alone_count_and_it_says_so(tmp_path):
    row = plans.stages([Job("asked", "asked/c", True, seconds=7200, gpu=2)], str(tmp_path)).iloc[0]
    assert (row.cpu_hours, row.gpu_hours, row.basis) == (2, 4, "rates (rough)")


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
    table = plans.stages([Job("a", "a", True)], "nowhere")
    small = {"now": 0, "peak": 2e9, "free": 1e9}
    assert "NOT ENOUGH" in plans.plan_text(table, [], small, [], [])
    assert "NOT ENOUGH" not in plans.plan_text(table, [], small | {"free": 3e9}, [], [])


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
    jobs = [
        Job("judgements", "judgements/j/a", False, calls=100, judge="j"),
        Job("judgements", "judgements/j/b", True, calls=100, judge="j"),
        Job("controls", "controls/j", False, calls=10 * (3 + 1), judge="j"),
        Job("judgements", "judgements/k/b", True, calls=100, judge="k"),
    ]
    (row,) = plans.calls(study, 100, jobs)
    assert row["calls"] == 100  # one judgement of 100 terms
    controls = [job._replace(to_run=job.rule == "controls") for job in jobs]
    assert [r["calls"] for r in plans.calls(study, 100, controls)] == [10 * (3 + 1)]
    assert [r["calls"] for r in plans.calls(study, 100, [job._replace(to_run=False) for job in jobs])] == [0]


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
        Job("benchmarks", "benchmarks/pubmedqa/a", True, merged_again=("a",)),
        Job("benchmarks", "benchmarks/pubmedqa/b", False, merged_again=("b",)),
        Job("judgements", "judgements/chrf/c", True),  # reads no weights
    ]
    assert plans.remade(jobs, ["a", "b", "c"]) == ["a"]
    assert plans.remade(jobs, ["b", "c"]) == []
    measured = [*jobs, Job("statistics_distances", "distances", True, merged_again=("b",))]
    assert plans.remade(measured, ["a", "b", "c"]) == ["a", "b"]
    (note,) = plans.remade_notes(["a"], [Job("merges", "merges/a", False, seconds=7200)])
    assert note == "1 merge is remade before use, 2.00 hours more: a"


def test_the_plan_of_a_bounded_study_counts_what_is_made_again(toy_copy, tmp_path):
    """The weights of one merge are gone, and one of its benchmarks is to be made anew."""
    weights = list((toy_copy / "results/toy/merges/linear").glob("*.safetensors"))
    assert weights
    for file in weights:
        file.unlink()
    (toy_copy / "results/toy/benchmarks/pubmedqa/linear.json").unlink()
    overlay = tmp_path / "bounded.yaml"
    overlay.write_text(
        "study: {name: toy}\nmerging: {checkpoints: {at_most: 2, keep: [ties]}}\n", encoding="utf-8"
    )
    said, table = plan(toy_copy, "--configfile", str(overlay))
    assert re.search(r"1 merge is remade before use, <?[0-9.]+ hours more: linear", said)
    assert (table.loc["benchmarks", "to_run"], table.loc["merges", "to_run"]) == (1, 0)
