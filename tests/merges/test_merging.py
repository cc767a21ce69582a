"""Merges: bit for bit MergeKit's own, right by hand, whole or absent, and never one under two names."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from lexmerge.common.errors import StudyError
from lexmerge.common.files import hashes, read_notes, read_numbers
from lexmerge.merges.preflight import needs, notes, preflight
from lexmerge.models.checkpoints import group_of, layer_of, read_headers
from lexmerge.statistics.distances import same_model_notes
from lexmerge.study.recipe_faults import methods, recipe_faults
from mergekit.scripts.run_yaml import main as mergekit_yaml
from safetensors.torch import load_file, save_file
from statistics_distances import distances
from tiny_models import SETTINGS, llama, merged, recipe
from transformers import AutoConfig


@pytest.mark.parametrize("method", methods())
def test_every_method_gives_mergekits_own_bits(method, family, tmp_path):
    content = recipe(method, family)
    assert list(recipe_faults(content, "r")) == []
    ours = merged(tmp_path, content, family["base"])
    command = [str(tmp_path / "recipe.yaml"), str(tmp_path / "theirs"), "--random-seed", "7"]
    done = CliRunner().invoke(mergekit_yaml, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert hashes(ours)["model.safetensors"] == hashes(tmp_path / "theirs")["model.safetensors"]


def with_norm(folder: Path, source: str, values: list[float]) -> str:
    """A copy of a checkpoint whose final norm is a tensor of four numbers that are known."""
    shutil.copytree(source, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] = torch.tensor(values, dtype=torch.float32)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return str(folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> str:
    return str(llama(tmp_path_factory.mktemp("small") / "m", 0, hidden_size=4, num_attention_heads=2))


@pytest.mark.parametrize(
    ("method", "base", "one", "two", "settings", "expected"),
    [
        # 0.75 * one + 0.25 * two
        ("linear", [0, 0, 0, 0], [1, 2, -3, 4], [5, -2, 1, 0], {"weight": (0.75, 0.25)}, [2, 1, -2, 3]),
        # weights that sum to 2 are divided by it
        ("linear", [0, 0, 0, 0], [1, 2, -3, 4], [5, -2, 1, 0], {"weight": (1.5, 0.5)}, [2, 1, -2, 3]),
        # base + 1 * (one - base) + 0.5 * (two - base) = [1,1,1,1] + [0,1,-4,3] + [2,-1.5,0,-0.5]
        (
            "task_arithmetic",
            [1, 1, 1, 1],
            [1, 2, -3, 4],
            [5, -2, 1, 0],
            {"weight": (1, 0.5)},
            [3, 0.5, -3, 3.5],
        ),
        # task vectors [1,-2,3,4] and [-1,5,-6,2]; the larger half of each: [0,0,3,4], [0,5,-6,0]; signs by
        # the sum [0,5,-3,4]; what agrees with them: [0,5,-6,4], by the weights that agree; plus the base
        (
            "ties",
            [1, 1, 1, 1],
            [2, -1, 4, 5],
            [0, 6, -5, 3],
            {"weight": (1, 1), "density": 0.5},
            [1, 6, -5, 5],
        ),
        # a quarter of a circle from one to two, half of the way: sin(45°) of each
        ("slerp", None, [1, 0, 0, 0], [0, 1, 0, 0], {"t": 0.5}, [0.5**0.5, 0.5**0.5, 0, 0]),
        # a third of the way: sin(60°) of one and sin(30°) of two
        ("slerp", None, [1, 0, 0, 0], [0, 1, 0, 0], {"t": 1 / 3}, [0.75**0.5, 0.5, 0, 0]),
    ],
    ids=["linear", "linear-normalized", "task_arithmetic", "ties", "slerp-half", "slerp-third"],
)
def test_merges_worked_out_by_hand(method, base, one, two, settings, expected, small, tmp_path):
    paths = [with_norm(tmp_path / n, small, v) for n, v in (("a", one), ("b", two), ("c", base or one))]
    of_models = [{"weight": w} for w in settings.get("weight", ())] or [{}, {}]
    if "density" in settings:
        of_models = [p | {"density": settings["density"]} for p in of_models]
    content = {
        "merge_method": method,
        "base_model": paths[0] if method in ("slerp", "linear") else paths[2],
        "models": [{"model": path, "parameters": p} for path, p in zip(paths[:2], of_models, strict=True)],
        "parameters": {"t": settings["t"]} if "t" in settings else {},
        "dtype": "float32",
    }
    found = load_file(merged(tmp_path, content, paths[0]) / "model.safetensors")["model.norm.weight"]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_slices_gradients_and_filters_are_merged_as_mergekit_does(family, tmp_path):
    content = {
        "merge_method": "slerp",
        "base_model": family["a"],
        "slices": [{"sources": [{"model": family[n], "layer_range": [0, 2]} for n in ("a", "b")]}],
        "parameters": {"t": [{"filter": "self_attn", "value": [0, 1]}, {"value": 0.5}]},
        "dtype": "float32",
    }
    tensors = load_file(merged(tmp_path, content, family["base"]) / "model.safetensors")
    parents = [load_file(Path(family[n]) / "model.safetensors") for n in ("a", "b")]
    for layer, parent in enumerate(parents):  # t is 0 in the first layer and 1 in the last
        name = f"model.layers.{layer}.self_attn.q_proj.weight"
        assert torch.allclose(tensors[name], parent[name].float(), atol=1e-6)
    stacked = {"merge_method": "passthrough", "base_model": family["a"]}
    stacked["slices"] = [{"sources": [{"model": family[n], "layer_range": [0, 2]}]} for n in ("a", "b")]
    (tmp_path / "stacked").mkdir()
    made = merged(tmp_path / "stacked", stacked, family["base"])
    assert read_headers(made, "made").layers == 4
    assert json.loads((made / "config.json").read_text())["num_hidden_layers"] == 4


def test_all_merges_have_one_tokenizer_and_generation_config(family, tmp_path):
    canonical = Path(shutil.copytree(family["b"], tmp_path / "canonical"))
    (canonical / "generation_config.json").write_text('{"eos_token_id": [5, 7]}')
    ours = merged(tmp_path, recipe("linear", family), str(canonical))
    for name in ("tokenizer.json", "generation_config.json"):
        assert (ours / name).read_bytes() == (canonical / name).read_bytes()
    config = json.loads((ours / "config.json").read_text())
    assert config["rope_parameters"]["rope_theta"] == 500000.0


def test_checkpoints_of_older_versions_of_transformers_are_merged(family, tmp_path):
    """Llama 3's own config has `rope_theta` at its top, and Llama 2's weights hold a table of frequencies."""
    old = {}
    for name in ("a", "b"):
        folder = Path(shutil.copytree(family[name], tmp_path / name))
        config = json.loads((folder / "config.json").read_text())
        del config["rope_parameters"], config["dtype"]
        config |= {"rope_theta": 500000.0, "rope_scaling": None, "torch_dtype": "bfloat16"}
        if name == "a":
            del config["head_dim"], config["tie_word_embeddings"]
        (folder / "config.json").write_text(json.dumps(config))
        tensors = load_file(folder / "model.safetensors")
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(2)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        old[name] = str(folder)
    ours = merged(tmp_path, recipe("linear", family | old), old["a"])
    rope = AutoConfig.from_pretrained(ours).rope_parameters
    assert (rope["rope_theta"], rope["rope_type"]) == (500000.0, "default")
    assert json.loads((ours / "provenance.json").read_text())["parents_differ"] == []


def test_provenance_has_inputs_outputs_and_how_near_the_parents_are(family, tmp_path):
    content = recipe("linear", family)
    content["models"][0]["parameters"]["weight"], content["models"][1]["parameters"]["weight"] = 1.0, 0.0
    ours = merged(tmp_path, content, family["base"])
    found = json.loads((ours / "provenance.json").read_text())
    assert found["seed"] == 7
    assert found["settings"] == SETTINGS
    assert found["inputs"][family["b"]] == hashes(family["b"])
    assert found["weights"] == {"model.safetensors": hashes(ours)["model.safetensors"]}
    same, other = found["parents"][family["a"]], found["parents"][family["b"]]
    assert list(same) == ["head", "embeddings", "layer 0", "layer 1"]
    assert all(group == {"cosine": 1.0, "delta_norm": 0.0} for group in same.values())
    one, two = (
        load_file(Path(family[n]) / "model.safetensors")["model.embed_tokens.weight"].float() for n in "ab"
    )
    assert other["embeddings"]["delta_norm"] == pytest.approx(
        ((one - two).norm() / two.norm()).item(), abs=1e-6
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"vocab_size": 13},
            r"embed_tokens.weight: \[12, 16\] in .*base and \[13, 16\] .*add `tokenizer: {source: base}`",
        ),
        ({"hidden_size": 32}, "hidden_size is 16 in .*base, 32 in"),
        (
            {"intermediate_size": 32},
            r"mlp.down_proj.weight: \[16, 24\] in .*base and \[16, 32\] in .*; the two cannot be merged",
        ),
        ({"num_hidden_layers": 3}, "has 2 layers and .*other 3; choose layers of each model with `slices`"),
    ],
    ids=["vocabulary", "hidden", "shape", "layers"],
)
def test_models_that_do_not_fit_are_named_before_any_weight_is_read(more, said, family, tmp_path):
    other = str(llama(tmp_path / "other", 3, **more))
    for file in Path(other).glob("*.safetensors"):  # the headers are all that is needed
        data = file.read_bytes()
        size = int.from_bytes(data[:8], "little")
        file.write_bytes(data[: 8 + size] + bytes(len(data) - 8 - size))
    content = recipe("ties", family | {"b": other})
    with pytest.raises(StudyError, match=said) as stop:
        merged(tmp_path, content, family["base"])
    assert str(stop.value).startswith("this recipe cannot merge the models:")
    assert not (tmp_path / "ours").exists()


def test_a_vocabulary_that_differs_is_merged_with_the_option_that_the_error_names(family, tmp_path):
    other = str(llama(tmp_path / "other", 3, vocab_size=13))
    content = recipe("linear", family | {"b": other}) | {"tokenizer": {"source": "base"}}
    assert read_headers(merged(tmp_path, content, family["base"]), "m").tensors["lm_head.weight"][0] == (
        12,
        16,
    )


def test_the_studys_tokenizer_is_not_given_to_models_of_another_vocabulary(family, tmp_path):
    other = str(llama(tmp_path / "other", 3, vocab_size=13))
    with pytest.raises(StudyError, match=r"a vocabulary of 12 tokens, but the study's generalist, .* has 13"):
        merged(tmp_path, recipe("linear", family), other)


def test_damaged_and_missing_checkpoints_are_named(family, tmp_path):
    broken = Path(shutil.copytree(family["a"], tmp_path / "broken"))
    file = broken / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(StudyError, match="is damaged or cut off"):
        read_headers(broken, "broken")
    file.unlink()
    with pytest.raises(StudyError, match="has no safetensors"):
        read_headers(broken, "broken")
    (broken / "config.json").unlink()
    with pytest.raises(StudyError, match=r"config.json is missing or cannot be read"):
        read_headers(broken, "broken")


def test_layers_that_a_model_has_not_are_named(family):
    parents = [read_headers(path, name) for name, path in family.items()]
    content = {"base_model": "base", "slices": [{"sources": [{"model": "a", "layer_range": [0, 9]}]}]}
    assert list(preflight(content, parents, "base")) == [
        "slices[0]: layer_range [0, 9] is outside of a; at most [0, 2]"
    ]


def test_what_a_merge_takes_and_what_should_be_known_is_said_before(family, tmp_path):
    parents = [read_headers(path, name) for name, path in family.items()]
    disk, memory = needs(
        {"merge_method": "ties", "dtype": "float32", "out_dtype": "bfloat16"}, parents, "base"
    )
    assert disk == 2 * parents[0].parameters
    assert memory == 24 * 16 * 4 * (10 + 3) + disk, (
        "the largest tensor, in float32, as often as TIES holds it"
    )
    base = {"merge_method": "ties", "base_model": "base"}
    assert list(notes(base | {"dtype": "float32"}, parents)) == []
    other = llama(tmp_path / "other", 3, vocab_size=13)
    named = {"models": [{"model": name} for name in (*family, "other")]}
    said = list(notes(base | named, [*parents, read_headers(other, "other")]))
    assert said[0].startswith('the tokenizers differ: other ids of the tokens "w12" in base and other')
    assert "computed in half precision" in said[1]


def test_a_merge_with_nan_is_not_kept(family, tmp_path):
    poisoned = Path(shutil.copytree(family["a"], tmp_path / "poisoned"))
    tensors = load_file(poisoned / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, poisoned / "model.safetensors", {"format": "pt"})
    with pytest.raises(StudyError, match=r"NaN or infinite values in model.norm.weight"):
        merged(tmp_path, recipe("linear", family | {"b": str(poisoned)}), family["base"])
    assert not (tmp_path / "ours").exists()


def test_two_names_for_one_model_are_called_out(family, tmp_path):
    twin = str(shutil.copytree(family["a"], tmp_path / "twin"))
    near = Path(shutil.copytree(family["a"], tmp_path / "near"))
    tensors = load_file(near / "model.safetensors")
    tensors["model.norm.weight"][0] += 0.01
    save_file(tensors, near / "model.safetensors", {"format": "pt"})
    folders = {"a": family["a"], "b": family["b"], "twin": twin, "near": str(near)}
    table = distances(folders, ("a", "b"))
    whole = table[table.group == "whole"].set_index(["model_a", "model_b"])
    assert whole.distance["a", "b"] == 1
    assert whole.distance["a", "twin"] == 0
    assert whole.cosine["a", "twin"] == 1
    assert set(table.group) == {"whole", "head", "embeddings", "layer 0", "layer 1"}
    said = same_model_notes(table, 0.01)
    assert said[0] == "a and twin have identical weights"
    assert [line.split(" (")[0] for line in said[1:]] == [
        "a and near are nearly identical",
        "twin and near are nearly identical",
    ]
    assert same_model_notes(table, 0) == said[:1]


def test_tensors_are_grouped_by_layer():
    names = ["model.layers.11.mlp.up_proj.weight", "transformer.h.3.attn.c_attn.weight", "model.norm.weight"]
    assert [layer_of(name) for name in names] == [11, 3, None]
    assert [group_of(n) for n in (*names, "model.embed_tokens.weight")] == [
        "layer 11",
        "layer 3",
        "head",
        "embeddings",
    ]


def test_the_toy_study_has_its_distances(toy):
    table = read_numbers(toy / "statistics/distances.tsv")
    whole = table[table.group == "whole"]
    assert len(whole) == 28, "8 models have 28 pairs"
    assert whole.set_index(["model_a", "model_b"]).distance["expert", "generalist"] == 1
    assert read_notes(toy / "statistics/distances.tsv") == []
    assert (toy / "figures/distances.png").stat().st_size > 10_000
