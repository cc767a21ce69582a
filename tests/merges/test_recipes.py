"""Recipes: what MergeKit publishes is accepted; what is broken is refused, and the fault is named."""

import copy
import importlib.util
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT, pending, snakemake
from lexmerge.merges.recipes import base_of, expanded, filled, models_of, placeholders, with_base, with_paths
from lexmerge.study.recipe_faults import methods, recipe_faults, recipe_notes

MODELS = "models: [{model: a}, {model: b}]"
TIES = """
merge_method: ties
base_model: base
models:
  - {model: a, parameters: {weight: 0.5, density: 0.5}}
  - {model: b, parameters: {weight: [0, 0.3, 1], density: 1}}
parameters: {normalize: true, int8_mask: false}
dtype: float32
out_dtype: bfloat16
"""

# The shapes of the example recipes in MergeKit's repository and manual, with names and numbers of our own.
PUBLISHED = {
    "linear": """
        merge_method: linear
        base_model: a
        models: [{model: a, parameters: {weight: 1.0}}, {model: b, parameters: {weight: 0.3}}]
        dtype: float16
    """,
    "ties": TIES,
    "no base model where none is compared with": """
        merge_method: linear
        models: [{model: a, parameters: {weight: 1.0}}, {model: b, parameters: {weight: 0.3}}]
    """,
    "two models and no base": """
        merge_method: nuslerp
        models: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: 1}}]
        parameters:
    """,
    "a base among the models, without parameters": """
        merge_method: ties
        base_model: base
        models: [{model: base}, {model: a, parameters: {density: 0.5, weight: 0.5}}]
        parameters: {normalize: false, int8_mask: true}
    """,
    "a gradient by filter": """
        merge_method: slerp
        base_model: a
        slices:
          - sources: [{model: a, layer_range: [0, 40]}, {model: b, layer_range: [0, 40]}]
        parameters:
          t:
            - {filter: self_attn, value: [0, 0.5, 0.3, 0.7, 1]}
            - {filter: mlp, value: [1, 0.5, 0.7, 0.3, 0]}
            - value: 0.5
        dtype: float16
        tokenizer_source: union
    """,
    "stacked layers": """
        merge_method: passthrough
        base_model: a
        slices:
          - sources: [{model: a, layer_range: [0, 24]}]
          - sources: [{model: b, layer_range: [8, 32], parameters: {scale: {filter: o_proj, value: 0.0}}}]
        dtype: float16
    """,
    "modules": """
        merge_method: linear
        base_model: a
        modules:
          text_decoder:
            models: [{model: a, parameters: {weight: 0.5}}, {model: b, parameters: {weight: 0.5}}]
          vision_tower:
            slices: [{sources: [{model: a, layer_range: [0, 12], parameters: {weight: 1}}]}]
        parameters: {normalize: true}
    """,
    "a tokenizer with tokens": """
        merge_method: nuslerp
        base_model: a
        models: [{model: b, parameters: {weight: 1}}, {model: c, parameters: {weight: 1}}]
        tokenizer:
          source: union
          tokens: {"<|im_start|>": {source: b, force: true}, "<|im_end|>": {source: {kind: zero}}}
          pad_to_multiple_of: 32
        chat_template: auto
    """,
    "a number that YAML takes for a text": """
        merge_method: karcher
        base_model: a
        models: [{model: a}, {model: b}]
        parameters: {max_iter: 20, tol: 1e-6}
    """,
    "one weight for all": """
        merge_method: dare_ties
        base_model: base
        models: [{model: a}, {model: b}]
        parameters: {weight: 0.4, density: 0.6, lambda: 1.1}
    """,
    "an arithmetic of vectors that is taken away": """
        merge_method: task_arithmetic
        base_model: base
        models: [{model: a, parameters: {weight: -0.5}}]
    """,
    "model stock": """
        merge_method: model_stock
        base_model: base
        models: [{model: a}, {model: b}]
        parameters: {filter_wise: true}
    """,
    "model breadcrumbs": """
        merge_method: breadcrumbs_ties
        base_model: base
        models: [{model: a, parameters: {weight: 0.5, density: 0.9, gamma: 0.01}}]
    """,
}


def faults(text: str) -> list[str]:
    return list(recipe_faults(yaml.safe_load(text), "r"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_recipes_as_mergekit_publishes_them_are_accepted(name):
    assert faults(PUBLISHED[name]) == []


BROKEN = [
    (TIES.replace("base_model: base\n", ""), "r.base_model: missing; ties needs a base model"),
    (
        TIES.replace("density: 0.5", "densty: 0.5"),
        "r.models[0].parameters.densty: ties has no such parameter; did you mean 'density'?",
    ),
    (
        TIES.replace("density: 0.5", "density: 1.5"),
        "r.models[0].parameters.density: 1.5 is not between 0 and 1",
    ),
    (
        TIES.replace("density: 0.5", "density: -0.3"),
        "r.models[0].parameters.density: -0.3 is not between 0 and 1",
    ),
    (TIES.replace("density: 0.5", "density: half"), "r.models[0].parameters.density: 'half' is not a number"),
    (TIES.replace("density: 0.5", "density: true"), "r.models[0].parameters.density: True is not a number"),
    (
        TIES.replace("weight: 0.5,", ""),
        "r.models[0].parameters.weight: missing; ties needs it for every model",
    ),
    (TIES.replace("weight: 0.5", "weight: .nan"), "r.models[0].parameters.weight: nan is not a number"),
    (TIES.replace("[0, 0.3, 1]", "[]"), "r.models[1].parameters.weight: a list must hold numbers"),
    (TIES.replace("[0, 0.3, 1]", "[0, x]"), "r.models[1].parameters.weight[1]: 'x' is not a number"),
    (
        TIES.replace("normalize: true", "normalise: true"),
        "r.parameters.normalise: ties has no such parameter; did you mean 'normalize'?",
    ),
    (TIES.replace("normalize: true", "normalize: 1"), "r.parameters.normalize: 1 is not true or false"),
    (
        TIES.replace("dtype: float32", "dtype: bf16", 1),
        "r.dtype: 'bf16' is not one of the choices; did you mean 'bfloat16'?",
    ),
    (TIES.replace("out_dtype", "outdtype"), "r.outdtype: unknown key; did you mean 'out_dtype'?"),
    (TIES.replace("models:", "modles:"), "r.modles: unknown key; did you mean 'modules'?"),
    (
        TIES.replace("models:", "modles:"),
        "a recipe has either models, slices or modules; this one has none of them",
    ),
    (TIES.replace("model: b", "model: a"), "r.models: a model is listed more than once"),
    (
        TIES.replace("{model: a, parameters", "{modle: a, parameters"),
        "r.models[0].modle: unknown key; did you mean 'model'?",
    ),
    (TIES.replace("{weight: 0.5, density: 0.5}", "0.5"), "r.models[0].parameters: not a mapping"),
    (
        TIES.replace("density: 0.5", "normalize: true"),
        "r.models[0].parameters.normalize: it has no effect for a single model",
    ),
    (TIES + "slices: [{sources: [{model: a, layer_range: [0, 2]}]}]", "this one has models and slices"),
    (
        f"merge_method: slerp\nbase_model: base\n{MODELS}\nparameters: {{t: 0.5}}",
        "slerp merges exactly 2 models including the base model; here are 3",
    ),
    (f"merge_method: slerp\nbase_model: a\n{MODELS}", "r.parameters.t: missing; slerp needs it"),
    (
        f"merge_method: slerp\nbase_model: a\n{MODELS}\nparameters: {{t: 1.7}}",
        "r.parameters.t: 1.7 is not between 0 and 1",
    ),
    (
        f"merge_method: slerp\nbase_model: a\n{MODELS}\nparameters: {{t: [{{filter: mlp, value: 0.5}}]}}",
        "r.parameters.t: tensors that match no filter have no value",
    ),
    (
        f"merge_method: slerp\nbase_model: a\n{MODELS}\nparameters: {{t: [{{filtr: mlp, value: 0.5}}]}}",
        "r.parameters.t[0].filtr: unknown key; did you mean 'filter'?",
    ),
    (f"merge_method: linear\nbase_model: a\n{MODELS}", "r.models[0].parameters.weight: missing"),
    (f"merge_method: model_stock\nbase_model: a\n{MODELS}", "model_stock merges at least 3 models"),
    (
        "merge_method: ties\nbase_model: base\nparameters: {weight: 1}\n"
        "slices: [{sources: [{model: a, layer_range: [0, 2]}]}]",
        "ties needs the base model 'base' among them; add it",
    ),
    (
        "merge_method: passthrough\nbase_model: a\nslices: [{sources: [{model: a, layer_range: [4, 2]}]}]",
        "r.slices[0].sources[0].layer_range: [4, 2] is not [first, end]",
    ),
    (
        "merge_method: passthrough\nbase_model: a\nslices: [{source: []}]",
        "r.slices[0].source: unknown key; did you mean 'sources'?",
    ),
    (TIES + "tokenizer: {sorce: union}", "r.tokenizer.sorce: unknown key; did you mean 'source'?"),
    (
        TIES + "tokenizer: {source: union}\ntokenizer_source: base",
        "r.tokenizer_source: `tokenizer` is given too",
    ),
    (
        f"merge_method: karcher\nbase_model: a\n{MODELS}\nparameters: {{max_iter: 0}}",
        "r.parameters.max_iter: 0 is not at least 1",
    ),
]


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=[said.split(";")[0][:60] for _, said in BROKEN])
def test_a_broken_recipe_is_refused_and_its_fault_is_named(text, said):
    assert any(said in fault for fault in faults(text)), faults(text)


def test_what_has_no_effect_or_seldom_the_one_that_was_meant_is_noted():
    text = (
        TIES.replace("ties", "dare_ties")
        .replace("model: a", "model: base")
        .replace("dtype: float32", "dtype: float16", 1)
    )
    assert faults(text) == []
    assert list(recipe_notes(yaml.safe_load(text), "r")) == [
        "r.models[0]: weight, density of the base model have no effect, only those of the others",
        "r.models[1].parameters.weight: the weight has no effect unless it is 0: with one model besides the "
        "base, MergeKit divides by it; set `normalize: false` or use `lambda` if the strength matters",
        "r.dtype: DARE in float16 can overflow; `dtype: float32` with `out_dtype` is safe",
    ]


def test_the_methods_are_mergekits():
    spec = importlib.util.spec_from_file_location("make", PROJECT / "docs" / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert make.METHODS.read_text(encoding="utf-8") == make.merge_methods(), "run `make docs`"
    assert len(methods()) == 20


SWEEP = {
    "seed": 3,
    "recipe": {
        "merge_method": "ties",
        "models": [{"model": "a", "parameters": {"density": "{density}", "weight": {"weight": None}}}],
        "parameters": {"normalize": "{normalize}", "lambda": 1},
    },
    "values": {"normalize": True},
    "grid": {"weight": [0.5, 1], "density": [0.3, [0, 0.5]]},
}


def test_placeholders_are_found_with_and_without_quotes():
    assert list(placeholders(SWEEP["recipe"])) == ["density", "weight", "normalize"]
    assert yaml.safe_load("density: {density}") == {"density": {"density": None}}, "as YAML reads it"
    assert filled({"t": "{t}", "filter": "not {t}"}, {"t": 0.4}) == {"t": 0.4, "filter": "not {t}"}


def test_a_grid_is_one_merge_for_each_point_with_a_name_in_a_stable_order():
    points = expanded("ties", SWEEP)
    assert list(points) == [
        "ties_density0.3_weight0.5",
        "ties_density0.3_weight1",
        "ties_density0-0.5_weight0.5",
        "ties_density0-0.5_weight1",
    ]
    assert points["ties_density0-0.5_weight1"] == {
        "seed": 3,
        "recipe": {
            "merge_method": "ties",
            "models": [{"model": "a", "parameters": {"density": [0, 0.5], "weight": 1}}],
            "parameters": {"normalize": True, "lambda": 1},
        },
    }
    turned = copy.deepcopy(SWEEP) | {"grid": dict(reversed(SWEEP["grid"].items()))}
    assert list(expanded("ties", turned)) == list(points)
    assert list(expanded("plain", {"recipe": {}})) == ["plain"]


def test_a_method_without_a_base_takes_its_config_from_the_first_model():
    plain = {"merge_method": "linear", "models": [{"model": "b"}, {"model": "a"}]}
    assert with_base(plain, "ignored")["base_model"] == "b"
    assert with_base(plain | {"base_model": "a"}, "ignored")["base_model"] == "a"
    assert with_base(plain, "optional") == plain, "there, a base model would change the merge"


def test_models_are_found_wherever_a_recipe_may_name_one():
    recipe = {
        "base_model": "a",
        "models": [{"model": "b"}],
        "tokenizer_source": "union",
        "tokenizer": {"source": "c", "tokens": {"x": {"source": "d"}, "y": {"source": {"kind": "zero"}}}},
    }
    assert models_of(recipe) == ["a", "b", "c", "d"]
    replaced = with_paths(recipe, lambda name: f"models/{name}")
    assert replaced["tokenizer"]["tokens"]["x"] == {"source": "models/d"}
    assert replaced["tokenizer_source"] == "union"


def test_a_sweep_adds_a_merge_a_point_and_reruns_no_other(toy_copy, tmp_path):
    overlay = tmp_path / "sweep.yaml"
    overlay.write_text(
        """
        study: {name: toy, merges: [slerp, linear, task_arithmetic, ties, dare_ties, half]}
        merges:
          half:
            recipe:
              merge_method: slerp
              base_model: generalist
              models: [{model: generalist}, {model: expert}]
              parameters: {t: {t}}
              dtype: float32
              out_dtype: bfloat16
            grid: {t: [0.25, 0.5]}
        """
    )
    plan = pending(toy_copy, "--configfile", str(overlay))
    merges = {Path(file).parent.name for file in plan if file.startswith("merges/")}
    assert merges == {"half_t0.25", "half_t0.5"}
    made = "results/toy/merges/half_t0.25/provenance.json"
    snakemake(toy_copy, made, "--cores", "2", "--configfile", str(overlay))
    assert yaml.safe_load((toy_copy / "results/toy/recipes/half_t0.25.yaml").read_text())["parameters"] == {
        "t": 0.25
    }


def test_the_papers_study_in_float32_differs_in_nothing_else():
    arguments = ["-n", "--quiet", "all", "--configfile", "config/paper.yaml", "config/paper_fp32.yaml"]
    snakemake(PROJECT, *arguments)
    paper = yaml.safe_load((PROJECT / "config/paper.yaml").read_text(encoding="utf-8"))
    fp32 = yaml.safe_load((PROJECT / "config/paper_fp32.yaml").read_text(encoding="utf-8"))
    assert list(fp32) == ["study", "merges"]
    assert fp32["study"] == {"name": "paper_fp32"}
    assert list(fp32["merges"]) == paper["study"]["merges"]
    for merge in fp32["merges"].values():
        assert merge == {"recipe": {"dtype": "float32", "out_dtype": "bfloat16"}}


def test_a_tokenizers_source_is_never_the_base_wherever_it_stands():
    recipe = {"tokenizer_source": "c", "merge_method": "linear", "models": [{"model": "a"}, {"model": "b"}]}
    assert base_of(recipe) == with_base(recipe, "ignored")["base_model"] == "a"
    turned = dict(reversed(recipe.items()))
    assert base_of(turned) == with_base(turned, "ignored")["base_model"] == "a"


@pytest.mark.parametrize("method", ["linear", "karcher"])
def test_a_base_model_that_would_be_merged_in_as_one_more_is_refused(method):
    """MergeKit adds the base model to the sources of every method: a mean of two would be one of three."""
    models = [{"model": "a", "parameters": {"weight": 1}}, {"model": "b", "parameters": {"weight": 1}}]
    models = models if method == "linear" else [{"model": "a"}, {"model": "b"}]
    recipe = {"merge_method": method, "base_model": "c", "models": models, "dtype": "float32"}
    assert "r.base_model: 'c' is not one of the merged models" in next(iter(recipe_faults(recipe, "r")))
    assert list(recipe_faults(recipe | {"base_model": "b"}, "r")) == []
