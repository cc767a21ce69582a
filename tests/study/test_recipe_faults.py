"""Recipes: the chat template, the source of the tokenizer, and a model card in the wrong place."""

import copy
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT
from lexmerge.study.faults import faults_of
from lexmerge.study.recipe_faults import CHAT_TEMPLATES

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
