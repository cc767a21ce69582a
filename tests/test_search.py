"""The search: reproducible, kept through any kill, honest about luck, and what it scores is what is saved."""

import json
import math
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from lexmerge.benchmarks.suites import ask_other_documents
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, read_numbers, write_jsonl
from lexmerge.merges.recipes import in_blocks
from lexmerge.search import evaluations
from lexmerge.search.candidates import Part, _among_options, mean_gold, value_of
from lexmerge.search.evaluations import Evaluations
from lexmerge.search.history import best, front, winning_seed
from lexmerge.search.live_model import LiveModel, Unusable
from lexmerge.search.optimisers import CmaEs, Nsga2
from lexmerge.search.space import Space
from lexmerge.study.config import faults_of, load, overlay
from lexmerge.study.recipe_faults import methods
from lexmerge.study.search_faults import population_of
from safetensors.torch import load_file, save_file
from search import can_be_merged, histories, interruption, layers_of
from search_data import split
from search_recipes import same_everywhere
from test_merging import SETTINGS, family, llama, merged, recipe

PROJECT = Path(__file__).parents[1]
MERGE = "evolved_dare_ties"
__all__ = ["family"]  # a fixture


# What may be chosen


def test_blocks_become_mergekits_slices():
    """Five layers in two blocks: round(2.5) is 2 in Python, so layers 0 and 1, and 2 to 4."""
    blocked = {
        "merge_method": "ties",
        "base_model": "base",
        "models": [{"model": "a", "parameters": {"weight": {"w": None}, "density": "{d}"}}, {"model": "b"}],
        "parameters": {"lambda": "{l}", "normalize": True},
        "dtype": "float32",
    }
    assert in_blocks(blocked, {"w": [0.1, 0.2], "d": 0.9, "l": 1.0}, layers=5, adds_base=True) == {
        "merge_method": "ties",
        "base_model": "base",
        "dtype": "float32",
        "slices": [
            {
                "sources": [
                    {"model": "a", "layer_range": [start, end], "parameters": {"weight": w, "density": 0.9}},
                    {"model": "b", "layer_range": [start, end]},
                    {"model": "base", "layer_range": [start, end]},
                ],
                "parameters": {"lambda": 1.0, "normalize": True},
            }
            for start, end, w in ((0, 2, 0.1), (2, 5, 0.2))
        ],
    }


def test_blocks_of_different_number_are_cut_at_every_edge():
    content = {"merge_method": "slerp", "base_model": "a", "models": [{"model": "a"}, {"model": "b"}]}
    content["parameters"] = {"t": "{t}", "u": "{u}"}
    found = in_blocks(content, {"t": [0.1, 0.2], "u": [1, 2, 3]}, layers=6, adds_base=True)
    assert [s["sources"][0]["layer_range"] for s in found["slices"]] == [[0, 2], [2, 3], [3, 4], [4, 6]]
    assert [s["parameters"] for s in found["slices"]] == [
        {"t": 0.1, "u": 1},
        {"t": 0.1, "u": 2},
        {"t": 0.2, "u": 2},
        {"t": 0.2, "u": 3},
    ]


def test_without_blocks_the_recipe_keeps_its_form():
    content = {"merge_method": "linear", "models": [{"model": "a", "parameters": {"weight": "{w}"}}]}
    assert in_blocks(content, {"w": 0.25}, layers=9, adds_base=False)["models"] == [
        {"model": "a", "parameters": {"weight": 0.25}}
    ]


def test_a_point_is_a_value_for_each_block():
    space = Space({"w": {"range": [0, 2], "blocks": 3, "start": [0, 1, 2]}, "d": {"range": [0.2, 0.6]}})
    assert space.start().tolist() == pytest.approx([0, 0.5, 1, 0.5])
    assert space.values(np.array([0.1, 2, -1, 0.25])) == {"w": [0.2, 2.0, 0.0], "d": 0.3}
    small = Space({"eps": {"range": [1e-8, 4e-7]}})
    assert small.values(np.array([0.0])) == {"eps": 1e-8}
    assert small.values(np.array([1 / 3])) == {"eps": 1.4e-7}


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
    found = load({"study": study()["study"], "merges": study()["merges"]}, study())["merges"]["found"]
    assert found["search"]["objectives"] == {"score": [{"weight": 1, "task": "pubmedqa", "metric": "acc"}]}


@pytest.mark.parametrize("said", BROKEN)
def test_parameters_that_cannot_be_searched_are_named(said):
    faults = faults_of(study(search__parameters=BROKEN[said]))
    assert any(said in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("said", "change"),
    [
        (
            "no suite of the study has 'pubmedq'; did you mean 'pubmedqa'?",
            {"task": "pubmedq", "metric": "acc"},
        ),
        ("pubmedqa has no 'accuracy'; did you mean 'acc'?", {"task": "pubmedqa", "metric": "accuracy"}),
        ("unknown key; did you mean 'weight'?", {"task": "pubmedqa", "metric": "acc", "wieght": 1}),
    ],
)
def test_objectives_that_cannot_be_scored_are_named(said, change):
    assert any(said in fault for fault in faults_of(study(search__objective=[change])))


@pytest.mark.parametrize("task", ["jcommonsenseqa", "jmedbench_mcqa", "jmedbench_crade"])
def test_an_objective_may_name_a_task_a_group_or_a_task_of_a_group(task):
    assert faults_of(study(search__objective=[{"task": task, "metric": "acc"}])) == []


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("tokenizer: candidates are merged in memory", {"recipe__tokenizer": {"source": "base"}}),
        ("9 are not one generation of 9 after the start; at least 10", {"search__population": 9}),
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
        said = "search.parameters.density: it is under `values` too"
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
    found = load({key: given[key] for key in ("study", "merges")}, given)["merges"]["found"]["search"]
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


# How it is chosen


def sphere(point: np.ndarray) -> float:
    return -float(((point - 0.3) ** 2).sum())


def asked(
    optimiser: object, generations: int, fitness=lambda p: (sphere(p),), disturb: int = 0
) -> np.ndarray:
    found = []
    for generation in range(generations):
        points = optimiser.ask()
        found += points
        np.random.seed(disturb + generation)  # as the harness does in between
        optimiser.tell([fitness(point) for point in points])
    return np.array(found)


@pytest.mark.parametrize("size", [1, 2, 12])
def test_cma_es_finds_the_top_of_a_hill(size):
    points = asked(CmaEs(np.full(size, 0.8), 1 / 6, population_of(size), seed=1), 60)
    assert max(map(sphere, points)) > -1e-2
    assert ((points >= 0) & (points <= 1)).all()


@pytest.mark.parametrize("kind", ["cma", "nsga2"])
def test_what_is_asked_depends_on_the_seed_and_the_answers_alone(kind):
    def make(seed: int) -> object:
        start = np.full(3, 0.5)
        return CmaEs(start, 0.2, 6, seed) if kind == "cma" else Nsga2(3, 2, 6, seed)

    fitness = (lambda p: (sphere(p),)) if kind == "cma" else (lambda p: (sphere(p), p[0]))
    once = asked(make(0), 5, fitness)
    assert (once == asked(make(0), 5, fitness, disturb=99)).all()
    assert not (once == asked(make(1), 5, fitness)).all()


def test_cma_es_looks_at_the_order_of_the_fitness_only():
    one = asked(CmaEs(np.full(3, 0.5), 0.2, 6, 0), 6)
    other = asked(CmaEs(np.full(3, 0.5), 0.2, 6, 0), 6, lambda p: (math.exp(50 * sphere(p)),))
    assert (one == other).all()


def test_failed_candidates_are_left_behind():
    """Half of the space fails; the best that is left is found."""
    points = asked(CmaEs(np.full(2, 0.4), 0.2, 8, 0), 40, lambda p: None if p[0] > 0.45 else (float(p[0]),))
    assert 0.4 < max(p[0] for p in points[-8:]) <= 0.5


def test_nsga_2_finds_the_trade_between_two_hills():
    """Schaffer's problem: f1 = x², f2 = (x - 2)², with the front from x = 0 to 2; here x is -2 to 4."""

    def schaffer(point: np.ndarray) -> tuple[float, float]:
        x = -2 + 6 * float(point[0])
        return -(x**2), -((x - 2) ** 2)

    points = asked(Nsga2(1, 2, 16, 0), 20, schaffer)
    ahead = [-2 + 6 * points[k][0] for k in front([schaffer(p) for p in points])]
    assert min(ahead) > -0.05
    assert max(ahead) < 2.05
    assert max(ahead) - min(ahead) > 1.8


def test_the_front_has_what_no_other_beats():
    fitness = [(1, 5), (2, 4), (2, 3), None, (3, 1), (0, 5), (2, 4)]
    assert front(fitness) == [0, 1, 4]


SEARCH = {
    "parameters": {"w": {"range": [0, 1], "blocks": 2}},
    "objectives": {"score": []},
    "sigma": 0.2,
    "population": 4,
    "budget": {"evaluations": 10},
}


def scored(values: list[dict], seconds: float = 1.0) -> list[dict]:
    return [
        {
            "status": "ok",
            "fitness": [-abs(v["w"][0] - 0.3)],
            "seconds": {"merge": seconds, "evaluation": 0.0},
        }
        for v in values
    ]


def last(search: dict, evaluate_all=scored, seed: int = 0) -> list[dict]:
    return list(histories(search, seed, evaluate_all))[-1]


def test_a_search_spends_its_budget_to_the_last_evaluation():
    """The start, two generations of four, and one more."""
    assert [row["generation"] for row in last(SEARCH)] == [0, 1, 1, 1, 1, 2, 2, 2, 2, 3]
    assert last(SEARCH)[0]["values"] == {"w": [0.5, 0.5]}


def test_a_search_ends_when_its_hours_are_over():
    """After the start and one generation five half hours are spent, which is more than two."""
    budget = {"budget": {"evaluations": 100, "hours": 2}}
    assert len(last(SEARCH | budget, lambda values: scored(values, 1800.0))) == 5


def test_a_larger_budget_goes_on_with_the_same_candidates():
    more = last(SEARCH | {"budget": {"evaluations": 30}})
    assert more[:9] == last(SEARCH)[:9]


def test_the_best_is_the_first_with_the_highest_fitness():
    ok = [{"status": "ok", "fitness": [value]} for value in (0.1, 0.4, 0.4)]
    failed = {"status": "failed", "fitness": None}
    assert best([failed, *ok]) is ok[1]
    assert best([failed]) is None
    assert winning_seed({3: ok[:1], 5: ok}) == 5


@pytest.mark.parametrize(("known", "named"), [([1, 1, 1, 0, 0], 8), ([1, 1, 0, 1, 0], None), ([0] * 5, 5)])
def test_the_message_names_a_budget_only_where_it_gives_the_best_so_far(known, named, tmp_path):
    """Five evaluations are done, the best of them last, or the last of those of the next generation."""
    search = {"parameters": {"w": {"range": [0, 1]}}, "population": 4}
    params = {"search": search, "folders": {}, "journal": str(tmp_path)}
    done = [{"status": "ok", "fitness": [n], "score": [n], "recipe": {"n": n}} for n in range(5)]
    answers = [
        {"status": "ok", "fitness": [5 + n], "score": [5 + n]} if k else None for n, k in enumerate(known)
    ]
    said = interruption(done, [({"n": 5 + n}, a) for n, a in enumerate(answers)], params, 0)
    assert (f"`budget: {{evaluations: {named}}}`" in said) if named else ("budget" not in said)
    best_of_all = max([n for n, k in enumerate(known) if k], default=-1) + 5
    assert yaml.safe_load((tmp_path / "best.0.yaml").read_text()) == {"n": best_of_all}


# Kept, and shared


def request(n: int) -> dict:
    return {"of": "x", "recipe": n}


def test_workers_share_the_work_and_agree(tmp_path):
    done: list[tuple[int, int]] = []

    def work(worker: int, found: dict) -> None:
        known = Evaluations(tmp_path, worker)

        def evaluate(asked: dict) -> dict:
            done.append((worker, asked["recipe"]))
            time.sleep(0.05)
            return {"value": asked["recipe"] ** 2}

        found[worker] = known.all([request(n) for n in range(12)], evaluate, lambda: None)

    found: dict[int, list] = {}
    threads = [threading.Thread(target=work, args=(worker, found)) for worker in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [found[worker] for worker in range(3)] == [[{"value": n**2} for n in range(12)]] * 3
    assert sorted(n for _, n in done) == list(range(12)), "each was evaluated once"
    assert len({worker for worker, _ in done}) == 3, "and all have worked"


@pytest.mark.parametrize("holder", ["0", "7", "1"])
def test_the_candidate_of_a_worker_that_is_gone_is_taken_over(holder, tmp_path, monkeypatch):
    """0 is this worker before it was killed, 7 one that the search has no more, 1 one that was killed."""
    from lexmerge.common.journal import key_of

    monkeypatch.setattr(evaluations, "STALE", 0.3)
    monkeypatch.setattr(evaluations, "LOOK_AGAIN", 0.1)
    known = Evaluations(tmp_path, 0)
    (tmp_path / "claims" / key_of(request(1))[:16]).write_text(holder)
    assert known.all([request(1)], lambda _: {"value": 1}, lambda: None) == [{"value": 1}]
    assert not list((tmp_path / "claims").iterdir())


def test_a_claim_that_is_renewed_is_left_alone(tmp_path, monkeypatch):
    from lexmerge.common.journal import key_of

    monkeypatch.setattr(evaluations, "STALE", 0.4)
    monkeypatch.setattr(evaluations, "LOOK_AGAIN", 0.05)
    claim = tmp_path / "claims" / key_of(request(1))[:16]
    mine, theirs = Evaluations(tmp_path, 0), Evaluations(tmp_path, 1)
    claim.write_text("1")

    def slowly() -> None:
        for _ in range(10):
            time.sleep(0.1)
            claim.touch()
        theirs._own.add(request(1), {"value": "theirs"})

    thread = threading.Thread(target=slowly)
    thread.start()
    assert mine.all([request(1)], lambda _: {"value": "mine"}, lambda: None) == [{"value": "theirs"}]
    thread.join()


def test_half_a_line_of_another_worker_is_left_for_later(tmp_path):
    theirs = Evaluations(tmp_path, 1)
    theirs._own.add(request(1), {"value": "theirs"})
    whole = (tmp_path / "1.jsonl").read_bytes()
    (tmp_path / "1.jsonl").write_bytes(whole + whole[:20])
    mine = Evaluations(tmp_path, 0)
    said = mine.all([request(1), request(2)], lambda asked: {"value": asked["recipe"]}, lambda: None)
    assert said == [{"value": "theirs"}, {"value": 2}]


def test_histories_that_differ_are_refused(tmp_path):
    files = [tmp_path / "0.0.jsonl", tmp_path / "0.1.jsonl", tmp_path / "1.0.jsonl"]
    for file in files:
        write_jsonl(file, [{"evaluation": 0}])
    same_everywhere([str(file) for file in files])
    write_jsonl(files[1], [{"evaluation": 1}])
    with pytest.raises(StudyError, match="are not the same search"):
        same_everywhere([str(file) for file in files])


# What is scored is what is saved


@pytest.mark.parametrize("method", methods())
def test_in_memory_every_method_gives_the_bits_that_are_saved(method, family, tmp_path):
    content = recipe(method, family)
    saved = merged(tmp_path, content, family["base"], seed=7)
    live = LiveModel(content, 7, SETTINGS, family["base"], "float32", "cpu")
    live.become(content)
    parameters = dict(live.model.named_parameters())
    for name, tensor in load_file(saved / "model.safetensors").items():
        assert torch.equal(parameters[name], tensor.float()), name
    assert live.differs_from(content, str(saved)) is None


def test_one_bit_that_differs_is_found(family, tmp_path):
    content = recipe("dare_ties", family)
    saved = merged(tmp_path, content, family["base"], seed=7)
    live = LiveModel(content, 7, SETTINGS, family["base"], "float32", "cpu")
    tensors = load_file(saved / "model.safetensors")
    tensors["model.norm.weight"].view(torch.int16)[3] ^= 1
    save_file(tensors, saved / "model.safetensors", {"format": "pt"})
    assert live.differs_from(content, str(saved)) == "model.norm.weight"


def test_a_candidate_is_the_same_whatever_came_before_it(family):
    live = LiveModel(recipe("dare_ties", family), 7, SETTINGS, family["base"], "float32", "cpu")
    kept = []
    for method in ("dare_ties", "ties", "dare_ties"):
        live.become(recipe(method, family))
        kept.append({name: value.clone() for name, value in live.model.named_parameters()})
    assert all(torch.equal(kept[0][name], kept[2][name]) for name in kept[0])
    assert not all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


def test_weights_that_are_no_numbers_make_a_candidate_unusable(family):
    content = recipe("linear", family, normalize=False)
    live = LiveModel(content, 7, SETTINGS, family["base"], "float32", "cpu")
    content["models"][0]["parameters"]["weight"] = 1e42
    with pytest.raises(Unusable, match="NaN or infinite values in "):
        live.become(content)


def test_models_of_different_depth_have_no_blocks_in_common(family, tmp_path):
    deep = str(llama(tmp_path / "deep", 5, num_hidden_layers=3))
    content, folders = recipe("ties", family), {**{path: path for path in family.values()}, deep: deep}
    content["models"][1]["model"] = deep
    assert layers_of(content, folders, {"w": {"range": [0, 1]}}) == 2
    with pytest.raises(StudyError, match=r"search\.parameters\.w\.blocks: 2, and .*deep has 3 layers where"):
        layers_of(content, folders, {"w": {"range": [0, 1], "blocks": 2}})
    with pytest.raises(StudyError, match=r"w\.blocks: 3 blocks, and .*base has 2 layers; at most as many"):
        layers_of(recipe("ties", family), folders, {"w": {"range": [0, 1], "blocks": 3}})


def test_what_the_merge_would_refuse_is_refused_before_the_search(family, tmp_path):
    content = recipe("ties", family)
    can_be_merged(content, family["base"])
    with pytest.raises(StudyError, match="give this recipe a `tokenizer` of its own"):
        can_be_merged(content, str(llama(tmp_path / "other", 6, vocab_size=14)))
    content["models"][1]["model"] = str(llama(tmp_path / "tied", 7, tie_word_embeddings=True))
    with pytest.raises(StudyError, match="search: the models cannot be merged by this recipe:\n  - "):
        can_be_merged(content, family["base"])


# What a candidate is worth


def test_the_probability_of_the_right_answer_is_that_among_the_options():
    """exp(-1) / (exp(-1) + exp(-2) + exp(-2)) for one right answer, and the rest for the two others."""
    sample = {"resps": [[(-1.0, True)], [(-2.0, False)], [(-2.0, False)]], "target": 0, "doc": {}}
    share = math.exp(-1) / (math.exp(-1) + 2 * math.exp(-2))
    sample["resps"] += [[(-0.1, False)]] * 3  # as of a metric that asks for the options without the question
    task = SimpleNamespace(doc_to_choice=lambda doc: ["yes", "no", "maybe"])
    assert _among_options(task, sample) == pytest.approx(math.log(share))
    other = sample | {"target": ["no", "maybe"]}
    assert _among_options(task, other) == pytest.approx(math.log(1 - share))


def test_of_a_text_that_is_to_be_written_a_characters_probability_counts():
    task = SimpleNamespace(
        task_name="t", OUTPUT_TYPE="generate_until", config=SimpleNamespace(target_delimiter="")
    )
    lm = SimpleNamespace(loglikelihood=lambda requests, disable_tqdm: [(-6.0, False), (-2.0, True)])
    samples = [
        {"doc_id": n, "doc": {}, "target": target, "arguments": [("asked", {})]}
        for n, target in enumerate((["傘立て", "傘"], "傘"))
    ]
    assert mean_gold(lm, task, {"samples": {"t": samples}}) == (-6.0 / 3 - 2.0) / 2


def test_a_metric_goes_by_its_name_or_by_name_and_filter():
    values = {"acc,none": 0.5, "acc_stderr,none": 0.1, "f1,a": 0.2, "f1,b": 0.3, "bad,none": None}
    assert value_of(values, Part("t", "acc", 1)) == 0.5
    assert value_of(values, Part("t", "f1,b", 1)) == 0.3
    with pytest.raises(StudyError, match="several of them; name the filter too"):
        value_of(values, Part("t", "f1", 1))
    with pytest.raises(StudyError, match="no such metric; it has acc,none, bad,none, f1,a, f1,b"):
        value_of(values, Part("t", "em", 1))
    with pytest.raises(Unusable, match="t bad is not a number"):
        value_of(values, Part("t", "bad", 1))


# On which documents


def test_no_document_is_searched_on_that_is_reported_or_shown():
    documents = [{"q": n} for n in range(10)]
    searched, examples = split(documents, [{"q": 3}], documents, 5, seed=0)
    numbers = [row["q"] for row in searched]
    assert len(set(numbers)) == 5
    assert 3 not in numbers
    assert [row for row in documents if row not in searched] == examples
    assert split(documents, [{"q": 3}], documents, 5, seed=1) != (searched, examples)
    fewer, _ = split(documents, [{"q": 3}], documents, 3, seed=0)
    assert all(row in searched for row in fewer), "a smaller search's documents are among a larger one's"
    same = [{"q": n % 5, "id": n} for n in range(10)]
    searched, _ = split(same, [{"q": 1, "id": 99}], [], 8, 0, ["q"])
    assert 1 not in {row["q"] for row in searched}, "the same question by another name is the same"
    with pytest.raises(StudyError, match="9 documents that the tables do not report, and not 10: lower"):
        split(documents, [{"q": 3}], documents, 10, seed=0)


def own_task(**splits) -> SimpleNamespace:
    import datasets

    config = SimpleNamespace(
        num_fewshot=splits.get("shots", 0),
        **{f"{name}_split": splits.get(name) for name in ("test", "validation", "training")},
    )
    dataset = {name: datasets.Dataset.from_list([{"q": f"{name} {n}"} for n in range(20)]) for name in "ab"}
    return SimpleNamespace(
        config=config,
        dataset=dataset,
        set_config=lambda key, value: setattr(config, key, value),
        fewshot_cfg=SimpleNamespace(split=splits.get("shown")),
    )


def test_tasks_with_documents_of_their_own_are_searched_on_another_split():
    task = own_task(test="a", training="b")
    ask_other_documents(SimpleNamespace(tasks={"t": task}), 5, seed=0)
    assert task.config.test_split == "b"
    assert len(task.dataset["b"]) == 5
    assert len(task.dataset["a"]) == 20
    with pytest.raises(StudyError, match="t has no documents but those that the tables report"):
        ask_other_documents(SimpleNamespace(tasks={"t": own_task(validation="a")}), 5, seed=0)
    shown = own_task(test="a", training="b", shots=1, shown="a")
    with pytest.raises(StudyError, match="t shows documents that the tables report, solved"):
        ask_other_documents(SimpleNamespace(tasks={"t": shown}), 5, seed=0)
    with pytest.raises(StudyError, match="t has 20 documents beside those of the tables, and not 21"):
        ask_other_documents(SimpleNamespace(tasks={"t": own_task(test="a", validation="b")}), 21, seed=0)


# The toy study's search


@pytest.fixture(scope="module")
def setup(toy_run, toy, tmp_path_factory):
    """What a worker of the toy study's search is given, with a journal of its own."""
    config = yaml.safe_load((toy / "study.yaml").read_text(encoding="utf-8"))["config"]
    merge = config["merges"][MERGE]
    params = {
        "recipe": merge["recipe"],
        "adds_base": True,
        "search": {k: v for k, v in merge["search"].items() if k not in ("seeds", "workers")},
        "suites": {
            "pubmedqa": {"tasks": ["pubmedqa"], "folder": "resources/benchmarks/pubmedqa"},
            "japanese_leaderboard": {
                "tasks": ["xwinograd"],
                "folder": "resources/benchmarks/japanese_leaderboard",
            },
        },
        "folders": {n: f"results/toy/models/{n}" for n in ("ancestor", "generalist", "expert")},
        "merge_seed": merge["seed"],
        "merging": {k: v for k, v in config["merging"].items() if k != "same_below"},
        "benchmarking": config["benchmarking"],
        "scoring": "",
    }
    given = {
        "project": str(toy_run),
        "data": [str(file) for file in sorted((toy / "search_data").rglob("*.jsonl"))],
        "canonical": "results/toy/models/generalist",
        "seed": 0,
    }

    def make(journal: Path, worker: int = 0, **search) -> subprocess.Popen:
        changed = {"journal": str(journal), "search": params["search"] | search}
        content = given | {
            "params": params | changed,
            "worker": worker,
            "out": str(journal / f"out.{worker}"),
        }
        journal.mkdir(exist_ok=True)
        file = journal / f"setup.{worker}.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        command = [sys.executable, str(PROJECT / "tests/search_worker.py"), str(file)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return make


def lines(journal: Path, workers: str = "[0-9]") -> int:
    return sum(file.read_bytes().count(b"\n") for file in journal.glob(f"{workers}.jsonl"))


def wait_for(journal: Path, count: int, process: subprocess.Popen, workers: str = "[0-9]") -> None:
    until = time.monotonic() + 120
    while lines(journal, workers) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_killed_at_any_moment_and_shared_by_two_it_is_the_same_search(setup, toy, tmp_path):
    """One worker alone made the toy study's; here one of two is killed in the middle, torn, and run again."""
    workers = [setup(tmp_path, worker) for worker in (0, 1)]
    wait_for(tmp_path, 14, workers[1])
    wait_for(tmp_path, 6, workers[1], "1")  # when it is back, the other may be done with all
    workers[1].kill()
    workers[1].wait()
    with (tmp_path / "1.jsonl").open("ab") as journal:
        journal.write(b'{"key": "to')
    workers[1] = setup(tmp_path, 1)
    said = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    alone = (toy / f"search/{MERGE}/0.0.jsonl").read_bytes()
    assert (tmp_path / "out.0").read_bytes() == alone
    assert (tmp_path / "out.1").read_bytes() == alone
    assert lines(tmp_path) == len(alone.splitlines()), "nothing was evaluated twice"
    assert all(len(read_jsonl(tmp_path / f"{n}.jsonl")) > 5 for n in (0, 1)), "both have worked"


def test_ctrl_c_ends_after_the_candidate_with_the_best_so_far(setup, toy, tmp_path):
    process = setup(tmp_path)
    wait_for(tmp_path, 14, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    kept = read_jsonl(tmp_path / "0.jsonl")
    found = max(row["answer"]["fitness"][0] for row in kept)
    assert process.returncode == 1
    assert f"The best recipe of {len(kept)} evaluations" in said
    assert f"`budget: {{evaluations: {len(kept)}}}`" in said
    winner = next(row for row in kept if row["answer"]["fitness"][0] == found)
    saved = yaml.safe_load((tmp_path / "best.0.yaml").read_text(encoding="utf-8"))
    sources = [s["parameters"] for s in saved["slices"][0]["sources"][:2]]
    assert sources == [s["parameters"] for s in winner["request"]["recipe"]["slices"][0]["sources"][:2]]
    # It is taken as it is with the budget that the message names, and no model is loaded for it.
    again = setup(tmp_path, budget={"evaluations": len(kept)})
    assert again.wait() == 0, again.communicate()
    rows = read_jsonl(tmp_path / "out.0")
    assert len(rows) == len(kept) == lines(tmp_path)
    assert max(row["fitness"][0] for row in rows) == found
    assert rows == read_jsonl(toy / f"search/{MERGE}/0.0.jsonl")[: len(rows)]


def test_candidates_that_fail_have_a_reason_and_the_search_goes_on(setup, tmp_path):
    """Weights of up to 1e42 overflow a 32-bit number; the start does not."""
    huge = {"range": [0.0, 1e42], "start": 1.0}
    small = {"range": [0.2, 0.99], "start": 0.8}
    parameters = {
        **dict.fromkeys(("expert_weight", "generalist_weight"), huge),
        **dict.fromkeys(("expert_density", "generalist_density"), small),
    }
    process = setup(tmp_path, parameters=parameters, budget={"evaluations": 6}, population=5)
    assert process.wait() == 0, process.communicate()
    rows = read_jsonl(tmp_path / "out.0")
    assert len(rows) == 6
    failed = [row for row in rows if row["status"] == "failed"]
    assert failed
    assert all("NaN or infinite values in" in row["reason"] and row["score"] is None for row in failed)


def test_a_start_that_fails_stops_the_search(setup, tmp_path):
    parameters = {
        **{f"{name}_weight": {"range": [0.0, 1e42], "start": 1e42} for name in ("expert", "generalist")},
        **{f"{name}_density": {"range": [0.2, 0.99]} for name in ("expert", "generalist")},
    }
    process = setup(tmp_path, parameters=parameters)
    _, said = process.communicate()
    assert process.returncode == 1
    assert "the start of it fails, and nothing was searched: NaN or infinite values" in said


def test_two_objectives_at_once_end_in_a_front(setup, tmp_path):
    def one(task: str) -> list[dict]:
        return [{"task": task, "metric": "acc", "weight": 1}]

    objectives = {"domain": one("pubmedqa"), "language": one("xwinograd")}
    process = setup(tmp_path, objectives=objectives, budget={"evaluations": 21}, population=10)
    assert process.wait() == 0, process.communicate()
    rows = read_jsonl(tmp_path / "out.0")
    assert all(len(row["score"]) == 2 for row in rows)
    ahead = front([tuple(row["fitness"]) for row in rows])
    assert best(rows) in [rows[k] for k in ahead]


def test_more_blocks_than_layers_are_refused(setup, tmp_path):
    parameters = {
        f"{name}_{what}": {"range": [0.2, 0.9], **({"blocks": 4} if what == "weight" else {})}
        for name in ("expert", "generalist")
        for what in ("weight", "density")
    }
    process = setup(tmp_path, parameters=parameters)
    assert "4 blocks, and ancestor has 3 layers" in process.communicate()[1]


def test_what_was_scored_is_saved_and_benchmarked(toy):
    """The same model by three ways: in memory, and as a checkpoint by the rule of all benchmarks."""
    scores = json.loads((toy / f"search/{MERGE}/scores.json").read_text(encoding="utf-8"))
    found = scores["seeds"][0]
    assert found["scored_again"] is True
    for suite, task in (("pubmedqa", "pubmedqa"), ("japanese_leaderboard", "xwinograd")):
        results = json.loads((toy / f"benchmarks/{suite}/{MERGE}.json").read_text(encoding="utf-8"))
        assert found["held_out"]["scores"][task]["acc"] == results["results"][task]["acc,none"]
    recipe_file = yaml.safe_load((toy / f"recipes/{MERGE}.yaml").read_text(encoding="utf-8"))
    winner = best(read_jsonl(toy / f"search/{MERGE}/0.0.jsonl"))
    weights = [s["sources"][0]["parameters"]["weight"] for s in recipe_file["slices"]]
    assert weights == winner["values"]["generalist_weight"]


def test_the_table_says_what_of_the_gain_was_chance(toy):
    row = read_numbers(toy / "tables/search.tsv").iloc[0]
    history = read_jsonl(toy / f"search/{MERGE}/0.0.jsonl")
    assert (row.evaluations, row.failed) == (len(history), 0)
    assert row.search_start == pytest.approx(history[0]["score"][0], abs=1e-6)
    assert row.search_gain == pytest.approx(best(history)["score"][0] - history[0]["score"][0], abs=2e-6)
    assert row["drop"] == pytest.approx(row.search_gain - row.held_out_gain, abs=2e-6)
    assert row.ci_low <= row.held_out_gain <= row.ci_high
    assert row.n == 60, "thirty documents of each of the two tasks"
    assert row.search_gain > 0


def test_the_searchs_documents_are_none_of_the_tables(toy):
    for file in (toy / "search_data").rglob("test.jsonl"):
        reported = read_jsonl(toy / "benchmark_data" / file.relative_to(toy / "search_data" / MERGE))
        searched = read_jsonl(file)
        assert len(searched) == 24
        assert not [row for row in searched if row in reported]


def test_the_report_shows_the_search(toy):
    page = (toy / "report/index.html").read_text(encoding="utf-8")
    assert '<h2 id="searches">' in page
    assert "best so far" in page
    parameters = read_numbers(toy / "tables/search_parameters.tsv")
    assert len(parameters) == 12, "four placeholders of three blocks"


def test_the_toy_search_takes_less_than_a_minute(toy):
    import re

    logs = [toy / f"logs/search/{MERGE}/0.0.log", toy / f"logs/search_scores/{MERGE}.log"]
    work = [float(re.search(r"work ([\d.]+) s", log.read_text(encoding="utf-8"))[1]) for log in logs]
    assert sum(work) < 60 * 1.5, "allowing for a machine that is busy"


def test_a_merge_that_is_not_what_was_scored_is_refused(toy_run, toy, tmp_path, monkeypatch):
    from search_scores import saved_is_scored

    folder = shutil.copytree(toy / f"merges/{MERGE}", tmp_path / "merge")
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"][0, 0] += 1
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    content = yaml.safe_load((toy / f"recipes/{MERGE}.yaml").read_text(encoding="utf-8"))
    monkeypatch.chdir(toy_run)
    live = LiveModel(content, 42, SETTINGS, "results/toy/models/generalist", "float32", "cpu")
    asked = SimpleNamespace(model=live)
    saved_is_scored(asked, content, str(toy / f"merges/{MERGE}"))
    with pytest.raises(StudyError, match=r"is not the model that the search scored: lm_head\.weight differs"):
        saved_is_scored(asked, content, str(folder))
