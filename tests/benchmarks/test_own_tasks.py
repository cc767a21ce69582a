"""LM Evaluation Harness's own tasks, groups and tags: found as the harness does, loaded from the cache."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from harness_data import environment, fill_cache, write_data_sets
from helpers import PROJECT
from lexmerge.benchmarks.own_tasks import own_columns, own_index, own_leaves
from lexmerge.study.faults import faults_of
from lexmerge.study.schema import schema, with_defaults

# Loads a suite as a job does, and prints what it is.
LOAD = """
import json, sys
from lexmerge.benchmarks.fetched import revisions, user_cache
from lexmerge.benchmarks.suites import ask_other_documents, columns, load_suite, with_documents
from lexmerge.common.errors import StudyError
given = json.loads(sys.argv[1])
user_cache()
try:
    suite = load_suite(given["names"], None, {})
    for task in suite.tasks.values():
        task.set_config("num_fewshot", given.get("shots", task.config.num_fewshot))
    if "searched" in given:
        ask_other_documents(suite, given["searched"], seed=0)
    loaded = with_documents(suite)
    print(json.dumps({
        "tasks": list(suite.tasks),
        "columns": columns(suite),
        "asked": {name: [d.get("question") for d in task.eval_docs] for name, task in suite.tasks.items()},
        "shown": {
            name: [d.get("question") for d in task.sampler.df]
            for name, task in suite.tasks.items()
            if hasattr(task, "sampler")
        },
        "data": loaded.data,
        "revisions": {name: revisions(task) for name, task in suite.tasks.items()},
    }))
except StudyError as error:
    print(json.dumps({"fault": str(error)}))
"""


@pytest.fixture(scope="module")
def data_sets(tmp_path_factory) -> dict[str, Path]:
    return write_data_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def home(data_sets, tmp_path_factory) -> Path:
    """A Hugging Face cache that holds the data sets."""
    folder = tmp_path_factory.mktemp("home")
    fill_cache(folder, data_sets)
    return folder


def loaded(home: Path, *names: str, **given) -> dict:
    """What a job without network loads; it need not have been told that there is none."""
    scripts = str(PROJECT / "workflow/scripts")
    command = [sys.executable, "-c", LOAD, json.dumps({"names": names, **given})]
    offline = environment(home, HF_ENDPOINT="http://127.0.0.1:9", PYTHONPATH=scripts)
    done = subprocess.run(command, env=offline, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def stock():
    """The harness's own index, for which it parses all of its files."""
    from lm_eval.tasks import TaskManager

    return TaskManager()


def test_every_name_is_found_as_the_harness_finds_it(stock):
    """The file of each task and group, and the tasks of each tag."""
    theirs = {name: entry.yaml_path or frozenset(entry.tags) for name, entry in stock.task_index.items()}
    assert own_index() == theirs


def test_groups_and_tags_stand_for_the_harnesss_tasks():
    assert own_leaves(["arc_easy", "ai2_arc"]) == ["arc_easy", "arc_challenge"]
    assert len(own_leaves(["mmlu"])) == 57
    assert own_columns(["mmlu", "ai2_arc", "click_lang"]) == [
        "mmlu",
        "arc_challenge",
        "arc_easy",
        "click_lang",
    ]
    inline = "flan_held_in::anli_r1_flan"  # a group that is defined within another one, as its tasks are
    assert own_columns(["flan_held_in"])[0] == inline
    assert own_leaves(["flan_held_in"])[0] == f"{inline}::anli_r1_prompt-0"


def faults(*suites: dict, **merge) -> list[str]:
    """The faults of the toy study with these suites."""
    config = yaml.safe_load((PROJECT / "config/config.yaml").read_text(encoding="utf-8"))
    named = {f"s{number}": suite for number, suite in enumerate(suites)}
    config["benchmarks"] = named
    config["study"] |= {"benchmarks": list(named), "merges": ["slerp"]}
    if merge:
        config["merges"]["slerp"] = config["merges"]["evolved_dare_ties"]
        config["merges"]["slerp"]["search"] |= merge
    found = faults_of(with_defaults(config, schema()))
    return [fault for fault in found if "benchmarks" in fault or "search" in fault]


def test_a_misspelt_task_group_or_tag_is_a_fault_with_similar_names(monkeypatch):
    monkeypatch.chdir(PROJECT)
    assert faults({"tasks": ["arc_easy", "wmdp", "ai2_arc"]}) == []
    (one, other) = faults({"tasks": ["arc_esy", "mmlu_stm"]})
    assert one.startswith(
        "benchmarks.s0.tasks: LM Evaluation Harness has no task, group or tag 'arc_esy'; did"
    )
    assert "'arc_easy'" in one
    assert "'mmlu_stem'" in other


def test_a_column_stands_in_one_suite_only(monkeypatch):
    monkeypatch.chdir(PROJECT)
    twice = "benchmarks.s1.tasks: 'arc_easy' is already in the suite 's0'; drop one of them"
    assert faults({"tasks": ["arc_easy"]}, {"tasks": ["arc_easy"]}) == [twice]
    assert faults({"tasks": ["arc_easy"]}, {"tasks": ["ai2_arc"]}) == [twice]
    assert faults({"tasks": ["wmdp"]}, {"tasks": ["wmdp_bio"]}) == [], "a group's mean is a column of its own"


def test_a_search_may_be_scored_on_a_task_of_a_tag_but_not_on_the_tag(monkeypatch):
    monkeypatch.chdir(PROJECT)
    suite = {"tasks": ["ai2_arc", "wmdp", "gsm8k"]}
    good = [{"task": task, "metric": "acc"} for task in ("arc_easy", "wmdp")]
    assert faults(suite, objective=good) == []
    (tag,) = faults(suite, objective=[{"task": "ai2_arc", "metric": "acc"}])
    assert "'ai2_arc' is a tag, which has no score; name its tasks: arc_challenge, arc_easy" in tag
    (metric,) = faults(suite, objective=[{"task": "arc_easy", "metric": "exact_match"}])
    assert "arc_easy has no 'exact_match'" in metric
    (by,) = faults(suite, objective=[{"task": "gsm8k", "metric": "exact_match,strict"}])
    assert "did you mean 'strict-match'?" in by


def test_a_task_may_be_listed_beside_its_group_and_its_tag(home):
    found = loaded(home, "wmdp", "wmdp_bio", "arc_easy", "ai2_arc")
    assert sorted(found["tasks"]) == ["arc_challenge", "arc_easy", "wmdp_bio", "wmdp_chem", "wmdp_cyber"]
    assert found["columns"] == ["wmdp", "wmdp_bio", "arc_easy", "arc_challenge"]
    assert found["revisions"]["arc_easy"] == ["c" * 40]
    assert len({found["data"][name]["documents"] for name in found["tasks"]}) == 5


def test_without_network_and_cache_the_error_names_the_task_its_data_set_and_the_remedy(tmp_path):
    said = loaded(tmp_path, "wmdp")["fault"]
    assert said.startswith(
        "benchmarks: the data set cais/wmdp (wmdp-bio) of the task wmdp_bio cannot be loaded: "
    )
    assert f"The cache is {tmp_path / 'datasets'}. Only the cache is read: the hub is out of reach" in said
    assert "m = TaskManager(); [m.load(n) for n in ['wmdp']]" in said


def test_the_remedy_fills_the_cache(data_sets, tmp_path):
    from servers.hub_server import hub

    remedy = loaded(tmp_path, "arc_easy")["fault"].rpartition('python -c "')[2].rstrip('"')
    with hub({}, data_sets=data_sets) as server:
        online = environment(tmp_path, HF_ENDPOINT=server.url)
        subprocess.run([sys.executable, "-c", remedy], env=online, check=True, capture_output=True)
    assert loaded(tmp_path, "arc_easy")["tasks"] == ["arc_easy"]


def test_a_search_asks_documents_that_are_neither_reported_nor_shown(home):
    reported = loaded(home, "arc_easy")
    searched = loaded(home, "arc_easy", searched=5)
    assert all("validation set" in question for question in searched["asked"]["arc_easy"])
    assert searched["data"] != reported["data"]
    assert "fewer than 9" in loaded(home, "arc_easy", searched=9)["fault"]
    # triviaqa reports its validation split, and its solved examples come from the training split
    shown = loaded(home, "triviaqa", searched=1, shots=1)
    assert len(shown["asked"]["triviaqa"]) == 1
    assert len(shown["shown"]["triviaqa"]) == 2
    assert not set(shown["asked"]["triviaqa"]) & set(shown["shown"]["triviaqa"])
    fault = loaded(home, "triviaqa", searched=2, shots=1)["fault"]
    assert "has only 1 documents left for few-shot examples" in fault
    assert (
        "wmdp_bio has only documents that the tables report" in loaded(home, "wmdp_bio", searched=1)["fault"]
    )
