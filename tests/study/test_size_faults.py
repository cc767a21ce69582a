"""Numbers that no study has are refused with their bound, before anything is expanded or asked."""

import time
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT
from lexmerge.study.faults import faults_of
from lexmerge.study.schema import schema

TOO_LARGE = 4294967296  # one more than NumPy takes as a seed


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(PROJECT)


@pytest.fixture
def toy() -> dict:
    toy = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    toy["study"]["merges"] = ["slerp", "evolved_dare_ties"]
    return toy


def changed(toy: dict, place: str, value: object) -> list[str]:
    """The faults of the toy study with another value at a place."""
    *path, last = place.split(".")
    node = toy
    for key in path:
        node = node.setdefault(key, {})
    node[last] = value
    return faults_of(toy)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("study.seed", TOO_LARGE, f"{TOO_LARGE} is too large; at most 4294967295"),
        ("merges.slerp.seed", 2**64, "18446744073709551616 is too large; at most 4294967295"),
        ("merges.slerp.seed", True, "true is not a whole number"),
        (
            "merges.slerp.seed",
            "7",
            "'7' is not a whole number; YAML reads it as text: write 7 without quotes",
        ),
        ("merges.slerp.seed", 1e308, "1e+308 is too large; at most 4294967295"),
        ("merges.evolved_dare_ties.search.workers", 200000, "200000 is too large; at most 1000"),
        ("merges.evolved_dare_ties.search.documents", 10**12, "1000000000000 is too large; at most 1000000"),
        ("merges.evolved_dare_ties.search.population", 1, "1 is too small; at least 2"),
        ("merging.threads", 0, "0 is too small; at least 1"),
        ("merging.threads", 100000, "100000 is too large; at most 1024"),
        ("merging.same_below", "1e-5", "'1e-5' is not a number; YAML reads it as text: write 1e-05"),
        ("definitions.max_new_tokens", 10**20, "100000000000000000000 is too large; at most 1000000"),
        ("definitions.batch_size", 0.5, "0.5 is not a whole number"),
        ("judging.max_cost", -1, "-1 is too small; at least 0"),
        ("judging.rating_sample", 10**9, "1000000000 is too large; at most 100000"),
        ("statistics.margins.judge", 11, "11 is too large; at most 10"),
        ("statistics.known", 0, "0 is too small; it must be more than 0"),
        ("benchmarking.max_length", 10**9, "1000000000 is too large; at most 10000000"),
        ("models.expert.parameters", 1e30, "1e+30 is too large; at most 100000000000000.0"),
        ("study.models", "expert", "'expert' is not a list"),
        ("study.merges", ["slerp", "slerp"], "'slerp' is listed more than once"),
        (
            "vocabulary.filters",
            {"semantic_tags": []},
            "vocabulary.filters.semantic_tags: an empty list; at least 1",
        ),
        ("vocabulary.filters", None, "an empty value is not a mapping"),
        ("models.expert.revision", 20240101, "20240101 is not text; put it in quotes"),
    ],
)
def test_a_value_out_of_bounds_is_one_fault_with_the_bound(toy, place, value, said):
    faults = changed(toy, place, value)
    assert [fault for fault in faults if said in fault and fault.startswith(place)] == faults
    assert len(faults) == 1


def test_seeds_of_a_search_are_bounded_each_and_in_number(toy):
    seeds = "merges.evolved_dare_ties.search.seeds"
    assert changed(toy, seeds, [0, 10**26])[0].startswith(
        f"{seeds}[1]: 100000000000000000000000000 is too large"
    )
    assert changed(toy, seeds, list(range(101))) == [f"{seeds}: 101 entries; at most 100"]
    assert changed(toy, seeds, []) == [f"{seeds}: an empty list; at least 1"]


def test_seeds_times_workers_are_jobs(toy):
    toy["merges"]["evolved_dare_ties"]["search"] |= {"seeds": list(range(50)), "workers": 21}
    assert faults_of(toy) == [
        "merges.evolved_dare_ties.search: seeds times workers make 1050 jobs; at most 1000"
    ]
    toy["merges"]["evolved_dare_ties"]["search"]["workers"] = 20
    assert faults_of(toy) == []


def test_whole_numbers_may_be_written_with_a_point(toy):
    assert changed(toy, "merges.slerp.seed", 4294967295.0) == []


def test_every_number_of_the_schema_has_an_upper_bound():
    def unbounded(node: dict, path: str = "") -> list[str]:
        children = dict(node.get("properties", {}))
        for key, name in (("additionalProperties", "<name>"), ("items", "[]")):
            if isinstance(node.get(key), dict):
                children[name] = node[key]
        numeric = node.get("type") in ("integer", "number")
        here = [path] if numeric and "maximum" not in node else []
        return here + [p for key, child in children.items() for p in unbounded(child, f"{path}.{key}")]

    # Values of a recipe have the bounds of its parameters.
    assert unbounded(schema()) == [
        ".merges.<name>.values.<name>.[]",
        ".merges.<name>.grid.<name>.[].[]",
        ".merges.<name>.search.parameters.<name>.start.[]",
    ]


def sweep(sizes: list[int]) -> dict:
    """A sweep whose placeholders have so many values each."""
    names = [f"p{number}" for number in range(len(sizes))]
    models = [{"model": model, "parameters": {"weight": 1}} for model in ("generalist", "expert")]
    models[0]["parameters"] |= {"weight": "{p0}"}
    parameters = {"lambda": "{p1}"} if len(sizes) > 1 else {}
    for name, entry in zip(names[2:], models, strict=False):
        entry["parameters"]["density"] = f"{{{name}}}"
    recipe = {"merge_method": "ties", "base_model": "ancestor", "models": models, "parameters": parameters}
    grid = {name: [n / size for n in range(1, size + 1)] for name, size in zip(names, sizes, strict=True)}
    return {"recipe": recipe, "grid": grid}


def test_a_sweep_is_counted_before_it_is_expanded(toy):
    toy["merges"]["huge"] = sweep([39, 39, 39, 39])
    toy["study"] |= {"merges": ["huge"], "seed": -1}
    began = time.process_time()
    faults = faults_of(toy)
    assert time.process_time() - began < 5
    assert faults == [
        "study.seed: -1 is too small; at least 0",
        "merges.huge.grid: 39 x 39 x 39 x 39 = 2313441 merges; a study has at most 1000",
    ]


def test_all_sweeps_of_a_study_count_together(toy):
    toy["merges"] |= {"one": sweep([20, 30]), "two": sweep([20, 30])}
    toy["study"]["merges"] = ["one", "two"]
    assert faults_of(toy) == [
        "study.merges: 1200 merges with all points of the sweeps; a study has at most 1000"
    ]
    toy["study"]["merges"] = ["one"]
    assert faults_of(toy) == []


def test_a_sweep_of_the_largest_size_is_checked_in_seconds(toy):
    toy["merges"]["large"] = sweep([10, 10, 10])
    toy["study"]["merges"] = ["large"]
    began = time.process_time()
    assert faults_of(toy) == []
    assert time.process_time() - began < 5
