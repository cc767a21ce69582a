"""Recipes as they are published: files, hub ids with their revision, folders, and faults of the rest."""

from pathlib import Path

import pytest
import yaml
from lexmerge.common.errors import StudyError
from lexmerge.study.config import load
from tiny_models import llama

COMMIT = "a" * 40
CARD = """\
base_model: acme/Base-7B-v0.1{base}
models:
  - model: acme/Base-7B-v0.1{base}
    # no parameters necessary for base model
  - model: acme/Math-7B{math}
    parameters:
      density: 0.5
      weight: 0.5
merge_method: ties
parameters:
  normalize: true
dtype: bfloat16"""  # without a newline at the end, as cards are pasted


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Load a study with one merge, from a config file in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    llama(tmp_path / "parents" / "one", 1)
    llama(tmp_path / "parents" / "two", 2)

    def loaded(recipe, **models) -> dict:
        given = {
            "study": {
                "name": "cards",
                "languages": {"source": "en", "target": "fr"},
                "expert": "one",
                "generalist": "two",
                "models": ["one", "two"],
                "merges": ["card"],
                "judges": [],
                "benchmarks": [],
            },
            "models": {"one": {"source": "parents/one"}, "two": {"source": "parents/two"}, **models},
            "merges": {"card": {"recipe": recipe}},
            "vocabulary": {"terms": "terms.tsv"},
            "translations": {"provider": "none"},
        }
        file = tmp_path / "study.yaml"
        file.write_text(yaml.safe_dump(given), encoding="utf-8")
        return load(given, [file]).study

    return loaded


def test_hub_ids_with_a_revision_become_models(study):
    recipe = yaml.safe_load(CARD.format(base=f"@{COMMIT}", math="@v1.0"))
    loaded = study(recipe)
    assert loaded["models"]["Base-7B-v0.1"] == {"source": "acme/Base-7B-v0.1", "revision": COMMIT}
    assert loaded["models"]["Math-7B"] == {"source": "acme/Math-7B", "revision": "v1.0"}
    made = loaded["merges"]["card"]["recipe"]
    assert made["base_model"] == "Base-7B-v0.1"
    assert [entry["model"] for entry in made["models"]] == ["Base-7B-v0.1", "Math-7B"]


def test_a_recipe_may_be_a_file_beside_the_config(study, tmp_path):
    (tmp_path / "card.yaml").write_text(CARD.format(base=f"@{COMMIT}", math=f"@{COMMIT}"), encoding="utf-8")
    assert study("card.yaml")["merges"]["card"]["recipe"]["base_model"] == "Base-7B-v0.1"


def test_a_folder_in_a_recipe_file_starts_at_the_folder_of_the_file(study, tmp_path):
    (tmp_path / "parents" / "card.yaml").write_text(
        "merge_method: linear\nmodels:\n  - {model: ./one, parameters: {weight: 1}}\n"
        "  - {model: two, parameters: {weight: 1}}\ndtype: float32\n",
        encoding="utf-8",
    )
    made = study("parents/card.yaml")["merges"]["card"]["recipe"]
    assert [entry["model"] for entry in made["models"]] == ["one", "two"], "by their folders"


def test_a_hub_id_of_a_model_of_the_study_is_that_model(study):
    known = {"source": "acme/Base-7B-v0.1", "revision": COMMIT}
    loaded = study(yaml.safe_load(CARD.format(base="", math=f"@{COMMIT}")), start=known)
    assert loaded["merges"]["card"]["recipe"]["base_model"] == "start"
    assert "Base-7B-v0.1" not in loaded["models"]


def test_another_revision_of_a_model_of_the_study_is_another_model(study):
    known = {"source": "acme/Base-7B-v0.1", "revision": "b" * 40}
    loaded = study(yaml.safe_load(CARD.format(base=f"@{COMMIT}", math=f"@{COMMIT}")), start=known)
    assert loaded["merges"]["card"]["recipe"]["base_model"] == "Base-7B-v0.1"
    assert loaded["models"]["Base-7B-v0.1"]["revision"] == COMMIT


def test_two_hub_ids_that_end_alike_are_two_models(study):
    recipe = {
        "merge_method": "linear",
        "models": [
            {"model": f"acme/model@{COMMIT}", "parameters": {"weight": 1}},
            {"model": f"other/model@{COMMIT}", "parameters": {"weight": 1}},
        ],
        "dtype": "float32",
    }
    loaded = study(recipe)
    assert loaded["models"]["model"]["source"] == "acme/model"
    assert loaded["models"]["model_2"]["source"] == "other/model"


def faults(study, recipe) -> str:
    with pytest.raises(StudyError) as raised:
        study(recipe)
    return str(raised.value)


def test_a_hub_id_without_a_revision_is_refused_with_the_lines_to_add(study):
    said = faults(study, yaml.safe_load(CARD.format(base="", math="")))
    assert "write `acme/Math-7B@0123abc` with its commit in the recipe, or add under `models` a line" in said
    assert "\n      Math-7B: {source: acme/Math-7B, revision: 0123abc}" in said


def test_an_adapter_is_refused_with_what_to_do(study):
    said = faults(study, yaml.safe_load(CARD.format(base=f"@{COMMIT}", math="+acme/lora")))
    assert "merges.card.recipe: 'acme/Math-7B+acme/lora' has to be MODEL+ADAPTER. MODEL is one of" in said


def test_a_model_with_an_adapter_and_the_model_alone_become_models(study):
    loaded = study(yaml.safe_load(CARD.format(base=f"@{COMMIT}", math=f"@v1.0+acme/lora@{COMMIT}")))
    alone = {"source": "acme/Math-7B", "revision": "v1.0"}
    assert loaded["models"]["Math-7B"] == alone
    assert loaded["models"]["Math-7B_lora"] == alone | {"adapter": f"acme/lora@{COMMIT}"}
    assert [m["model"] for m in loaded["merges"]["card"]["recipe"]["models"]][1] == "Math-7B_lora"


def test_folders_in_a_recipe_are_looked_for_beside_the_config_that_has_it(study, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name in ("parents/one", "./parents/one"):
        entries = [
            {"model": name, "parameters": {"weight": 1}},
            {"model": "two", "parameters": {"weight": 1}},
        ]
        merge = study(
            {"merge_method": "linear", "models": entries}, one={"source": str(tmp_path / "parents/one")}
        )
        assert merge["merges"]["card"]["recipe"]["models"][0]["model"] == "one"


def test_a_missing_recipe_file_is_named_with_the_places_that_were_looked_at(study, tmp_path):
    said = faults(study, "nowhere.yaml")
    assert f"merges.card.recipe: there is no file {tmp_path}/nowhere.yaml" in said


def test_a_missing_recipe_file_does_not_hide_other_faults(study):
    with pytest.raises(StudyError) as raised:
        study("nowhere.yaml", one={"source": "./nobody"})
    assert "merges.card.recipe: there is no file" in str(raised.value)
    assert "models.one.source: './nobody' is not a hub id" in str(raised.value)


def test_a_recipe_file_that_is_no_yaml_is_reported_with_its_line(study, tmp_path):
    (tmp_path / "card.yaml").write_text("merge_method: ties\nmodels: [", encoding="utf-8")
    assert f"{Path(tmp_path, 'card.yaml')}, line 2" in faults(study, "card.yaml")
