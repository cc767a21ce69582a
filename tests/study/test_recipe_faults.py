"""Recipes: the chat template, the source of the tokenizer, and a model card in the wrong place."""

import copy
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT
from lexmerge.study import template_faults
from lexmerge.study.faults import faults_of
from lexmerge.study.recipe_faults import CHAT_TEMPLATES, recipe_faults, search_notes
from lexmerge.study.template_faults import template_fault

TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% if loop.last %}{% break %}{% endif %}{% endfor %}"


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(PROJECT)


@pytest.fixture
def toy() -> dict:
    toy = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    toy["study"]["merges"] = ["slerp"]
    return toy


def changed(toy: dict, **recipe) -> list[str]:
    """The faults of the toy study with more keys in the recipe of its merge."""
    toy["merges"]["slerp"]["recipe"] |= recipe
    return faults_of(toy)


def test_the_templates_are_mergekits():
    folder = files("mergekit") / "_data/chat_templates"
    assert sorted(file.name.removesuffix(".jinja") for file in folder.iterdir() if ".jinja" in file.name) == (
        CHAT_TEMPLATES
    )


@pytest.mark.parametrize("template", ["auto", *CHAT_TEMPLATES, TEMPLATE, f"{TEMPLATE}{{% generation %}}"])
def test_a_template_by_name_or_in_jinja_is_taken(toy, template):
    assert changed(toy, chat_template=template) == []


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            "chatlm",
            "'chatlm' is none of MergeKit's templates; did you mean 'chatml'? allowed: alpaca, auto, chatml",
        ),
        ("ChatML", "'ChatML' is none of MergeKit's templates"),
        ("/etc/passwd", "'/etc/passwd' is none of MergeKit's templates"),
        ("templates/of_a_long_name/mine.jinja", "is none of MergeKit's templates"),
        ("../chat_templates/chatml", "is none of MergeKit's templates"),
        ("templates/{name}/of/mine.jinja", "is none of MergeKit's templates"),
        ("{{ messages[0]['content'] | nofilter }}", "No filter named 'nofilter'"),
        ("{% for m in messages %}{{ m['rolle'] }}{% endfor %}", "leaves out the user's words"),
        ("{{ raise_exception('no system message') }}", "TemplateError: no system message"),
        ("{{ 'x' * 10 ** 10 }}{{ messages[0]['content'] }}", "needs more than 1 GB"),
        ("{{ messages.__class__.__bases__ }}{{ messages }}", "SecurityError"),
        ("{{ messages }}", "is none of MergeKit's templates"),
        ("", "'' is none of MergeKit's templates"),
        (3, "3 is not text; allowed: alpaca"),
        (True, "true is not text"),
        (["chatml"], "a list is not text"),
        (None, "an empty value is not text"),
        ("{% for message in messages %}\n{{ message }", "the template has a fault in its line 2: "),
    ],
)
def test_any_other_template_is_one_fault(toy, template, said):
    found = changed(toy, chat_template=template)
    assert len(found) == 1, found
    assert found[0].startswith("merges.slerp.recipe.chat_template: ")
    assert said in found[0]


@pytest.mark.parametrize("name", CHAT_TEMPLATES)
def test_mergekits_own_templates_show_a_conversation(name):
    template = (files("mergekit") / f"_data/chat_templates/{name}.jinja").read_text(encoding="utf-8")
    assert template_fault(template) is None


def test_a_template_without_end_is_stopped(monkeypatch):
    monkeypatch.setattr(template_faults, "SECONDS", 1)
    endless = "{% for a in range(9**5) %}{% for b in range(9**5) %}{% endfor %}{% endfor %}"
    assert "does not end within 1 seconds" in str(template_fault(endless))


SLERP = {"merge_method": "slerp", "base_model": "a", "models": [{"model": "a"}, {"model": "b"}]}


def by_filter(*conditions: tuple[str | None, object]) -> dict:
    """A SLERP with a `t` for each filter."""
    values = [{"value": value} | ({"filter": name} if name else {}) for name, value in conditions]
    return SLERP | {"parameters": {"t": values}}


def sliced(*ranges: list[int], **parameters) -> dict:
    """A passthrough of slices of a model."""
    slices = [{"sources": [{"model": "a", "layer_range": list(layers)}]} for layers in ranges]
    return {"merge_method": "passthrough", "base_model": "a", "slices": slices, "parameters": parameters}


def della(**parameters) -> dict:
    models = [{"model": "a", "parameters": {"weight": 1} | parameters}]
    return {"merge_method": "della", "base_model": "base", "models": models}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (
            by_filter((None, 0.5), ("mlp", 1)),
            "r.parameters.t[1]: the filter 'mlp' is never reached, since [0] takes every tensor; ",
        ),
        (
            by_filter(("*", 0.5), (None, 1)),
            "r.parameters.t[1]: this value without a filter is never reached, since [0] takes every",
        ),
        (
            by_filter(("mlp", 0), ("mlp.up", 1), (None, 0.5)),
            "r.parameters.t[1]: the filter 'mlp.up' is never reached, since [0] takes every tensor with",
        ),
        (by_filter((3, 0), (None, 0.5)), "r.parameters.t[0].filter: 3 is not text"),
        (by_filter((None, [{"value": 0.5}])), "r.parameters.t[0].value: a condition inside of another"),
        (
            sliced([0, 4], scale=[1, 0.5, 1, 0.5, 1]),
            "r.parameters.scale: a gradient of 5 values is spread over 4 layers, so that MergeKit drops some",
        ),
        (
            sliced([0, 4], [4, 6], scale=[{"filter": "mlp", "value": [1, 2, 1]}]),
            "r.parameters.scale[0].value: a gradient of 3 values is spread over 2 layers",
        ),
        (sliced([2, 2]), "r.slices: a merge without any layers"),
        (sliced([0, 2], [3, 3], [2, 4]), "r.slices[1]: it has no layers, and only the first slice gives"),
        (
            della(density=0.9),
            "r.models[0]: density 0.9 with epsilon 0.15 (its default): DELLA needs density - epsilon above 0 "
            "and density + epsilon below 1; set `epsilon` below 0.1",
        ),
        (della(density=0.1, epsilon=0.1), "r.models[0]: density 0.1 with epsilon 0.1: DELLA needs"),
        (della(density=[0.5, 0.95], epsilon=0.1), "r.models[0]: density 0.95 with epsilon 0.1: "),
    ],
)
def test_what_mergekit_would_leave_out_or_stop_at_is_one_fault(recipe, said):
    (found,) = recipe_faults(recipe, "r")
    assert found.startswith(said)


@pytest.mark.parametrize(
    "recipe",
    [
        by_filter(("mlp.up", 0), ("mlp", 1), (None, 0.5)),
        SLERP | {"parameters": {"t": [0, 0.5, 1]}},
        sliced([0, 4], scale=[1, 0.5, 1, 0.5]),
        sliced([0, 4], [4, 4]),
        sliced([0, 0], [0, 4], scale=[1, 2]),
        della(density=0.9, epsilon=0.05),
        della(density=1),
        della(density=0),
        della(
            density=[{"filter": "mlp", "value": 0.9}, {"value": 1}],
            epsilon=[{"filter": "mlp", "value": 0.05}],
        ),
    ],
)
def test_what_mergekit_does_as_it_is_written_is_accepted(recipe):
    assert list(recipe_faults(recipe, "r")) == []


def test_a_search_for_a_weight_without_effect_is_noted():
    weighted = {"model": "a", "parameters": {"weight": {"w": None}, "density": {"d": None}}}
    recipe = {"merge_method": "ties", "base_model": "base", "models": [{"model": "base"}, weighted]}
    merge = {"recipe": recipe, "search": {"parameters": {"w": {"range": [0, 1]}, "d": {"range": [0, 1]}}}}
    (note,) = search_notes(merge, "merges.m")
    assert note.startswith(
        "merges.m.search.parameters.w: the search spends its budget on a dimension without"
    )
    for effective in (
        recipe | {"parameters": {"normalize": False}},
        recipe | {"parameters": {"lambda": {"w": None}}},
        recipe | {"models": [*recipe["models"], {"model": "b", "parameters": {"weight": 1}}]},
        recipe | {"merge_method": "dare_ties"},
    ):
        assert list(search_notes(merge | {"recipe": effective}, "merges.m")) == []


@pytest.mark.parametrize("source", ["union", "base", "expert"])
def test_the_tokenizer_is_a_models_or_one_of_mergekits(toy, source):
    assert changed(copy.deepcopy(toy), tokenizer_source=source) == []
    assert changed(toy, tokenizer={"source": source}) == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "uniom",
            "'uniom' is unknown; did you mean 'union'? allowed: ancestor, base, expert, generalist, union",
        ),
        ("bases", "'bases' is unknown; did you mean 'base'?"),
        ("exprt", "'exprt' is unknown; did you mean 'expert'?"),
        (3, "3 is unknown; allowed"),
    ],
)
def test_a_misspelt_source_of_the_tokenizer_is_one_fault_with_the_nearest(toy, source, said):
    (found,) = changed(copy.deepcopy(toy), tokenizer_source=source)
    assert found.startswith(f"merges.slerp.recipe.tokenizer_source: {said}")
    (found,) = changed(toy, tokenizer={"source": source})
    assert found.startswith(f"merges.slerp.recipe.tokenizer.source: {said}")


def test_models_of_single_tokens_are_models(toy):
    tokens = {"<|x|>": {"source": "exprt"}}
    (found,) = changed(toy, tokenizer={"source": "base", "tokens": tokens})
    assert "unknown name 'exprt'; did you mean 'expert'?" in found


CARDS = {
    "whole": {
        "merge_method": "ties",
        "base_model": "org/base",
        "models": [{"model": "org/a", "parameters": {"weight": 1, "density": 0.5}}],
        "parameters": {"normalize": True},
        "dtype": "bfloat16",
    },
    "slices": {
        "slices": [{"sources": [{"model": "org/a", "layer_range": [0, 8]}]}],
        "merge_method": "passthrough",
    },
    "without a method": {"models": [{"model": "a"}, {"model": "b"}]},
}


@pytest.mark.parametrize("card", CARDS)
def test_a_card_in_the_place_of_a_merge_is_one_fault(toy, card):
    toy["merges"]["mine"] = CARDS[card]
    toy["study"]["merges"] = ["mine"]
    assert faults_of(toy) == ["merges.mine: this is a MergeKit recipe; put it under `recipe:`"]
    toy["study"]["merges"] = ["slerp", "mine"]
    toy["study"]["seed"] = -1
    assert faults_of(toy) == [
        "merges.mine: this is a MergeKit recipe; put it under `recipe:`",
        "study.seed: -1 is too small; at least 0",
    ]


def test_a_card_in_the_place_of_all_merges_is_one_fault(toy):
    toy["merges"] |= CARDS["whole"]
    assert faults_of(toy) == [
        "merges: this is a MergeKit recipe; give the merge a name and put it under `recipe:`, as `merges: "
        "{my_merge: {recipe: ...}}`"
    ]
