"""Studies with LoRA adapters as parents: in the config, in a recipe, and wrong ones before anything runs."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from helpers import clone, snakemake
from lexmerge.common.files import known_hashes
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from tiny_models import byte_tokenizer, llama
from transformers import AutoModelForCausalLM

TERMS = "term\ttranslation\nanosmia\tanosmie\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A user's folder with one checkpoint and two adapters of it."""
    folder = tmp_path_factory.mktemp("user")
    clone(folder / "lexmerge")
    base = llama(folder / "base", 0, vocab_size=257)
    byte_tokenizer(base)
    for seed, name in enumerate(("medicine", "french")):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        settings = {"target_modules": ["q_proj", "down_proj"], "use_rslora": True, "init_lora_weights": False}
        get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings)).save_pretrained(folder / name)
    (folder / "terms.tsv").write_text(TERMS, encoding="utf-8")
    return folder


def study(recipe: dict | None = None, **models: dict) -> dict:
    """A study of two adapters of one model and one merge."""
    half = {"parameters": {"weight": 0.5}}
    recipe = recipe or {
        "merge_method": "linear",
        "models": [{"model": "medicine", **half}, {"model": "base+french", **half}],
        "dtype": "float32",
    }
    return {
        "study": {
            "name": "adapters",
            "languages": {"source": "en", "target": "fr"},
            **{"expert": "medicine", "generalist": "french", "models": ["medicine", "french"]},
            **{"merges": ["half"], "judges": [], "benchmarks": []},
        },
        "models": {
            "medicine": {"source": "base", "adapter": "medicine", "language": "en"},
            "french": {"source": "base", "adapter": "french"},
        }
        | models,
        "vocabulary": {"terms": "terms.tsv"},
        "translations": {"provider": "table", "path": "terms.tsv"},
        "merges": {"half": {"recipe": recipe}},
    }


def run(folder: Path, config: dict, *arguments: str, fails: bool = False):
    (folder / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    entry = ("-s", "lexmerge/workflow/Snakefile")
    return snakemake(folder, *entry, *arguments, "--configfile", "study.yaml", check=not fails)


def of_peft(folder: Path, adapter: str) -> dict[str, torch.Tensor]:
    """The weights by PEFT's own formula for a plain layer, in the model's bfloat16."""
    model = AutoModelForCausalLM.from_pretrained(folder / "base", dtype=torch.float32)
    tuned = PeftModel.from_pretrained(model, folder / adapter)
    deltas = {
        name.removeprefix("base_model.model."): module.get_delta_weight("default")
        for name, module in tuned.named_modules()
        if hasattr(module, "get_delta_weight")
    }
    base = load_file(folder / "base/model.safetensors")
    for name, delta in deltas.items():
        base[f"{name}.weight"] = (base[f"{name}.weight"].float() + delta).bfloat16()
    return base


def test_adapters_in_the_config_and_in_a_recipe_are_parents_of_a_merge(folder):
    target = "results/adapters/merges/half/provenance.json"
    run(folder, study(), target, "--cores", "2")
    results = folder / "results/adapters"
    parents = {name: of_peft(folder, name) for name in ("medicine", "french")}
    for name, expected in parents.items():
        made = load_file(results / "models" / name / "model.safetensors")
        assert made.keys() == expected.keys()
        assert all(torch.equal(made[key], tensor) for key, tensor in expected.items())
    merge = load_file(results / "merges/half/model.safetensors")
    for key, tensor in merge.items():
        mean = (parents["medicine"][key].float() + parents["french"][key].float()) / 2
        torch.testing.assert_close(tensor.float(), mean, rtol=1e-6, atol=1e-6)
    provenance = json.loads((results / "models/french/provenance.json").read_text())
    assert provenance["adapter"] == "french"
    assert provenance["inputs"]["adapter"]["adapter_model.safetensors"]
    assert set(known_hashes(results / "models/french")) >= {"config.json", "model.safetensors"}


def test_a_changed_adapter_is_folded_again_and_no_other(folder):
    run(folder, study(), "results/adapters/merges/half/provenance.json", "--cores", "2")
    config = folder / "french/adapter_config.json"
    before = config.read_text()
    config.write_text(json.dumps(json.loads(before) | {"lora_alpha": 32}))
    planned = run(folder, study(), "-n", "results/adapters/merges/half/provenance.json").stdout
    config.write_text(before)
    assert "Fold the adapter of french" in planned
    assert "Fold the adapter of medicine" not in planned
    assert "Merge half" in planned


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (
            {"french": {"source": "base", "adapter": "frensh"}},
            "models.french.adapter: 'frensh' is not a hub id",
        ),
        ({"french": {"source": "base", "adapter": "org/lora"}}, "write 'org/lora@0123abc' with its commit"),
        (
            {"french": {"source": "base", "adapter": "org/lora@main"}},
            "models.french.adapter: 'main' moves when",
        ),
        (
            {"french": {"source": "base", "adapter": "base"}},
            "no adapter_config.json, so it is not an adapter",
        ),
        (
            {"french": {"source": "bass", "adapter": "french"}},
            r"faults: - models\.french\.source: 'bass' is not",
        ),
        (
            {"french": {"source": "org/b", "adapter": "french"}},
            r"faults: - models\.french\.revision: missing; pin",
        ),
        ({"french": {"source": "french"}}, "name its model as `source`, and this folder as `adapter`"),
        (
            {"french": {"source": "other", "adapter": "french"}},
            "models.french.adapter: .*the adapter's model is",
        ),
    ],
)
def test_a_wrong_adapter_is_named_before_anything_runs(folder, models, said):
    if not (folder / "other").exists():
        llama(folder / "other", 3, vocab_size=257, hidden_size=32)
    run_ = run(folder, study(**models), "-n", fails=True)
    assert_said(run_.stderr, said)


def assert_said(text: str, said: str) -> None:
    """Match a pattern on the lines of a message as one text."""
    assert re.search(said, " ".join(text.split())), text


def test_an_adapter_beside_its_model_is_refused_or_declared(folder):
    both = folder / "both"
    shutil.copytree(folder / "base", both, dirs_exist_ok=True)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copyfile(folder / "french" / file, both / file)
    refused = run(folder, study(french={"source": "both"}), "-n", fails=True)
    assert_said(refused.stderr, "if it belongs to the model, name the folder also as `adapter`")
    declared = study(french={"source": "both", "adapter": "both"})
    run(folder, declared, "results/adapters/models/french/provenance.json", "--cores", "1")
    made = load_file(folder / "results/adapters/models/french/model.safetensors")
    assert all(torch.equal(made[key], tensor) for key, tensor in of_peft(folder, "french").items())
