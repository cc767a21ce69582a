"""A search that cannot be run is refused with the config, and each fault is named."""

import pytest
import yaml
from helpers import PROJECT, study_of
from lexmerge.study.faults import faults_of
from lexmerge.study.selection import overlay

BROKEN = {
    "parameters.density.range: 0.9 is not less than 0.1": {"density": {"range": [0.9, 0.1]}},
    "parameters.density.start: 2 is not in the range from 0 to 1": {"density": {"range": [0, 1], "start": 2}},
    "parameters.density.start: 2 values for 3 blocks": {
        "density": {"range": [0, 1], "blocks": 3, "start": [0, 1]}
    },
    "density: 1.5 is not between 0 and 1": {"density": {"range": [0, 1.5]}},
    "search.parameters.typo: the recipe has no {typo}; allowed: density": {
        "density": {"range": [0, 1]},
        "typo": {"range": [0, 1]},
    },
    "no value for {density}": {},
}
PART = {"task": "pubmedqa", "metric": "acc"}
KARCHER = {
    "merge_method": "karcher",
    "base_model": "generalist",
    "models": [
        {"model": "generalist", "parameters": {"weight": 1}},
        {"model": "expert", "parameters": {"weight": 1}},
    ],
    "parameters": {"max_iter": "{most}"},
}


def study(**changes) -> dict:
    """The toy study with one searched merge, changed."""
    base = yaml.safe_load((PROJECT / "config/config.yaml").read_text(encoding="utf-8"))
    merge = {
        "recipe": {
            "merge_method": "ties",
            "base_model": "ancestor",
            "models": [
                {"model": "generalist", "parameters": {"weight": 1, "density": "{density}"}},
                {"model": "expert", "parameters": {"weight": 1, "density": 0.5}},
            ],
        },
        "search": {
            "parameters": {"density": {"range": [0, 1]}},
            "objective": [{"task": "pubmedqa", "metric": "acc"}],
            "budget": {"evaluations": 9},
        },
    }
    for path, value in changes.items():
        node = merge
        *way, last = path.split("__")
        for key in way:
            node = node[key]
        node[last] = value
    return overlay(base, {"study": {"merges": ["found"]}, "merges": {"found": merge}})


def test_a_search_that_can_be_run_has_no_faults():
    assert faults_of(study()) == []
    found = study_of(study())["merges"]["found"]
    assert found["search"]["objectives"] == {"score": [{"weight": 1, "task": "pubmedqa", "metric": "acc"}]}


@pytest.mark.parametrize("said", BROKEN)
def test_parameters_that_cannot_be_searched_are_named(said):
    faults = faults_of(study(search__parameters=BROKEN[said]))
    assert any(said in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("said", "change"),
    [
        (
            "no selected suite has the task 'pubmedq'; did you mean 'pubmedqa'?",
            {"task": "pubmedq", "metric": "acc"},
        ),
        ("pubmedqa has no 'accuracy'; did you mean 'acc'?", {"task": "pubmedqa", "metric": "accuracy"}),
        ("unknown key; did you mean 'weight'?", {"task": "pubmedqa", "metric": "acc", "wieght": 1}),
    ],
)
def test_objectives_that_cannot_be_scored_are_named(said, change):
    assert any(said in fault for fault in faults_of(study(search__objective=[change])))


def test_a_search_in_a_study_without_benchmarks_is_one_fault():
    changed = study(search__objective={"one": [PART], "two": [PART, PART]})
    changed["study"]["benchmarks"] = []
    (fault,) = faults_of(changed)
    assert fault == (
        "merges.found.search.objective: a search scores its candidates on benchmark tasks, and "
        "study.benchmarks is empty; select the suites of its tasks, or deselect this merge"
    )


@pytest.mark.parametrize("task", ["jcommonsenseqa", "jmedbench_mcqa", "jmedbench_crade"])
def test_an_objective_may_name_a_task_a_group_or_a_task_of_a_group(task):
    assert faults_of(study(search__objective=[{"task": task, "metric": "acc"}])) == []


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("tokenizer: candidates are merged in memory", {"recipe__tokenizer": {"source": "base"}}),
        (
            "9 evaluations cannot cover the start and one generation of 9; at least 10",
            {"search__population": 9},
        ),
        ("objective: all weights are 0", {"search__objective": [PART | {"weight": 0}]}),
        ("pubmedqa has no filter 'strict'", {"search__objective": [PART | {"metric": "acc,strict"}]}),
        ("is not a whole number", {"recipe": KARCHER, "search__parameters": {"most": {"range": [1, 10]}}}),
        ("values.density: the recipe", {"values": {"density": 0.5}}),
        (
            "the gradient [0, 1] would begin anew",
            {
                "recipe__parameters": {"lambda": [0, 1]},
                "search__parameters": {"density": {"range": [0, 1], "blocks": 2}},
            },
        ),
    ],
)
def test_other_faults_of_a_search_are_named(said, changes):
    if "values" in changes:
        said = "search.parameters.density: it is also in `values`"
    assert any(said in fault for fault in faults_of(study(**changes)))


@pytest.mark.parametrize("weight", [["{density}", 0.5], ["0.1", "0.9"], "{ends}"])
def test_gradients_in_any_form_have_no_place_beside_blocks(weight):
    changed = study(search__parameters={"density": {"range": [0, 1], "blocks": 3}})
    changed["merges"]["found"]["recipe"]["models"][0]["parameters"]["weight"] = weight
    if weight == "{ends}":
        changed["merges"]["found"]["grid"] = {"ends": [[0, 1], [1, 0]]}
    assert any("would begin anew in each of the `blocks`" in fault for fault in faults_of(changed))


def test_whole_numbers_may_be_written_as_floats():
    given = study(search__budget={"evaluations": 9.0}, search__seeds=[0.0], search__workers=2.0)
    found = study_of(given)["merges"]["found"]["search"]
    assert [repr(found[key]) for key in ("budget", "seeds", "workers")] == ["{'evaluations': 9}", "[0]", "2"]


def test_blocks_need_a_recipe_without_slices():
    sources = [{"model": m, "layer_range": [0, 3]} for m in ("ancestor", "generalist")]
    sources[1]["parameters"] = {"weight": 1, "density": "{density}"}
    changed = study(search__parameters={"density": {"range": [0, 1], "blocks": 3}})
    content = changed["merges"]["found"]["recipe"]
    del content["models"]
    content["slices"] = [{"sources": sources}]
    assert any("`blocks` make slices, and the recipe has its own" in fault for fault in faults_of(changed))
    del changed["merges"]["found"]["search"]["parameters"]["density"]["blocks"]
    assert faults_of(changed) == []
