"""A study on LM Evaluation Harness's own tasks, tags and groups, offline, with the scores of the harness."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from harness_data import environment, fill_cache, write_data_sets
from helpers import clone, ended
from lexmerge.common.files import hashes, read_numbers
from tiny_models import llama
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

TASKS = ["arc_challenge", "arc_easy", "wmdp", "wmdp_bio", "click", "triviaqa", "winogrande"]
SUITES = {
    "science": {"tasks": ["ai2_arc"], "limit": 3},  # a tag
    "safety": {"tasks": ["wmdp", "wmdp_bio"]},  # a group, and one of its tasks
    # a group of groups, a task that generates, and one with a context for each option
    "mixed": {"tasks": ["click", "triviaqa", "winogrande"]},
}
FOUND = {
    "recipe": {
        "merge_method": "linear",
        "models": [
            {"model": "landlubber", "parameters": {"weight": {"w": None}}},
            {"model": "skipper", "parameters": {"weight": 0.5}},
        ],
        "dtype": "float32",
        "out_dtype": "bfloat16",
    },
    "search": {
        "parameters": {"w": {"range": [0.1, 1.5], "start": 0.5}},
        "objective": [
            {"task": "arc_easy", "metric": "acc"},
            {"task": "winogrande", "metric": "acc"},
            {"task": "triviaqa", "metric": "exact_match"},
        ],
        "documents": 3,
        "population": 4,
        "budget": {"evaluations": 5},
    },
}
# The harness alone, with its own index and its own back end.
STOCK = """
import json, sys
import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
folder, out = sys.argv[1:]
model = HFLM(folder, dtype="float32", softmax_dtype="float32", device="cpu", batch_size=16, max_length=2048)
manager, found = TaskManager(), {}
for names, limit in ((["ai2_arc"], 3), (["wmdp"], None), (["click", "triviaqa", "winogrande"], None)):
    run = lm_eval.simple_evaluate(model, tasks=names, limit=limit, task_manager=manager, bootstrap_iters=0)
    found |= run["results"] | run.get("groups", {})
numbers = {n: {k: v for k, v in values.items() if isinstance(v, float)} for n, values in found.items()}
json.dump(numbers, open(out, "w"))
"""


def of_bytes(folder: Path, seed: int) -> None:
    """A tiny model that reads and writes any text, byte by byte."""
    llama(folder, seed, vocab_size=257)
    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<end>"]
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(folder)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A clone with two models and the study `own`, whose config selects the suites above."""
    folder = clone(tmp_path_factory.mktemp("harness") / "lexmerge")
    for seed, name in enumerate(("skipper", "landlubber")):
        of_bytes(folder / "models" / name, seed)
    config = yaml.safe_load((folder / "tests/data/sailing/study.yaml").read_text(encoding="utf-8"))
    config["study"] |= {"name": "own", "benchmarks": list(SUITES), "merges": ["found"]}
    config["benchmarks"], config["merges"]["found"] = SUITES, FOUND
    (folder / "own.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    settings = "benchmarking: {batch_size: 2, share_prefix: false}\n"
    (folder / "settings.yaml").write_text(settings, encoding="utf-8")
    return folder


def snakemake(study: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the study without network, with the Hugging Face cache at `home`."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    if "--configfile" not in arguments:
        command += ["--configfile", "own.yaml"]
    offline = environment(home, HF_HUB_OFFLINE="1")
    return subprocess.run(command, cwd=study, env=offline, capture_output=True, text=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    fill_cache(folder, write_data_sets(tmp_path_factory.mktemp("sets")))
    return folder


@pytest.fixture(scope="module")
def own(study, home) -> Path:
    """The results of the study."""
    done = snakemake(study, home, "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return study / "results/own"


@pytest.mark.parametrize("more", [(), ("settings.yaml",)], ids=["no settings", "settings"])
def test_it_is_planned(study, home, more):
    files = ("--configfile", "own.yaml", *more)
    dry = snakemake(study, home, "-n", "--forceall", *files)
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", dry.stdout, re.M))
    assert (jobs["benchmarks"], "benchmark_data" in jobs) == ("9", False)
    plan = snakemake(study, home, "plan", "--cores", "1", "--forcerun", "plan", *files)
    said = plan.stdout + plan.stderr
    assert "assumed: science: 3 documents in each of its tasks (2), because only the harness knows" in said
    assert "assumed: safety: 1000 documents in each of its tasks (3)" in said
    assert "assumed: mixed: 1000 documents in each of its tasks (13)" in said


def test_without_a_cache_it_ends_with_the_data_set_the_task_and_the_remedy(study, tmp_path):
    target = "results/own/benchmarks/safety/skipper.json"
    done = snakemake(study, tmp_path, "--cores", "1", target)
    assert done.returncode
    said = done.stdout + done.stderr
    assert "the data set cais/wmdp (wmdp-bio) of the task wmdp_bio cannot be loaded" in said
    assert str(tmp_path / "datasets") in said
    assert "m.load(n) for n in ['wmdp', 'wmdp_bio']" in said


def test_every_score_is_the_harnesss(study, own, home, tmp_path):
    command = [sys.executable, "-c", STOCK, str(own / "models/skipper"), str(tmp_path / "stock.json")]
    subprocess.run(command, env=environment(home, HF_HUB_OFFLINE="1"), check=True, capture_output=True)
    stock = json.loads((tmp_path / "stock.json").read_text(encoding="utf-8"))
    row = read_numbers(own / "tables/benchmarks.tsv").set_index("model").loc["skipper"]
    expected = {
        f"{name}_{key.split(',')[0]}": value
        for name in TASKS
        for key, value in stock[name].items()
        if not key.split(",")[0].endswith("_stderr")
    }
    assert row.to_dict() == pytest.approx(expected, abs=5e-5)
    assert 0 < row["wmdp_acc"] < 1, "a score that says something"


def test_its_tables_statistics_and_report_have_every_column(own):
    columns = list(read_numbers(own / "tables/benchmarks.tsv"))[1:]
    assert [c.rsplit("_acc")[0].removesuffix("_exact_match") for c in columns] == [
        *("arc_challenge", "arc_challenge", "arc_easy", "arc_easy", "wmdp", "wmdp_bio", "click", "click"),
        *("triviaqa", "winogrande"),
    ]
    scores = read_numbers(own / "tables/benchmark_scores.tsv")
    assert set(scores.column) == set(columns)
    whole = scores[scores.task.isna() & (scores.model == "found")].set_index("column")
    assert whole.n.to_dict() == {
        **{f"arc_{part}_{metric}": 3 for part in ("easy", "challenge") for metric in ("acc", "acc_norm")},
        **{
            "wmdp_acc": 15,
            "wmdp_bio_acc": 4,
            "click_acc": 21,
            "click_acc_norm": 21,
            "triviaqa_exact_match": 4,
            "winogrande_acc": 4,
        },
    }
    assert set(whole.limit.dropna().index) == {c for c in columns if c.startswith("arc_")}
    assert whole.ci_low.notna().all()
    members = scores[(scores.column == "wmdp_acc") & (scores.model == "found") & scores.task.notna()]
    assert dict(zip(members.task, members.n, strict=True)) == {"wmdp_bio": 4, "wmdp_chem": 5, "wmdp_cyber": 6}
    for table in ("tables/validity.tsv", "statistics/comparisons.tsv"):
        found = read_numbers(own / table)
        assert set(found[found.kind == "benchmark"].measure) == set(columns), table
    page = (own / "report/index.html").read_text(encoding="utf-8")
    assert "click acc_norm" in page


def test_its_results_say_which_documents_were_read(own):
    results = json.loads((own / "benchmarks/safety/found.json").read_text(encoding="utf-8"))
    assert results["data_revisions"] == {task: ["c" * 40] for task in ("wmdp_bio", "wmdp_chem", "wmdp_cyber")}
    assert {len(known["documents"]) for known in results["data_sha256"].values()} == {64}
    assert results["configs"]["wmdp_bio"]["dataset_path"] == "cais/wmdp"


def test_its_search_was_scored_on_other_documents_than_the_tables(own):
    scores = json.loads((own / "search/found/scores.json").read_text(encoding="utf-8"))
    assert scores["seeds"][0]["scored_again"]
    table = read_numbers(own / "tables/benchmarks.tsv").set_index("model").loc["found"]
    assert scores["seeds"][0]["held_out"]["scores"]["triviaqa"]["exact_match"] == pytest.approx(
        table["triviaqa_exact_match"], abs=5e-5
    )


def test_nothing_is_run_again_and_other_documents_are_run_again(study, own, home, tmp_path):
    dry = snakemake(study, home, "-n")
    assert "Nothing to be done" in dry.stdout + dry.stderr
    kept = {file.name for file in (own / "journal/benchmarks/safety/found").iterdir()}
    sets = write_data_sets(tmp_path / "sets")
    cyber = sets["cais/wmdp"] / "wmdp-cyber/test.jsonl"
    cyber.write_text(cyber.read_text(encoding="utf-8").replace("dose", "share"), encoding="utf-8")
    fill_cache(tmp_path / "home", sets)
    before = hashes(str(own / "benchmarks/safety"))
    target = "results/own/benchmarks/safety/found.json"
    done = snakemake(study, tmp_path / "home", "--cores", "1", "--force", target)
    assert ended(done) == ["benchmarks safety found"], done.stdout + done.stderr
    now = {file.name for file in (own / "journal/benchmarks/safety/found").iterdir()}
    assert kept < now
    assert [name.split(".")[0] for name in now - kept] == ["wmdp_cyber"], "the other tasks' results are kept"
    assert hashes(str(own / "benchmarks/safety")) != before
    shutil.rmtree(tmp_path / "home")
