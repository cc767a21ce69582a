"""Models of the hub: headers before weights, a pinned commit, checked files, errors with their remedy."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from helpers import clone, ended, snakemake
from lexmerge.common.files import hashes
from peft import LoraConfig, PeftModel, get_peft_model
from servers.hub_server import COMMIT, hub
from tiny_models import llama
from transformers import AutoModelForCausalLM

TOKEN = "-".join(["hf", "secret", "789"])

MORE = """
study: {merges: [half, more]}
merges:
  more:
    recipe:
      merge_method: linear
      models:
        - {model: generalist, parameters: {weight: 0.25}}
        - {model: expert, parameters: {weight: 0.75}}
      dtype: float32
"""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hub")
    wide = {"one": {}, "two": {}, "wide": {"vocab_size": 13}}
    made = {
        f"org/{name}": llama(folder / name, seed, **more) for seed, (name, more) in enumerate(wide.items())
    }
    model = AutoModelForCausalLM.from_pretrained(made["org/two"], dtype=torch.float32)
    settings = LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(model, settings).save_pretrained(folder / "lora")
    config = folder / "lora/adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "org/two"}))
    return made | {"org/lora": folder / "lora"}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A clone with a study of two hub models and one merge; gives a function that runs a target of it."""
    folder = clone(tmp_path / "lexmerge")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")

    def run(
        server,
        target: str,
        *arguments: str,
        expert: str = "org/two",
        revision: str = "main",
        adapter: dict | None = None,
        **more,
    ):
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        pinned = {"revision": revision, **({"allow_moving": True} if revision == "main" else {})}
        config = {
            "study": {
                "name": "hub",
                "languages": {"source": "en", "target": "fr"},
                "expert": "expert",
                "generalist": "generalist",
                "models": ["expert", "generalist"],
                "merges": ["half"],
                "judges": [],
                "benchmarks": [],
            },
            "models": {
                "generalist": {"source": "org/one", **pinned},
                "expert": {"source": expert, "language": "en", **pinned, **(adapter or {})},
            },
            "vocabulary": {"terms": "resources/template/terms.tsv"},
            "translations": {"provider": "none"},
            "merges": {
                "half": {
                    "recipe": {
                        "merge_method": "linear",
                        "models": [
                            {"model": m, "parameters": {"weight": 0.5}} for m in ("generalist", "expert")
                        ],
                        "dtype": "float32",
                    }
                }
            },
        }
        (folder / "hub.yaml").write_text(yaml.safe_dump(config))
        return folder, snakemake(
            folder, target, "--cores", "1", "--configfile", "hub.yaml", *arguments, **more
        )

    return run


def test_hub_models_are_fetched_at_their_commit_and_merged_and_no_more_is_asked(checkpoints, study):
    made = "results/hub/merges/half/provenance.json"
    with hub(checkpoints) as server:
        folder, _ = study(server, made)
        assert "half:" in (folder / "results/hub/logs/models/expert.log").read_text(), (
            "what the merge will take"
        )
        for name, source in (("generalist", "org/one"), ("expert", "org/two")):
            found = json.loads((folder / f"results/hub/models/{name}/provenance.json").read_text())
            assert (found["source"], found["revision"], found["commit"]) == (source, "main", COMMIT)
            assert found["files"] == hashes(checkpoints[source])
        assert list(json.loads((folder / made).read_text())["parents"]) == [
            "results/hub/models/generalist",
            "results/hub/models/expert",
        ]
        asked = len(server.asked)
        _, done = study(server, made)
        assert "Nothing to be done" in done.stdout + done.stderr
        (folder / "more.yaml").write_text(MORE)
        _, done = study(
            server, "results/hub/merges/more/provenance.json", "--configfile", "hub.yaml", "more.yaml"
        )
        assert "merges more" in ended(done)
        assert not [job for job in ended(done) if job.startswith("models")]
        assert len(server.asked) == asked, "another merge of the same models asks the hub for nothing"


ADAPTER = {"adapter": f"org/lora@{COMMIT}"}


def test_an_adapter_of_the_hub_is_fetched_at_its_commit_and_folded(checkpoints, study):
    with hub(checkpoints) as server:
        folder, _ = study(server, "results/hub/merges/half/provenance.json", adapter=ADAPTER)
    made = folder / "results/hub/models/expert"
    found = json.loads((made / "provenance.json").read_text())
    assert (found["source"], found["adapter"], found["adapter_commit"]) == (
        "org/two",
        *ADAPTER.values(),
        COMMIT,
    )
    assert found["inputs"]["adapter"] == hashes(checkpoints["org/lora"])
    with torch.inference_mode():
        base = AutoModelForCausalLM.from_pretrained(checkpoints["org/two"], dtype=torch.float32)
        expected = PeftModel.from_pretrained(base, checkpoints["org/lora"])(torch.tensor([[1, 2, 3]])).logits
        got = AutoModelForCausalLM.from_pretrained(made, dtype=torch.float32)(
            torch.tensor([[1, 2, 3]])
        ).logits
    torch.testing.assert_close(got, expected, rtol=0.02, atol=0.02)


def test_an_adapter_of_another_model_of_the_hub_is_refused_before_weights_are_fetched(checkpoints, study):
    with hub(checkpoints) as server:
        target = "results/hub/models/expert/provenance.json"
        folder, done = study(server, target, expert="org/one", adapter=ADAPTER, check=False)
    said = done.stdout + done.stderr
    assert "models.expert.adapter cannot be folded into its model" in said
    assert "org/lora: the adapter was trained on org/two, not on org/one" in said
    assert not list(folder.glob("results/hub/models/*/*.safetensors"))


def test_models_that_do_not_fit_are_named_and_no_weights_are_fetched(checkpoints, study):
    with hub(checkpoints) as server:
        folder, done = study(
            server, "results/hub/merges/half/provenance.json", expert="org/wide", check=False
        )
    said = done.stdout + done.stderr
    assert "some merges cannot be made, so no weights were fetched" in said
    assert "half: model.embed_tokens.weight: [12, 16] in generalist and [13, 16] in expert" in said
    assert "add `tokenizer: {source: base}`" in said
    assert not list(folder.glob("results/hub/models/*/*.safetensors"))


def test_a_gated_model_names_its_licence_and_the_variable_and_never_the_token(
    checkpoints, study, monkeypatch
):
    with hub(checkpoints, gated={"org/two"}) as server:
        target = "results/hub/models/expert/provenance.json"
        folder, done = study(server, target, check=False)
        said = done.stdout + done.stderr
        assert "org/two is gated: accept its licence at https://huggingface.co/org/two" in said
        assert "the environment variable HF_TOKEN" in said
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        _, done = study(server, target)
        assert TOKEN in server.tokens
        assert TOKEN not in done.stdout + done.stderr
        assert [f for f in folder.rglob("*") if f.is_file() and TOKEN.encode() in f.read_bytes()] == []


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_model_that_needs_its_own_code_is_refused_before_its_weights_are_fetched(
    checkpoints, study, tmp_path, file
):
    evil = shutil.copytree(checkpoints["org/two"], tmp_path / "evil")
    content = json.loads((evil / file).read_text()) | {"auto_map": {"AutoConfig": "code.Evil"}}
    (evil / file).write_text(json.dumps(content))
    (evil / "code.py").write_text("class Evil: pass\n")
    with hub(checkpoints | {"org/evil": evil}) as server:
        target = "results/hub/models/expert/provenance.json"
        folder, done = study(server, target, expert="org/evil", check=False)
        whole = [path for path, _ in server.asked if path.endswith("code.py")]
    said = done.stdout + done.stderr
    assert (
        f"models: org/evil/{file} has `auto_map`: the model needs its own code, which lexmerge never" in said
    )
    assert "from a copy of the checkpoint, and name its folder as the model's source" in said
    assert not whole
    assert not (folder / target).exists()
    assert not list(folder.glob("results/hub/models/*/*.safetensors"))


def test_names_and_revisions_that_the_hub_has_not_are_named(checkpoints, study):
    with hub(checkpoints) as server:
        target = "results/hub/models/expert/provenance.json"
        _, done = study(server, target, expert="org/none", check=False)
        assert "the hub has no public model 'org/none'" in done.stdout + done.stderr
        _, done = study(server, target, revision="v9", check=False)
        assert "has no revision 'v9'; name one of its commits" in done.stdout + done.stderr


def test_weights_that_come_damaged_are_removed_and_fetched_anew(checkpoints, study):
    made = "results/hub/models/expert/provenance.json"
    with hub(checkpoints) as server:
        server.damaged.add("model.safetensors")
        folder, done = study(server, made, check=False)
        assert (
            "model.safetensors was damaged in the download and removed; run again"
            in done.stdout + done.stderr
        )
        assert not (folder / made).exists()
        server.damaged.clear()
        study(server, made)
    assert json.loads((folder / made).read_text())["files"] == hashes(checkpoints["org/two"])
