"""A bounded disk: never more merges than it has room for, the same results, and the same plans as without."""

import re
import shutil

import pytest
from helpers import DISTANCES, pending, snakemake
from lexmerge.common.files import read_jsonl, read_notes, read_numbers, read_tsv
from lexmerge.merges.checkpoint_pool import removed_merges
from merges_on_disk import Sampler, weights

MERGES = ["slerp", "linear", "ties"]
STUDY = """
study:
  name: toy
  merges: [slerp, linear, ties]
  judges: [chrf]
  benchmarks: [pubmedqa]
definitions:
  prompts: {en: resources/prompts/definition.en.txt, ja: resources/prompts/definition.ja.txt}
"""
BOUNDED = f"{STUDY}merging: {{checkpoints: {{at_most: 2, keep: [ties]}}}}\n"
MORE = f"""{BOUNDED.replace("[pubmedqa]", "[pubmedqa, more]")}
benchmarks:
  more: {{folder: resources/benchmarks/japanese_leaderboard, tasks: [xwinograd], data: {{source: toy}}}}
"""


@pytest.fixture(scope="module")
def bounded(toy_run, tmp_path_factory) -> dict:
    """A study of three merges on a disk for two, to the report; its parents are those of the toy study."""
    folder = shutil.copytree(toy_run, tmp_path_factory.mktemp("bounded") / "lexmerge", symlinks=True)
    toy = folder / "results/toy"
    for merge in (f.name for f in list((toy / "merges").iterdir())):
        shutil.rmtree(toy / "merges" / merge)
        for file in toy.glob(f"**/{merge}.*"):
            file.unlink()
    for name, text in {"study": STUDY, "bounded": BOUNDED, "more": MORE}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    with Sampler(toy / "merges") as sampler:
        done = snakemake(folder, "--cores", "2", "--configfile", "bounded.yaml")
    return {"folder": folder, "sampler": sampler, "said": done.stdout + done.stderr}


def test_there_are_never_more_merges_than_may_be(bounded):
    assert bounded["sampler"].seen == set(MERGES)
    assert bounded["sampler"].most == 2
    merges = bounded["folder"] / "results/toy/merges"
    assert weights(merges) == {"ties"}
    assert removed_merges(merges.parent, MERGES) == ["slerp", "linear"]
    assert (merges / "slerp/config.json").exists()
    assert (merges / "slerp/tokenizer.json").exists()
    assert not list((merges / ".pool/leases").glob("*/*"))


def test_depth_comes_first_so_that_nothing_is_made_twice(bounded):
    assert "is remade" not in bounded["said"]


def test_the_results_are_those_of_the_study_that_keeps_all(bounded, toy):
    ours = bounded["folder"] / "results/toy"
    for merge in MERGES:
        for file in (f"merges/{merge}/provenance.json", f"definitions/{merge}.jsonl"):
            assert (ours / file).read_bytes() == (toy / file).read_bytes(), file
        file = f"benchmarks/pubmedqa/{merge}.samples.jsonl"
        assert read_jsonl(ours / file) == read_jsonl(toy / file)
    for table, keys in {"definition_scores": ["model", "judge"], "benchmarks": ["model"]}.items():
        found, known = (read_tsv(f / f"tables/{table}.tsv").set_index(keys) for f in (ours, toy))
        assert set(MERGES) < set(found.index.get_level_values("model"))
        assert found.equals(known.loc[found.index, found.columns]), table


def test_the_distances_are_those_of_what_is_kept_and_say_so(bounded):
    toy = bounded["folder"] / "results/toy"
    table = read_numbers(toy / "statistics/distances.tsv")
    assert {*table.model_a, *table.model_b} == {"expert", "generalist", "ties"}
    assert read_notes(toy / "statistics/distances.tsv")[-1] == (
        "not measured because their weights are not kept (merging.checkpoints): slerp, linear"
    )
    page = (toy / "report/index.html").read_text(encoding="utf-8")
    assert "Not measured: slerp, linear." in page
    assert "slerp, linear, so their rows below" not in page


def test_a_second_run_has_nothing_to_do_and_says_what_is_removed(bounded):
    assert pending(bounded["folder"], "--configfile", "bounded.yaml") == set()
    planned = snakemake(bounded["folder"], "-n", "--configfile", "bounded.yaml")
    assert "Nothing to be done" in planned.stdout + planned.stderr
    assert (
        "note: the weights of 2 of 3 merges were removed (merging.checkpoints): slerp, linear;"
        in planned.stderr
    )


def test_dropping_the_setting_renews_the_distances_and_the_report(bounded):
    renewed = DISTANCES | {"study.yaml", "report/index.html"}
    assert pending(bounded["folder"], "--configfile", "study.yaml") == renewed


def test_setting_it_in_a_finished_study_renews_the_distances_and_the_report(toy_copy, edit):
    edit("config/config.yaml", "vocabulary:\n", "merging: {checkpoints: {at_most: 1}}\nvocabulary:\n")
    assert pending(toy_copy) == DISTANCES | {"study.yaml", "report/index.html"}


def test_a_new_benchmark_makes_again_what_it_reads(bounded):
    """Comes after the tests of what the first run left."""
    folder = bounded["folder"]
    merges = folder / "results/toy/merges"
    before = {file: file.stat().st_mtime_ns for file in merges.glob("[!.]*/*.json")}
    models = ["expert", "generalist", *MERGES]
    cells = {f"benchmarks/more/{model}{end}" for model in models for end in (".json", ".samples.jsonl")}
    final = {
        *("study.yaml", "report/index.html", "tables/benchmarks.tsv", "tables/benchmark_scores.tsv"),
        *("tables/validity.tsv", "statistics/comparisons.tsv"),
        *(f"figures/differences.{kind}" for kind in ("svg", "png", "pdf")),
        *(f"tables/{t}.{k}" for t in ("definition_scores", "benchmarks", "verdicts") for k in ("md", "tex")),
    }
    data = {f"benchmark_data/more/xwinograd/{split}.jsonl" for split in ("test", "train")}
    assert pending(folder, "--configfile", "more.yaml") == cells | data | final
    targets = [f"results/toy/{cell}" for cell in sorted(cells)]
    with Sampler(merges) as sampler:
        done = snakemake(folder, *targets, "--cores", "2", "--configfile", "more.yaml")
    assert sorted(re.findall(r"lexmerge: (\w+) is remade", done.stdout + done.stderr)) == [
        *("linear", "slerp")
    ]
    log = (folder / "results/toy/logs/benchmarks/more/slerp.log").read_text(encoding="utf-8")
    assert "slerp is remade: its weights were removed" in log
    assert sampler.seen == set(MERGES)
    assert sampler.most == 2
    assert weights(merges) == {"ties"}
    assert {file: file.stat().st_mtime_ns for file in merges.glob("[!.]*/*.json")} == before
    assert pending(folder, "--configfile", "more.yaml") == final
