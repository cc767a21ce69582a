"""Local checkpoints are read by their headers in the dry run, so that no job fails for what they show."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest
import yaml
from helpers import PROJECT
from lexmerge.study.checkpoint_faults import folder_faults, tensors_in
from lexmerge.study.faults import faults_of
from safetensors.numpy import save_file

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4,
    "tie_word_embeddings": False,
    "vocab_size": 8,
}


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(PROJECT)
    for cached in (folder_faults, tensors_in):
        cached.cache_clear()


def checkpoint(folder: Path, layers: int = 3, words: int = 8, **more) -> Path:
    """A folder with what a checkpoint's header needs."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": words} | more))
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": numpy.zeros((4, 4), "float16") for n in range(layers)}
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        tensors[name] = numpy.zeros((words, 4), "float16")
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def study(tmp_path) -> dict:
    """The toy study with a local generalist and expert of three layers, and one merge of them."""
    study = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    for name in ("generalist", "expert"):
        study["models"][name]["source"] = str(checkpoint(tmp_path / name))
    study["study"] |= {"merges": ["slerp"]}
    return study


def test_whole_checkpoints_that_fit_have_no_faults(study):
    assert faults_of(study) == []


def test_a_checkpoint_is_read_without_torch():
    code = (
        "import sys; sys.path.insert(0, 'workflow/scripts')\n"
        "import lexmerge.study.checkpoint_faults\n"
        "from lexmerge.merges.coverage import fault_by_definition\n"
        "from lexmerge.models.checkpoints import Headers\n"
        "config, tensors = {'architectures': ['MixtralForCausalLM']}, {'experts': ((1,), 'F32')}\n"
        "assert 'without 1 of its 1 tensors' in fault_by_definition(Headers('it', config, tensors))\n"
        "assert not {'torch', 'transformers', 'mergekit'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def damage(folder: Path, how: str) -> None:
    """Damage a checkpoint."""
    weights, config = folder / "model.safetensors", folder / "config.json"
    content = json.loads(config.read_text())
    match how:
        case "no config":
            config.unlink()
        case "adapter":
            config.rename(folder / "adapter_config.json")
        case "adapter beside":
            (folder / "adapter_config.json").write_text("{}")
        case "broken config":
            config.write_text("{")
        case "list":
            config.write_text("[]")
        case "own code":
            config.write_text(json.dumps(content | {"auto_map": {"AutoModel": "evil.Model"}}))
        case "own tokenizer":
            (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": "evil.T"}}')
        case "quantised":
            config.write_text(json.dumps(content | {"quantization_config": {"quant_method": "gptq"}}))
        case "two architectures":
            config.write_text(json.dumps(content | {"architectures": ["A", "B"]}))
        case "no type":
            config.write_text(json.dumps({k: v for k, v in content.items() if k != "model_type"}))
        case "pickle":
            weights.rename(folder / "pytorch_model.bin")
        case "cut off":
            weights.write_bytes(weights.read_bytes()[:-10])
        case "cut in the header":
            weights.write_bytes(weights.read_bytes()[:50])
        case "empty":
            weights.write_bytes(b"")
        case "pointer":
            weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
        case "no shard":
            index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no config", "has no config.json, so it is not a checkpoint"),
        ("adapter", "is a LoRA adapter, not a model"),
        ("adapter beside", "has a LoRA adapter beside the model (adapter_config.json)"),
        ("broken config", "config.json cannot be read: "),
        ("list", "config.json is not a JSON object"),
        ("own code", "config.json has `auto_map`: the model needs its own code, which lexmerge never runs"),
        ("own tokenizer", "tokenizer_config.json has `auto_map`: the model needs its own code"),
        ("quantised", "config.json: the weights are quantised (gptq) and cannot be merged"),
        ("two architectures", "config.json: `architectures` has to name one architecture"),
        ("no type", "config.json has no `model_type`"),
        ("pickle", "has no safetensors files; convert the weights"),
        ("cut off", "model.safetensors is damaged or cut off (the file ends too early); fetch it again"),
        ("cut in the header", "model.safetensors is damaged or cut off (the header is incomplete)"),
        ("empty", "model.safetensors is damaged or cut off (the header is incomplete)"),
        ("pointer", "model.safetensors is a pointer of Git LFS, not the weights; run `git lfs pull`"),
        (
            "no shard",
            "is incomplete: model-00002-of-00002.safetensors of model.safetensors.index.json is missing",
        ),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_one_fault_with_its_absolute_path(study, tmp_path, how, said):
    damage(tmp_path / "expert", how)
    faults = faults_of(study)
    assert len(faults) == 1, faults
    assert faults[0].startswith(f"models.expert.source: {tmp_path / 'expert'}")
    assert said in faults[0]


def test_a_quantised_model_that_is_not_merged_may_be_under_test(study, tmp_path):
    study["models"]["third"] = {"source": str(checkpoint(tmp_path / "third")), "language": "en"}
    study["study"]["models"].append("third")
    damage(tmp_path / "third", "quantised")
    assert faults_of(study) == []


def test_models_that_are_not_selected_are_not_read(study, tmp_path):
    study["models"]["other"] = {"source": str(checkpoint(tmp_path / "other"))}
    damage(tmp_path / "other", "own code")
    assert faults_of(study) == []


def sliced(*ranges: tuple[str, int, int]) -> dict:
    """A passthrough of slices of models."""
    slices = [{"sources": [{"model": model, "layer_range": [start, end]}]} for model, start, end in ranges]
    return {"recipe": {"merge_method": "passthrough", "slices": slices, "dtype": "bfloat16"}}


def test_layer_ranges_end_within_the_layers(study):
    study["merges"]["s"] = sliced(("generalist", 0, 3), ("expert", 1, 32))
    study["study"]["merges"] = ["s"]
    assert faults_of(study) == [
        "merges.s.recipe: slices[1]: layer_range [1, 32] is outside of expert; at most [0, 3]"
    ]
    study["merges"]["s"] = sliced(("generalist", 0, 3), ("expert", 1, 3))
    assert faults_of(study) == []


def test_layer_ranges_are_checked_beside_models_that_are_not_there_yet(study):
    study["merges"]["s"] = sliced(("ancestor", 0, 3), ("expert", 1, 32))
    study["study"]["merges"] = ["s"]
    assert faults_of(study) == ["merges.s.recipe: layer_range: up to 32 of expert, which has 3 layers"]


def test_the_sources_of_a_slice_have_the_same_number_of_layers(study):
    sources = [{"model": "generalist", "layer_range": [0, 3]}, {"model": "expert", "layer_range": [0, 2]}]
    recipe = study["merges"]["slerp"]["recipe"]
    study["merges"]["slerp"]["recipe"] = {k: v for k, v in recipe.items() if k != "models"} | {
        "slices": [{"sources": sources}]
    }
    assert faults_of(study) == [
        "merges.slerp.recipe.slices[0]: its sources have 3 and 2 layers; MergeKit needs the same "
        "number of each"
    ]


def test_filters_name_tensors_of_the_local_models(study):
    parameters = study["merges"]["slerp"]["recipe"]["parameters"]
    parameters["t"] = [{"filter": "mlp", "value": [0, 0.5, 1]}, {"value": 0.5}]
    assert faults_of(study) == []
    parameters["t"] = [{"filter": "MLP", "value": 0.5}, {"value": 0.5}]
    assert faults_of(study) == [
        "merges.slerp.recipe: parameters.t[0].filter: no tensor that this is for has 'MLP' in its name; did "
        "you mean 'mlp'? allowed: embed_tokens, layers, lm_head, mlp, model, up_proj, weight"
    ]
    parameters["t"] = [0, 0.2, 0.8, 1]
    (found,) = faults_of(study)
    assert "parameters.t: a gradient of 4 values is spread over 3 layers" in found


def test_every_point_of_a_sweep_of_gradients_is_checked(study):
    merge = study["merges"]["slerp"]
    merge["recipe"]["parameters"]["t"] = "{t}"
    merge |= {"grid": {"t": [[0, 1], [0, 0.2, 0.8, 1], 0.5]}}
    (found,) = faults_of(study)
    assert "a gradient of 4 values is spread over 3 layers" in found


def test_models_of_other_sizes_are_refused(study, tmp_path):
    checkpoint(tmp_path / "expert", layers=4, hidden_size=8)
    faults = faults_of(study)
    assert any(
        "hidden_size is 4 in generalist, 8 in expert; the two cannot be merged" in fault for fault in faults
    )
    assert any("generalist has 3 layers and expert 4" in fault for fault in faults)


def test_vocabularies_of_other_sizes_need_a_tokenizer_of_the_recipe(study, tmp_path):
    checkpoint(tmp_path / "expert", words=9)
    assert any(
        "the vocabularies differ, so add `tokenizer: {source: base}`" in fault for fault in faults_of(study)
    )
    study["merges"]["slerp"]["recipe"]["tokenizer"] = {"source": "base"}
    assert faults_of(study) == []


def test_a_search_has_no_more_blocks_than_layers(study, tmp_path):
    study["models"]["ancestor"]["source"] = str(checkpoint(tmp_path / "ancestor"))
    study["study"]["merges"] = ["evolved_dare_ties"]
    assert faults_of(study) == []
    parameters = study["merges"]["evolved_dare_ties"]["search"]["parameters"]
    parameters["expert_weight"] |= {"blocks": 4}
    study["merges"]["evolved_dare_ties"]["search"]["budget"] = {"evaluations": 60}
    assert faults_of(study) == [
        "merges.evolved_dare_ties.search.parameters.expert_weight.blocks: 4 blocks for the 3 layers of "
        "ancestor; at most 3"
    ]


def test_a_large_sweep_of_local_models_reads_each_header_once(study, tmp_path):
    for name in ("generalist", "expert"):
        shutil.rmtree(tmp_path / name)
        checkpoint(tmp_path / name, layers=80)
    sweep = study["merges"]["slerp"]
    sweep["recipe"]["parameters"] = {"t": "{t}"}
    sweep["grid"] = {"t": [n / 500 for n in range(500)]}
    began = time.process_time()
    assert faults_of(study) == []
    assert time.process_time() - began < 5
