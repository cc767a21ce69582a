"""Settings as MergeKit reads them: which tensors a filter reaches, gradients, and weights that cancel."""

import copy
import itertools
from pathlib import Path

import mergekit.parameter_resolver as resolver
import pytest
import torch
from lexmerge.merges.idle_weights import NORMALIZE, idle_weights
from lexmerge.merges.methods import methods
from lexmerge.merges.preflight import needs
from lexmerge.merges.reach import setting_faults, tensors_of
from lexmerge.merges.settings import spans, value_at
from lexmerge.models.checkpoints import Headers, full_names, read_headers
from mergekit import merge_methods
from mergekit.architecture import get_architecture_info
from mergekit.config import ConditionalParameter, MergeConfiguration, evaluate_setting
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from mergekit.plan import MergePlanner
from safetensors.torch import load_file, save_file
from tiny_models import llama, merged
from transformers import AutoConfig


@pytest.fixture(scope="module")
def family(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("settings")
    return {name: str(llama(folder / name, seed, num_hidden_layers=4)) for seed, name in enumerate("ab")}


def headers(family: dict[str, str]) -> list[Headers]:
    return [read_headers(path, path) for path in family.values()]


def slerp(family: dict[str, str], t: object, *ranges: tuple[int, int, int, int]) -> dict:
    """A SLERP of both models, or of slices of them."""
    made = {"merge_method": "slerp", "base_model": family["a"], "parameters": {"t": t}, "dtype": "float32"}
    paths = list(family.values())
    slices = [
        {"sources": [{"model": p, "layer_range": r} for p, r in ((paths[0], [a, b]), (paths[1], [c, d]))]}
        for a, b, c, d in ranges
    ]
    models = {"models": [{"model": path} for path in family.values()]}
    return made | ({"slices": slices} if ranges else models)


def looked_up(recipe: dict, monkeypatch) -> set[tuple[str, float]]:
    """The tensors and positions for which MergeKit's planner asks for the values of a recipe."""
    asked: set[tuple[str, float]] = set()

    def noted(tensor, setting, t=0, *, validate):
        asked.add((tensor, round(t, 6)))
        return evaluate_setting(tensor, setting, t, validate=validate)

    monkeypatch.setattr(resolver, "evaluate_setting", noted)
    config = MergeConfiguration.model_validate(copy.deepcopy(recipe))
    options = MergeOptions()
    out = AutoConfig.from_pretrained(recipe["base_model"])
    MergePlanner(config, get_architecture_info(config, options), options, out).plan_to_disk("not written")
    return asked


@pytest.mark.parametrize("ranges", [(), ((0, 2, 1, 3),), ((0, 4, 0, 4),), ((0, 1, 3, 4), (1, 4, 0, 3))])
def test_filters_are_compared_with_the_names_that_mergekit_compares(family, monkeypatch, ranges):
    recipe = slerp(family, 0.5, *ranges)
    ours = {
        (name, round(t, 6)) for span in spans(recipe) for name, t in tensors_of(span, headers(family), None)
    }
    theirs = looked_up(recipe, monkeypatch)
    assert theirs <= ours
    assert ours - theirs <= {("lm_head.weight", 0), ("model.norm.weight", 0)}, "heads of other architectures"


@pytest.mark.parametrize("tensor", ["model.layers.1.mlp.up_proj.weight", "lm_head.weight"])
@pytest.mark.parametrize("t", [0, 0.25, 0.5, 0.9, 1])
def test_values_are_those_of_mergekit(tensor, t):
    plain = [0.5, "1e-3", [0, 1], [0.1, 0.9, 0.2], [1, 2, 3, 4], [7]]
    filters = [None, "*", "", "mlp", "MLP", "up_proj.weight", "layers.1.", "m.p", "head"]
    settings = [
        *plain,
        *({"filter": name, "value": value} for name, value in itertools.product(filters, plain[:4])),
        *(
            [{"filter": one, "value": 0.3}, {"filter": two, "value": [0, 0.7]}]
            for one, two in itertools.product(filters, filters)
        ),
    ]
    for setting in settings:
        listed = setting if isinstance(setting, list) and isinstance(setting[0], dict) else [setting]
        theirs = [ConditionalParameter.model_validate(c) if isinstance(c, dict) else c for c in listed]
        given = theirs if listed is setting else theirs[0]
        assert value_at(setting, tensor, t) == evaluate_setting(tensor, given, t, validate=float), setting


@pytest.mark.parametrize(
    ("t", "said"),
    [
        ([{"filter": "slef_attn", "value": 0}, {"value": 0.5}], "did you mean 'self_attn'?"),
        ([{"filter": "MLP", "value": 0}, {"value": 0.5}], "did you mean 'mlp'?"),
        ([{"filter": "input_layer_norm", "value": 0}, {"value": 0.5}], "did you mean 'input_layernorm'?"),
        ([{"filter": "self_attn.q_porj", "value": 0}, {"value": 0.5}], "did you mean 'self_attn.q_proj'?"),
        ([{"filter": "self_attn.*", "value": 0}, {"value": 0.5}], "no tensor that this is for has"),
        ([{"filter": "layers.4.", "value": 0}, {"value": 0.5}], "no tensor that this is for has 'layers.4.'"),
    ],
)
def test_a_filter_without_a_tensor_is_a_fault_with_the_nearest_part(family, t, said):
    (found,) = setting_faults(slerp(family, t), headers(family))
    assert found.startswith("parameters.t[0].filter: ")
    assert said in found


def test_a_filter_whose_tensors_are_all_taken_is_a_fault(family):
    t = [{"filter": n, "value": 0} for n in ("q_proj", "k_proj", "v_proj", "o_proj", "self_attn")]
    (found,) = setting_faults(slerp(family, [*t, {"value": 0.5}]), headers(family))
    assert found.startswith("parameters.t[4].filter: all tensors with 'self_attn' are taken by the filters")


def test_a_filter_is_looked_for_in_its_own_layers(family):
    recipe = slerp(family, 0.5, (0, 2, 0, 2), (2, 4, 2, 4))
    for number, name, found in (
        (0, "embed_tokens", 0),
        (1, "embed_tokens", 1),
        (1, "lm_head", 0),
        (1, "layers.3.", 0),
        (0, "layers.3.", 1),
    ):
        part = copy.deepcopy(recipe)
        part["slices"][number]["parameters"] = {"t": [{"filter": name, "value": 0}, {"value": 1}]}
        assert len(list(setting_faults(part, headers(family)))) == found, (number, name)


def test_gradients_are_as_long_as_the_models_at_most(family):
    assert list(setting_faults(slerp(family, [0, 0.5, 0.5, 1]), headers(family))) == []
    (found,) = setting_faults(slerp(family, [0, 0.5, 0.5, 0.5, 1]), headers(family))
    assert "a gradient of 5 values is spread over 4 layers" in found


@pytest.mark.parametrize(("density", "faulty"), [([0.5, 1], True), ([0.5, 0.7], False), (1, False)])
def test_della_is_refused_where_mergekit_stops(family, tmp_path, density, faulty):
    models = [{"model": family["b"], "parameters": {"weight": 0.5, "density": density, "epsilon": 0.2}}]
    recipe = {"merge_method": "della", "base_model": family["a"], "models": models, "dtype": "float32"}
    assert any(setting_faults(recipe, headers(family))) == faulty
    config = MergeConfiguration.model_validate(copy.deepcopy(recipe))
    if faulty:
        with pytest.raises(Exception, match="Epsilon must be chosen"):
            run_merge(config, str(tmp_path / "m"), MergeOptions(quiet=True))
    else:
        run_merge(config, str(tmp_path / "m"), MergeOptions(quiet=True))


def test_the_defaults_of_normalize_are_mergekits():
    found = {}
    for name in methods():
        for parameter in merge_methods.get(name).spec.parameters:
            if parameter.name == "normalize":
                found[name] = parameter.default
    assert found == NORMALIZE


@pytest.mark.parametrize("method", [*NORMALIZE, "multislerp"])
def test_the_weight_of_a_single_model_cancels_in_mergekit(family, tmp_path, method):
    def made(weight: float, **parameters) -> torch.Tensor:
        entry = {"model": family["b"], "parameters": {"weight": weight}}
        base = {} if method == "linear" else {"base_model": family["a"]}
        recipe = {
            "merge_method": method,
            "models": [entry],
            "parameters": parameters,
            "dtype": "float32",
        } | base
        idle = [place for place, _ in idle_weights(recipe)]
        assert idle == ([] if parameters.get("normalize") is False else ["models[0].parameters.weight"])
        folder = tmp_path / f"{weight}{parameters}"
        run_merge(MergeConfiguration.model_validate(recipe), str(folder), MergeOptions(quiet=True))
        return load_file(folder / "model.safetensors")["model.layers.1.mlp.up_proj.weight"]

    normalize = {} if method == "multislerp" else {"normalize": True}
    assert torch.allclose(made(0.2, **normalize), made(0.9, **normalize), atol=1e-6)
    if normalize:
        assert not torch.allclose(made(0.2, normalize=False), made(0.9, normalize=False), atol=1e-3)


@pytest.mark.parametrize("other", ["first", "last"])
def test_a_slice_without_layers_gives_embeddings_or_a_head(family, tmp_path, other):
    whole = {"sources": [{"model": family["a"], "layer_range": [0, 4]}]}
    empty = {"sources": [{"model": family["b"], "layer_range": [0, 0] if other == "first" else [4, 4]}]}
    slices = [empty, whole] if other == "first" else [whole, empty]
    recipe = {"merge_method": "passthrough", "base_model": family["a"], "slices": slices}
    ours = load_file(merged(tmp_path, copy.deepcopy(recipe), family["a"]) / "model.safetensors")
    run_merge(MergeConfiguration.model_validate(recipe), str(tmp_path / "theirs"), MergeOptions(quiet=True))
    theirs = load_file(tmp_path / "theirs" / "model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    a, b = (load_file(Path(path) / "model.safetensors") for path in family.values())
    outside = ["model.embed_tokens.weight"] if other == "first" else ["model.norm.weight", "lm_head.weight"]
    assert all(torch.equal(ours[name], (b if name in outside else a)[name]) for name in ours)


@pytest.mark.parametrize("dtype", [None, "float32", "bfloat16"])
@pytest.mark.parametrize("out_dtype", [None, "float16"])
@pytest.mark.parametrize("parents", ["BF16", "F32", "both", "two halves"])
def test_the_size_on_the_disk_is_that_of_the_merge(family, tmp_path, dtype, out_dtype, parents):
    wide = {name: str(llama(tmp_path / name, seed, num_hidden_layers=4)) for seed, name in enumerate("ab")}
    for name, path in wide.items():
        if parents == "F32" or (parents == "both" and name == "b"):
            store(Path(path), torch.float32)
        if parents == "two halves" and name == "b":
            store(Path(path), torch.float16)
    recipe = slerp(wide, 0.5, (0, 4, 0, 4), (1, 3, 1, 3))
    recipe = {k: v for k, v in (recipe | {"dtype": dtype, "out_dtype": out_dtype}).items() if v is not None}
    disk, _ = needs(recipe, headers(wide), wide["a"])
    run_merge(MergeConfiguration.model_validate(recipe), str(tmp_path / "m"), MergeOptions(quiet=True))
    written = load_file(tmp_path / "m" / "model.safetensors").values()
    assert disk == sum(tensor.numel() * tensor.element_size() for tensor in written)


def store(folder: Path, dtype: torch.dtype) -> None:
    """Store a model's weights in another dtype."""
    tensors = {name: t.to(dtype) for name, t in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def test_a_union_has_all_tokens_of_different_tokenizers_at_most(family, tmp_path):
    other = str(llama(tmp_path / "other", 5, num_hidden_layers=4, vocab_size=20))
    both = {"a": family["a"], "other": other}
    recipe = slerp(both | {"b": other}, 0.5) | {"tokenizer_source": "union"}
    recipe["models"] = [{"model": path} for path in both.values()]
    plain = needs(slerp(family, 0.5), headers(family), family["a"])[0]
    row = 2 * 16 * 4  # of the embeddings and the head, in float32
    parents = headers(both)
    assert needs(recipe, parents, family["a"])[0] == plain + 20 * row
    of_one = recipe | {"tokenizer_source": other}
    assert needs(of_one, parents, family["a"])[0] == plain + 8 * row
    padded = {k: v for k, v in recipe.items() if k != "tokenizer_source"}
    padded["tokenizer"] = {"source": "base", "pad_to_multiple_of": 16}
    assert needs(padded, parents, family["a"])[0] == plain + 4 * row


def test_gpt_2_is_named_as_mergekit_names_it_however_it_is_stored():
    stored = {"h.0.attn.c_attn.weight": ((4, 4), "F32"), "wte.weight": ((8, 4), "F32")}
    parents = [Headers(name, {}, full_names(stored), None) for name in "ab"]
    t = [{"filter": "transformer.h.0.attn", "value": 0}, {"filter": "transformer.wte", "value": 1}]
    assert list(setting_faults(slerp({"a": "a", "b": "b"}, [*t, {"value": 0.5}]), parents)) == []
