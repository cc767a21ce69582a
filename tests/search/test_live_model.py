"""The model in memory: what is scored is what is saved, bit by bit."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
import yaml
from lexmerge.common.errors import StudyError
from lexmerge.search.live_model import LiveModel, Unusable
from lexmerge.study.recipe_faults import methods
from safetensors.torch import load_file, save_file
from search import can_be_merged, layers_of
from tiny_models import SETTINGS, llama, merged, recipe
from transformers import AutoModelForCausalLM

MERGE = "evolved_dare_ties"


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


@pytest.mark.parametrize("order", [("tied", "a"), ("a", "tied"), ("headed", "tied"), ("tied", "headed")])
def test_in_memory_a_tied_model_beside_an_untied_one_gives_the_bits_that_are_saved(family, tmp_path, order):
    tied, headed = (llama(tmp_path / name, 7, tie_word_embeddings=True) for name in ("tied", "headed"))
    weights = load_file(headed / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].flip(0)
    save_file(weights, headed / "model.safetensors", {"format": "pt"})
    models = family | {"tied": str(tied), "headed": str(headed)}
    entries = [{"model": models[name], "parameters": {"weight": 0.5}} for name in order]
    content = {
        "merge_method": "linear",
        "base_model": models[order[0]],
        "models": entries,
        "dtype": "float32",
    }
    saved = merged(tmp_path, content, family["base"], seed=7)
    live = LiveModel(content, 7, SETTINGS, family["base"], "float32", "cpu")
    assert live.differs_from(content, str(saved)) is None
    live.become(content)
    head = load_file(saved / "model.safetensors")["lm_head.weight"]
    assert torch.equal(live.model.lm_head.weight, head.float())
    loaded = AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32)
    assert torch.equal(loaded.lm_head.weight, head.float())
    assert not json.loads((saved / "config.json").read_text())["tie_word_embeddings"]


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
    with pytest.raises(StudyError, match=r"search\.parameters\.w\.blocks: 2, but .*deep has 3 layers and"):
        layers_of(content, folders, {"w": {"range": [0, 1], "blocks": 2}})
    with pytest.raises(StudyError, match=r"w\.blocks: 3 is more than the 2 layers of .*base"):
        layers_of(recipe("ties", family), folders, {"w": {"range": [0, 1], "blocks": 3}})


def test_what_the_merge_would_refuse_is_refused_before_the_search(family, tmp_path):
    content = recipe("ties", family)
    can_be_merged(content, family["base"])
    with pytest.raises(StudyError, match="give this recipe a `tokenizer` of its own"):
        can_be_merged(content, str(llama(tmp_path / "other", 6, vocab_size=14)))
    content["models"][1]["model"] = str(llama(tmp_path / "wide", 7, hidden_size=32))
    with pytest.raises(StudyError, match="search: this recipe cannot merge the models:\n  - "):
        can_be_merged(content, family["base"])


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
