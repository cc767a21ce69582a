"""LoRA adapters as parents: the folded model computes as PEFT's own forward pass with the adapter."""

import json

import pytest
import torch
from lexmerge.common.errors import StudyError
from lexmerge.models.adapters import folded_headers, read_adapter
from lexmerge.models.checkpoints import read_headers
from lexmerge.models.folding import fold
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedTokenizerFast,
)

IDS = torch.tensor([[1, 5, 39, 7, 2, 30]])


def llama(tied=False, bias=False):
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "vocab_size": 40}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    config = LlamaConfig(
        **sizes, **heads, initializer_range=0.3, tie_word_embeddings=tied, attention_bias=bias, mlp_bias=bias
    )
    return LlamaForCausalLM(config)


def gpt2():
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, initializer_range=0.3, **ends)
    )


def tokenizer(words):
    core = Tokenizer(models.WordLevel({f"w{n}": n for n in range(words)}, unk_token="w0"))
    return PreTrainedTokenizerFast(tokenizer_object=core)


def trained(model):
    """Give every parameter that training would change another value, as training does."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator)


@pytest.fixture
def pair(tmp_path):
    """Makes a model and an adapter that was trained on it, and returns their folders."""

    def make(model, resized=None, shard="5GB", **settings):
        torch.manual_seed(0)
        base, adapter = tmp_path / "base", tmp_path / "adapter"
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("bias"):
                    parameter += torch.randn(parameter.shape)
        model.save_pretrained(base, max_shard_size=shard)
        tokenizer(40).save_pretrained(base)
        model = type(model).from_pretrained(base)
        if resized:
            model.resize_token_embeddings(resized, mean_resizing=False)
        saved = settings.pop("save_embedding_layers", "auto")
        tuned = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=12, **settings))
        trained(tuned)
        tuned.save_pretrained(adapter, save_embedding_layers=saved)
        if resized:
            tokenizer(resized).save_pretrained(adapter)
        return base, adapter

    return make


def reference(base, adapter, resized=None):
    """The logits of PEFT's forward pass, which applies an adapter beside the weights and folds nothing."""
    model = AutoModelForCausalLM.from_pretrained(base)
    if resized:
        model.resize_token_embeddings(resized, mean_resizing=False)
    with torch.inference_mode():
        return PeftModel.from_pretrained(model, adapter).eval()(IDS).logits


def folded(base, adapter, target):
    target.mkdir()
    fold(base, adapter, str(base), target)
    with torch.inference_mode():
        return AutoModelForCausalLM.from_pretrained(target).eval()(IDS).logits


Q = ["q_proj"]
ALL = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]


def neox(tied=False):
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = GPTNeoXConfig(**sizes, vocab_size=40, initializer_range=0.3, tie_word_embeddings=tied)
    return GPTNeoXForCausalLM(config)


def phi():
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    return PhiForCausalLM(PhiConfig(**sizes, vocab_size=40, initializer_range=0.3))


KINDS = {
    "every linear layer but": (
        llama,
        {"target_modules": "all-linear", "exclude_modules": ["q_proj", "o_proj"]},
    ),
    "names of other families": (llama, {"target_modules": ["q_proj", "query_key_value", "Wqkv"]}),
    "saved blocks": (llama, {"target_modules": Q, "modules_to_save": ["layers.1.mlp", "layernorm"]}),
    "saved with embeddings": (llama, {"target_modules": Q, "save_embedding_layers": True}),
    "GPT-NeoX": (neox, {"target_modules": ["query_key_value", "dense_4h_to_h"]}),
    "head of GPT-NeoX": (neox, {"target_modules": ["query_key_value"], "modules_to_save": ["lm_head"]}),
    "Phi with biases": (phi, {"target_modules": ["q_proj", "fc1"], "bias": "all"}),
    "head of Phi": (phi, {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}),
    "plain": (llama, {"target_modules": ALL}),
    "shards": (llama, {"target_modules": ALL, "shard": "8KB"}),
    "every linear layer": (llama, {"target_modules": "all-linear"}),
    "a pattern": (llama, {"target_modules": r".*\.1\..*(q|v)_proj"}),
    "some layers": (llama, {"target_modules": Q, "layers_to_transform": [1]}),
    "rsLoRA": (llama, {"target_modules": ALL, "use_rslora": True}),
    "DoRA": (llama, {"target_modules": ALL, "use_dora": True}),
    "rsLoRA and DoRA": (llama, {"target_modules": ALL, "use_dora": True, "use_rslora": True}),
    "ranks and alphas": (
        llama,
        {
            "target_modules": ALL,
            "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 3},
            "alpha_pattern": {"o_proj": 5},
        },
    ),
    "all biases": (lambda: llama(bias=True), {"target_modules": Q, "bias": "all"}),
    "biases of LoRA": (lambda: llama(bias=True), {"target_modules": Q, "bias": "lora_only"}),
    "lora_bias": (lambda: llama(bias=True), {"target_modules": Q, "lora_bias": True}),
    "saved modules": (llama, {"target_modules": Q, "modules_to_save": ["embed_tokens", "lm_head", "norm"]}),
    "embeddings and head": (llama, {"target_modules": ["q_proj", "embed_tokens", "lm_head"]}),
    "DoRA of embeddings": (
        llama,
        {"target_modules": ["q_proj", "embed_tokens", "lm_head"], "use_dora": True},
    ),
    "tokens": (llama, {"target_modules": Q, "trainable_token_indices": [39, 5]}),
    "tokens of both": (
        llama,
        {"target_modules": Q, "trainable_token_indices": {"embed_tokens": [5], "lm_head": [7]}},
    ),
    "tied": (lambda: llama(True), {"target_modules": Q}),
    "tied, saved embeddings": (
        lambda: llama(True),
        {"target_modules": Q, "modules_to_save": ["embed_tokens"]},
    ),
    "tied, saved head": (lambda: llama(True), {"target_modules": Q, "modules_to_save": ["lm_head"]}),
    "tied, embeddings": (lambda: llama(True), {"target_modules": ["embed_tokens"]}),
    "tied, head": (lambda: llama(True), {"target_modules": ["lm_head"]}),
    "tied, tokens": (lambda: llama(True), {"target_modules": Q, "trainable_token_indices": [5, 39]}),
    "tied, kept tied": (
        lambda: llama(True),
        {"target_modules": Q, "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
    ),
    "tied in shards": (lambda: llama(True), {"target_modules": ["embed_tokens"], "shard": "8KB"}),
    "GPT-2": (gpt2, {"target_modules": ["c_attn", "c_proj", "c_fc"]}),
    "GPT-2 with DoRA": (
        gpt2,
        {"target_modules": ["c_attn", "c_proj"], "use_dora": True, "fan_in_fan_out": True},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folded_model_computes_as_peft_with_the_adapter(pair, tmp_path, kind):
    make, settings = KINDS[kind]
    base, adapter = pair(make(), **settings)
    expected = reference(base, adapter)
    with torch.inference_mode():
        without = AutoModelForCausalLM.from_pretrained(base).eval()(IDS).logits
    got = folded(base, adapter, tmp_path / "folded")
    assert (expected - without).abs().max() > 0.01
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shard", ["5GB", "8KB"])
def test_a_gpt_2_stored_without_the_start_of_its_names_is_folded_too(pair, tmp_path, shard):
    base, adapter = pair(gpt2(), target_modules=["c_attn", "wte"], shard=shard)
    expected = reference(base, adapter)
    for file in base.glob("*.safetensors"):
        save_file(
            {n.removeprefix("transformer."): t for n, t in load_file(file).items()}, file, {"format": "pt"}
        )
    if (index := base / "model.safetensors.index.json").exists():
        index.write_text(index.read_text().replace('"transformer.', '"'))
    torch.testing.assert_close(folded(base, adapter, tmp_path / "folded"), expected, rtol=1e-4, atol=1e-5)


def rewritten(base, name_of=str, **tensors):
    """Change a model's file: other names, and more tensors."""
    file = base / "model.safetensors"
    save_file({name_of(n): t for n, t in load_file(file).items()} | tensors, file, {"format": "pt"})


def test_the_mask_tables_of_pythia_are_kept_and_are_no_quantised_weights(pair, tmp_path):
    base, adapter = pair(neox(), target_modules=["query_key_value"])
    expected = reference(base, adapter)
    masks = {"bias": torch.ones(1, 1, 8, 8, dtype=torch.bool), "masked_bias": torch.tensor(-1e9).half()}
    tables = {f"gpt_neox.layers.{n}.attention.{key}": table for n in range(2) for key, table in masks.items()}
    rewritten(base, **{name: table.clone() for name, table in tables.items()})
    torch.testing.assert_close(folded(base, adapter, tmp_path / "folded"), expected, rtol=1e-4, atol=1e-5)
    assert tables.keys() <= load_file(tmp_path / "folded/model.safetensors").keys()


def test_patterns_are_for_the_names_of_modules_in_peft_whatever_they_are_on_file(pair, tmp_path):
    patterns = {
        "alpha_pattern": {"model.layers.0.self_attn.q_proj": 60, "^model.layers.1.self_attn.q_proj": 1}
    }
    ranks = {"rank_pattern": {"model.layers.1.self_attn.q_proj": 2}}
    base, adapter = pair(llama(), target_modules=Q, **patterns, **ranks)
    rewritten(base, lambda name: name.removeprefix("model."))
    expected = reference(base, adapter)
    torch.testing.assert_close(folded(base, adapter, tmp_path / "folded"), expected, rtol=1e-4, atol=1e-5)


HEADED = [{"target_modules": Q}, {"target_modules": Q, "modules_to_save": ["embed_tokens"]}]
HEADED += [{"target_modules": ["embed_tokens"]}, {"target_modules": Q, "trainable_token_indices": [5, 39]}]


@pytest.mark.parametrize("settings", HEADED)
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("said", [True, False])
def test_a_tied_model_with_a_head_on_file_is_read_as_transformers_reads_it(
    pair, tmp_path, settings, same, said
):
    base, _ = pair(llama(True), target_modules=Q)
    embeddings = load_file(base / "model.safetensors")["model.embed_tokens.weight"]
    rewritten(base, **{"lm_head.weight": embeddings.clone() if same else 0.3 * torch.randn(40, 16)})
    model = AutoModelForCausalLM.from_pretrained(base)
    tuned = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, **settings))
    trained(tuned)
    tuned.save_pretrained(tmp_path / "of_headed")
    if not said:
        config = json.loads((base / "config.json").read_text())
        config.pop("tie_word_embeddings", None)
        (base / "config.json").write_text(json.dumps(config))
    if said and not same and "trainable_token_indices" in settings:
        with pytest.raises(StudyError, match="is said to be tied but has a head of its own; set `tie_word"):
            folded(base, tmp_path / "of_headed", tmp_path / "folded")
        return
    expected = reference(base, tmp_path / "of_headed")
    got = folded(base, tmp_path / "of_headed", tmp_path / "folded")
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_new_tokens_with_trained_rows_are_folded(pair, tmp_path, tied):
    indices = [40, 41, 42, 43, 5]
    base, adapter = pair(llama(tied), resized=44, target_modules=Q, trainable_token_indices=indices)
    expected = reference(base, adapter, resized=44)
    got = folded(base, adapter, tmp_path / "folded")
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_a_tokenizer_with_more_tokens_than_rows_is_refused(pair, tmp_path):
    base, adapter = pair(llama(), target_modules=Q)
    tokenizer(44).save_pretrained(adapter)
    with pytest.raises(
        StudyError, match="'w43' of its tokenizer has the id 43, but the embeddings have 40 rows"
    ):
        folded(base, adapter, tmp_path / "folded")


def test_an_extended_vocabulary_of_a_head_with_a_bias_is_folded(pair, tmp_path):
    base, adapter = pair(
        phi(), resized=44, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"]
    )
    got = folded(base, adapter, tmp_path / "folded")
    torch.testing.assert_close(got, reference(base, adapter, resized=44), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(
    "also", [{}, {"modules_to_save": ["embed_tokens", "lm_head"], "ensure_weight_tying": True}]
)
def test_an_extended_vocabulary_comes_with_its_rows_and_its_tokenizer(pair, tmp_path, tied, also):
    base, adapter = pair(llama(tied), resized=44, target_modules=Q, **also)
    got = folded(base, adapter, tmp_path / "folded")
    assert got.shape[-1] == 44
    torch.testing.assert_close(got, reference(base, adapter, resized=44), rtol=1e-4, atol=1e-5)
    assert len(AutoTokenizer.from_pretrained(tmp_path / "folded")) == 44


@pytest.mark.parametrize("kind", KINDS)
def test_the_headers_of_a_folded_model_are_known_before_it_is_made(pair, tmp_path, kind):
    make, settings = KINDS[kind]
    base, adapter = pair(make(), **settings)
    folded(base, adapter, tmp_path / "folded")
    foretold = folded_headers(read_headers(base, "m"), read_adapter(adapter), "m")
    made = read_headers(tmp_path / "folded", "m")
    assert foretold.tensors == made.tensors
    assert foretold.config == made.config


def edited(adapter, **keys):
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def without(adapter, part):
    file = adapter / "adapter_model.safetensors"
    save_file({name: t for name, t in load_file(file).items() if part not in name}, file)


REFUSED = {
    "another kind": (lambda a: edited(a, peft_type="LOHA"), "kind 'LOHA'; only LoRA"),
    "PiSSA": (lambda a: edited(a, init_lora_weights="pissa_niter_4"), "pissa_niter_4`, which also changes"),
    "an unknown feature": (
        lambda a: edited(a, layer_replication=[[0, 2]]),
        "`layer_replication` of adapter_config",
    ),
    "a later feature": (lambda a: edited(a, use_newer_trick=True), "`use_newer_trick` of adapter_config"),
    "another rank": (lambda a: edited(a, r=8), r"not \[8, 16\] and \[16, 8\] of the rank 8"),
    "DoRA without magnitudes": (lambda a: edited(a, use_dora=True), "has no lora_magnitude_vector"),
    "half of a pair": (lambda a: without(a, "1.self_attn.q_proj.lora_B"), r"lora_B.weight missing"),
    "a lost layer": (
        lambda a: without(a, "layers.1."),
        "no tensors for model.layers.1.self_attn.q_proj, which",
    ),
    "lost saved modules": (
        lambda a: edited(a, modules_to_save=["lm_head"]),
        "no tensors for lm_head, which `mod",
    ),
    "a module that is no target": (
        lambda a: edited(a, target_modules=["v_proj"]),
        "do not name, so that PEFT",
    ),
    "a layer left out": (lambda a: edited(a, layers_to_transform=[0]), "layers.1.*do not name, so that PEFT"),
    "a rank of 0": (
        lambda a: edited(a, rank_pattern={"q_proj": 0}),
        "`rank_pattern: {'q_proj': 0}`.*cannot be",
    ),
    "a broken pattern": (lambda a: edited(a, alpha_pattern={"(": 4}), r"`alpha_pattern: .*cannot be used"),
    "an infinite alpha": (lambda a: edited(a, lora_alpha=float("inf")), "`lora_alpha: inf`.*cannot be used"),
    "tokens in no list": (lambda a: edited(a, trainable_token_indices=5), "`trainable_token_indices: 5`"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_adapter_that_cannot_be_folded_exactly_is_refused_with_the_reason(pair, tmp_path, kind):
    base, adapter = pair(llama(), target_modules=Q)
    spoil, said = REFUSED[kind]
    spoil(adapter)
    with pytest.raises(StudyError, match=said):
        folded(base, adapter, tmp_path / "folded")


def test_an_adapter_of_another_model_is_refused(pair, tmp_path):
    base, adapter = pair(llama(), target_modules=Q)
    edited(adapter, base_model_name_or_path="org/other")
    (tmp_path / "folded").mkdir()
    with pytest.raises(StudyError, match="trained on org/other, not on org/mine"):
        fold(base, adapter, "org/mine", tmp_path / "folded")
    gpt2().save_pretrained(tmp_path / "other")
    with pytest.raises(StudyError, match=r"belong to no module of .*other; name the model .*\(org/other\)"):
        fold(tmp_path / "other", adapter, str(tmp_path / "other"), tmp_path / "folded")


def test_rows_of_an_extended_vocabulary_that_are_missing_are_named(pair, tmp_path):
    base, adapter = pair(llama(), resized=44, target_modules=Q)
    without(adapter, "lm_head")
    with pytest.raises(StudyError, match="44 embeddings and 40 rows of the head"):
        folded(base, adapter, tmp_path / "folded")


def test_an_extended_vocabulary_without_its_tokenizer_is_refused(pair, tmp_path):
    base, adapter = pair(llama(), resized=44, target_modules=Q)
    for file in adapter.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(StudyError, match="44 rows for the model's 40, but no tokenizer"):
        folded(base, adapter, tmp_path / "folded")


def test_pickled_weights_of_an_adapter_are_refused(pair):
    _, adapter = pair(llama(), target_modules=Q)
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(StudyError, match="pickled weights are not read; save the adapter as safetensors"):
        read_adapter(adapter)
