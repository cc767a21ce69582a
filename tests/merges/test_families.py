"""Families of models in miniature: each merges to the means of its parents, or is refused at once."""

import json
from pathlib import Path

import pytest
import torch
from lexmerge.common.errors import StudyError
from lexmerge.merges.coverage import fault_by_definition, fault_by_mergekit
from lexmerge.merges.merge import merge
from lexmerge.merges.preflight import preflight, preflight_all
from lexmerge.models.checkpoints import read_headers
from lexmerge.models.own_code import own_code
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from safetensors.torch import load_file, save_file
from tiny_families import FAMILIES, OTHERS, SMALL, pair
from tiny_models import SETTINGS, write
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

Tensors = dict[str, torch.Tensor]


def with_masks(tensors: Tensors) -> Tensors:
    """The tables that Pythia has on file, with a value that is infinite in half precision."""
    tables = {
        "bias": torch.ones(1, 1, 8, 8, dtype=torch.bool).tril(),
        "masked_bias": torch.tensor(-1e9).half(),
        "rotary_emb.inv_freq": torch.ones(2),
    }
    layers = {f"gpt_neox.layers.{n}.attention.{k}": v.clone() for n in range(2) for k, v in tables.items()}
    return tensors | layers


def without_start(tensors: Tensors) -> Tensors:
    """The names of the first GPT-2, with its masks."""
    masks = {f"h.{n}.attn.bias": torch.ones(1, 1, 8, 8).tril() for n in range(2)}
    return {name.removeprefix("transformer."): value for name, value in tensors.items()} | masks


def with_head(tensors: Tensors) -> Tensors:
    """The head of a tied model, which older versions of transformers saved."""
    return tensors | {"lm_head.weight": tensors["transformer.word_embeddings.weight"].clone()}


def with_frequencies(tensors: Tensors) -> Tensors:
    """The tables of the position encoding, which older versions of transformers saved."""
    return tensors | {f"model.layers.{n}.self_attn.rotary_emb.inv_freq": torch.ones(2) for n in range(2)}


AS_PUBLISHED = {
    "GPT-NeoX": with_masks,
    "GPT-2": without_start,
    "Falcon 40B": with_head,
    "Llama 2": with_frequencies,
}
# What MergeKit cannot merge, with the reason: as transformers saves them today, or in any form.
REFUSED = {
    "Falcon 7B": "without 4 of its 15 tensors",
    "Falcon 40B": "MergeKit needs lm_head.weight, which these weights lack",
    "GPT-NeoX": "MergeKit needs gpt_neox.layers.0.attention.bias, which these weights lack",
    "Cohere": "MergeKit needs model.layers.0.self_attn.q_norm.weight, which these weights lack",
    "Mixtral": "without 26 of its 41 tensors, or writes them under names that only transformers reads",
    "Qwen 2 MoE": "without 24 of its 55 tensors",
    "Qwen 3 MoE": "without 24 of its 45 tensors",
    "OLMoE": "without 24 of its 45 tensors",
    "DeepSeek 3": "without 12 of its 41 tensors",
    "Qwen 2 VL": "has no attribute num_hidden_layers",
    "Qwen 2.5 VL": "transformers has no model for text alone of the kind qwen2_5_vl",
    "Llava": "transformers has no model for text alone of the kind llava",
    "Gemma 3 with images": "without 48 of its 78 tensors",
}
MERGED = [name for name in {**FAMILIES, **OTHERS} if name not in REFUSED]


def linear(parents: list[Path]) -> dict:
    models = [{"model": str(parent), "parameters": {"weight": 0.5}} for parent in parents]
    return {"merge_method": "linear", "base_model": str(parents[0]), "models": models, "dtype": "float32"}


def on_file(folder: Path) -> Tensors:
    return {name: value for file in folder.glob("*.safetensors") for name, value in load_file(file).items()}


def change(folder: Path, how) -> None:
    save_file(how(on_file(folder)), folder / "model.safetensors", {"format": "pt"})


def check_merges(parents: list[Path], folder: Path) -> None:
    """Check that two models merge without a fault to the means of their tensors, which load."""
    recipe, headers = linear(parents), [read_headers(parent, str(parent)) for parent in parents]
    assert list(preflight(recipe, headers, str(parents[0]))) == []
    assert list(preflight(recipe, headers, str(parents[0]), in_a_job=False)) == []
    merge(write(folder / "recipe.yaml", recipe), str(folder / "ours"), str(parents[0]), 7, SETTINGS)
    made, (a, b) = on_file(folder / "ours"), (on_file(parent) for parent in parents)
    for name in read_headers(parents[0], "a").tensors:
        stored = name if name in a else name.removeprefix("transformer.")
        assert torch.equal(made[name], (a[stored].float() + b[stored].float()) / 2), name
    _, loaded = AutoModelForCausalLM.from_pretrained(folder / "ours", output_loading_info=True)
    assert not loaded["missing_keys"] and not loaded["mismatched_keys"]
    layers = json.loads((folder / "ours/provenance.json").read_text(encoding="utf-8"))["parents"]
    assert {"embeddings", "layer 0", "layer 1"} <= layers[str(parents[1])].keys()
    assert all(of_group["delta_norm"] > 0 for of_group in layers[str(parents[1])].values())


@pytest.mark.parametrize("name", MERGED)
def test_a_family_merges_to_the_means_of_its_parents(name, tmp_path):
    check_merges(pair(tmp_path, {**FAMILIES, **OTHERS}[name]), tmp_path)


@pytest.mark.parametrize("name", AS_PUBLISHED)
def test_files_of_older_versions_of_transformers_merge_as_well(name, tmp_path):
    parents = pair(tmp_path, FAMILIES[name])
    for parent in parents:
        change(parent, AS_PUBLISHED[name])
    check_merges(parents, tmp_path)


def test_tables_on_file_are_no_parameters(tmp_path):
    folder = pair(tmp_path, FAMILIES["GPT-NeoX"])[0]
    before = read_headers(folder, "it").parameters
    change(folder, with_masks)
    assert read_headers(folder, "it").parameters == before


@pytest.mark.parametrize("name", REFUSED)
def test_what_mergekit_does_not_cover_is_refused_before_it_runs(name, tmp_path):
    parents = pair(tmp_path, {**FAMILIES, **OTHERS}[name])
    with pytest.raises(StudyError) as raised:
        merge(
            write(tmp_path / "r.yaml", linear(parents)), str(tmp_path / "ours"), str(parents[0]), 7, SETTINGS
        )
    assert REFUSED[name] in str(raised.value)
    assert "take a dense model for text alone" in str(raised.value)
    assert not list(tmp_path.glob(".ours*"))


def mergekits(parents: list[Path], folder: Path) -> Tensors:
    """What MergeKit makes of two models; nothing if it fails."""
    try:
        run_merge(MergeConfiguration.model_validate(linear(parents)), str(folder), MergeOptions(quiet=True))
    except RuntimeError:
        return {}
    return on_file(folder)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_mergekit_does_not_merge_or_nothing_here_could_load(name, tmp_path):
    parents = pair(tmp_path, {**FAMILIES, **OTHERS}[name])
    made = mergekits(parents, tmp_path / "theirs")
    if set(on_file(parents[0])) <= set(made):
        with pytest.raises(ValueError, match="Unrecognized configuration class"):
            AutoModelForCausalLM.from_pretrained(tmp_path / "theirs")


@pytest.mark.parametrize("name", ["Mixtral", "Qwen 3 MoE", "Falcon 7B", "Gemma 3 with images"])
def test_mergekits_files_tell_at_the_start_what_they_lack(name, tmp_path):
    parents = pair(tmp_path, {**FAMILIES, **OTHERS}[name])
    headers = [read_headers(parent, str(parent)) for parent in parents]
    said = list(preflight(linear(parents), headers, str(parents[0]), in_a_job=False))
    architecture = headers[0].config["architectures"][0]
    assert [fault.partition(" without ")[0] for fault in said] == [
        f"{parent}: MergeKit merges {architecture}" for parent in parents
    ]


def test_no_weights_are_fetched_of_models_that_mergekit_does_not_cover(tmp_path):
    parents = pair(tmp_path, OTHERS["DeepSeek 3"])
    headers = {str(parent): read_headers(parent, str(parent)) for parent in parents}
    with pytest.raises(StudyError) as raised:
        preflight_all({"soup": linear(parents)}, headers, tmp_path)
    assert "some merges cannot be made, so no weights were fetched" in str(raised.value)
    assert f"soup: {parents[0]}: MergeKit merges DeepseekV3ForCausalLM without 12" in str(raised.value)


@pytest.mark.parametrize("kind", ["GPT-2", "Mixtral"])
def test_a_model_that_gives_its_tokenizer_alone_may_be_of_any_kind(kind, tmp_path):
    parents = pair(tmp_path, FAMILIES["Llama 2"])
    donor = pair(tmp_path / "donor", {**FAMILIES, **OTHERS}[kind])[0]
    recipe = write(tmp_path / "r.yaml", linear(parents) | {"tokenizer": {"source": str(donor)}})
    merge(recipe, str(tmp_path / "ours"), str(parents[0]), 7, SETTINGS)
    made = json.loads((tmp_path / "ours/provenance.json").read_text(encoding="utf-8"))
    assert made["parents_differ"] == []


def test_a_head_that_mergekit_does_not_know_is_named(tmp_path):
    folder = pair(tmp_path, FAMILIES["Llama 2"])[0]
    change(folder, lambda tensors: tensors | {"v_head.weight": torch.ones(16)})
    for fault in (fault_by_definition, fault_by_mergekit):
        said = fault(read_headers(folder, "it"))
        assert "LlamaForCausalLM without 1 of its 22 tensors" in said
        assert "the first is v_head.weight" in said
        assert "or a copy without these tensors" in said


@pytest.mark.parametrize("kind", ["llama", "gemma2", "qwen2"])
def test_a_head_that_mergekit_knows_is_no_fault(kind, tmp_path):
    config = AutoConfig.for_model(kind, **SMALL, pad_token_id=0)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    headers = read_headers(tmp_path, "it")
    assert "score.weight" in headers.tensors
    assert (fault_by_definition(headers), fault_by_mergekit(headers)) == (None, None)


def test_a_kind_that_nobody_knows_is_refused_and_named(tmp_path):
    folder = pair(tmp_path, FAMILIES["Llama 2"])[0]
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    new = content | {"model_type": "novel", "architectures": ["NovelForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(new), encoding="utf-8")
    said = fault_by_mergekit(read_headers(folder, "it"))
    assert said and said.startswith("it: NovelForCausalLM cannot be merged, since MergeKit fails (")
    assert "novel" in said


def test_a_model_with_its_own_code_is_left_to_the_check_that_names_the_remedy(tmp_path):
    folder = pair(tmp_path, FAMILIES["Llama 2"])[0]
    own = {"model_type": "novel", "auto_map": {"AutoConfig": "own.Own"}, "architectures": ["Own"]}
    (folder / "config.json").write_text(json.dumps(own), encoding="utf-8")
    assert fault_by_mergekit(read_headers(folder, "it")) is None
    assert own_code(folder, "it")
