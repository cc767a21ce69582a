"""Parents that compute differently, tied heads, quantised weights and tokens, against MergeKit's bits."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from lexmerge.common.errors import StudyError
from lexmerge.merges.options import OrderedConfiguration
from lexmerge.merges.parents import computing, parent_faults
from lexmerge.merges.preflight import needs, notes
from lexmerge.models.checkpoints import read_headers
from lexmerge.models.tokens import end_texts
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from safetensors.torch import load_file, save_file
from tiny_models import llama, merged
from tokenizers import Tokenizer, models
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

ROPES = {"rope_type": "default", "rope_theta": 500000.0}


def linear(*models: Path, **more) -> dict:
    return {
        "merge_method": "linear",
        "base_model": str(models[0]),
        "models": [{"model": str(model), "parameters": {"weight": 0.5}} for model in models],
        "dtype": "float32",
        **more,
    }


def bits(folder: Path) -> dict[str, torch.Tensor]:
    return {name: t for file in folder.glob("*.safetensors") for name, t in load_file(file).items()}


def mergekits(content: dict, folder: Path) -> dict[str, torch.Tensor]:
    run_merge(MergeConfiguration.model_validate(content), str(folder), MergeOptions(quiet=True))
    return bits(folder)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def edit(file: Path, **changes) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({k: v for k, v in (content | changes).items() if v != "drop"}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"rope_parameters": ROPES | {"rope_theta": 20000000.0}},
            "rope_theta is 500000.0 in a, 20000000.0 in b",
        ),
        (
            {"rope_parameters": ROPES | {"rope_type": "linear", "factor": 4.0}},
            "rope_type is 'default' in a, 'linear' in b",
        ),
        ({"rms_norm_eps": 1e-05}, "rms_norm_eps is 1e-06 in a, 1e-05 in b"),
        ({"hidden_act": "gelu"}, "hidden_act is 'silu' in a, 'gelu' in b"),
    ],
)
def test_what_parents_compute_differently_is_in_the_provenance(tmp_path, change, said):
    a, b = llama(tmp_path / "a", 1), llama(tmp_path / "b", 2)
    edit(b / "config.json", **change)
    ours = merged(tmp_path, linear(a, b), str(a))
    assert said in json.loads((ours / "provenance.json").read_text())["parents_differ"]


def test_tokens_whose_ids_differ_are_in_the_provenance_unless_the_merge_brings_them_together(tmp_path):
    a, b = llama(tmp_path / "a", 1), llama(tmp_path / "b", 2)
    file = b / "tokenizer.json"
    content = json.loads(file.read_text())
    words = content["model"]["vocab"]
    words["w3"], words["w4"] = words["w4"], words["w3"]
    file.write_text(json.dumps(content))
    ours = merged(tmp_path, linear(a, b), str(a))
    said = json.loads((ours / "provenance.json").read_text())["parents_differ"]
    assert said == ['other ids of the tokens "w3", "w4" in a and b']
    ours = merged(tmp_path, linear(a, b, tokenizer_source="union"), str(a))
    assert json.loads((ours / "provenance.json").read_text())["parents_differ"] == []


def test_parents_with_other_end_tokens_and_chat_templates_are_noted(tmp_path, capsys):
    a, b = llama(tmp_path / "a", 1, eos_token_id=2), llama(tmp_path / "b", 2, eos_token_id=[3, 4])
    (b / "chat_template.jinja").write_text("{{ messages[0].content }}")
    merged(tmp_path, linear(a, b), str(a))
    said = capsys.readouterr().out
    assert "note: the end token is w2 in a, w3 w4 in b; the merge has those of the model" in said
    assert "note: the chat templates of a and b differ" in said
    edit(a / "tokenizer_config.json", chat_template="{{ messages[0].content }}\n")
    edit(a / "generation_config.json", eos_token_id=[3, 4])
    merged(tmp_path, linear(a, b), str(a))
    assert "differ" not in capsys.readouterr().out


def test_end_tokens_are_named_by_their_texts(tmp_path):
    folder = llama(tmp_path / "a", 1, eos_token_id=[3, 11])
    assert end_texts(folder) == "w3 w11"
    (folder / "generation_config.json").write_text('{"eos_token_id": 4}')
    assert end_texts(folder) == "w4"
    (folder / "generation_config.json").write_text('{"eos_token_id": 99}')
    assert end_texts(folder) == "99"
    (folder / "generation_config.json").unlink()
    edit(folder / "config.json", eos_token_id=None)
    assert end_texts(folder) == ""


def test_a_sliding_window_is_a_difference_and_one_that_is_not_used_is_none():
    qwen = {"model_type": "qwen2", "hidden_size": 16, "num_attention_heads": 4}
    unused = qwen | {"use_sliding_window": False, "sliding_window": 4096}
    assert computing(qwen) == computing(unused)
    assert computing(qwen) != computing(unused | {"use_sliding_window": True})


@pytest.mark.parametrize(
    "spelled",
    [
        {"rope_theta": 10000.0, "rope_scaling": None},
        {"attention_bias": False, "mlp_bias": False},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
        {"torch_dtype": "bfloat16", "_name_or_path": "somewhere", "transformers_version": "4.1"},
    ],
)
def test_a_default_spelled_out_is_no_difference(spelled):
    plain = {"model_type": "llama", "hidden_size": 16, "num_attention_heads": 4}
    assert computing(plain) == computing(plain | spelled)


def test_configs_without_a_rope_merge(tmp_path):
    a, b = llama(tmp_path / "a", 1), llama(tmp_path / "b", 2)
    for folder in (a, b):
        edit(folder / "config.json", rope_parameters="drop")
    content = linear(a, b)
    assert same(bits(merged(tmp_path, content, str(a))), mergekits(content, tmp_path / "theirs"))


@pytest.fixture
def tied(tmp_path) -> dict[str, Path]:
    """Two tied models, and the first with a head on file all the same."""
    found = {name: llama(tmp_path / name, n, tie_word_embeddings=True) for n, name in enumerate("ab")}
    found["headed"] = Path(shutil.copytree(found["a"], tmp_path / "headed"))
    weights = load_file(found["headed"] / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    save_file(weights, found["headed"] / "model.safetensors", {"format": "pt"})
    return found


@pytest.mark.parametrize(("base", "other"), [("headed", "b"), ("b", "headed"), ("a", "b")])
def test_a_head_on_file_in_a_tied_model_is_merged_as_mergekit_does(tied, tmp_path, base, other):
    content = linear(tied[base], tied[other])
    ours = merged(tmp_path, content, str(tied[base]))
    assert same(bits(ours), mergekits(content, tmp_path / "theirs"))
    model = AutoModelForCausalLM.from_pretrained(ours)
    assert model.lm_head.weight is model.model.embed_tokens.weight, "it is tied, as its config says"


@pytest.mark.parametrize("tied_first", [True, False])
def test_a_tied_model_beside_an_untied_one_gets_a_head_that_its_config_knows(tied, tmp_path, tied_first):
    untied = llama(tmp_path / "u", 3)
    pair = (tied["a"], untied) if tied_first else (untied, tied["a"])
    content = linear(*pair)
    ours = merged(tmp_path, content, str(pair[0]))
    assert same(bits(ours), mergekits(content, tmp_path / "theirs"))
    one = load_file(tied["a"] / "model.safetensors")["model.embed_tokens.weight"].float()
    two = load_file(untied / "model.safetensors")["lm_head.weight"].float()
    head = AutoModelForCausalLM.from_pretrained(ours, dtype=torch.float32).lm_head.weight
    torch.testing.assert_close(head, (one + two) / 2, rtol=0, atol=1e-2)
    made, parents = read_headers(ours, "ours"), [read_headers(path, str(path)) for path in pair]
    assert not made.tied
    size = sum(tensor.numel() * tensor.element_size() for tensor in bits(ours).values())
    assert needs(content, parents, str(pair[0]))[0] == size
    assert any("the merge gets a head of its own" in note for note in notes(content, parents))


def test_without_a_base_model_the_first_model_gives_config_and_tokenizer_in_every_run(tmp_path):
    names = [f"m{n}" for n in range(8)]
    content = {
        "merge_method": "multislerp",
        "models": [{"model": n, "parameters": {"weight": 1}} for n in names],
    }
    listed = OrderedConfiguration.model_validate(content).referenced_models()
    assert [str(model) for model in listed] == names
    slices = [{"sources": [{"model": n, "layer_range": [0, 1]}]} for n in ("b", "a", "b")]
    content = {"merge_method": "passthrough", "base_model": "c", "slices": slices}
    listed = OrderedConfiguration.model_validate(content).referenced_models()
    assert [str(model) for model in listed] == ["c", "b", "a"]
    one, two = (llama(tmp_path / n, k, bos_token_id=k + 1) for k, n in enumerate(("x", "y")))
    entries = [{"model": str(path), "parameters": {"weight": 0.5}} for path in (two, one)]
    ours = merged(tmp_path, {"merge_method": "nuslerp", "models": entries, "dtype": "float32"}, str(one))
    assert json.loads((ours / "config.json").read_text())["bos_token_id"] == 2


def test_a_last_slice_without_a_head_is_refused_from_the_headers(tied, tmp_path):
    untied = str(llama(tmp_path / "u", 3))
    slices = [
        {"sources": [{"model": untied, "layer_range": [0, 1]}]},
        {"sources": [{"model": str(tied["a"]), "layer_range": [1, 2]}]},
    ]
    content = {"merge_method": "passthrough", "slices": slices, "dtype": "float32", "base_model": untied}
    with pytest.raises(
        StudyError, match=r"slices: the head of the merge would come from .*/a, which has none"
    ):
        merged(tmp_path, content, untied)
    merged(tmp_path, content | {"base_model": str(tied["a"]), "slices": slices[::-1]}, str(tied["a"]))


def test_a_union_of_tokenizers_has_the_same_ids_in_every_run(tmp_path):
    for seed, name in enumerate(("a", "b", "c")):
        folder = llama(tmp_path / name, seed, vocab_size=40)
        words = {f"w{n}": n for n in range(20)} | {f"{name}{n}": 59 - n for n in range(20, 40)}
        core = Tokenizer(models.WordLevel(words, unk_token="w0"))
        PreTrainedTokenizerFast(tokenizer_object=core).save_pretrained(folder)
    content = linear(*(tmp_path / name for name in "abc"), tokenizer_source="union")
    ours = merged(tmp_path, content, str(tmp_path / "a"))
    own = [f"{name}{n}" for name in "abc" for n in range(39, 19, -1)]
    tokens = AutoTokenizer.from_pretrained(ours).get_vocab()
    assert sorted(tokens, key=tokens.__getitem__) == [f"w{n}" for n in range(20)] + own
    rows = AutoModelForCausalLM.from_pretrained(ours, dtype=torch.float32).get_input_embeddings().weight
    of_b = load_file(tmp_path / "b/model.safetensors")["model.embed_tokens.weight"].float()
    torch.testing.assert_close(rows[tokens["b39"]], of_b[20], rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "awq", "fp8"])
def test_quantised_weights_are_refused_from_their_config(tmp_path, method):
    folder = llama(tmp_path / "a", 1)
    edit(folder / "config.json", quantization_config={"quant_method": method})
    assert f"a: the weights are quantised ({method}) and cannot be merged" in next(
        parent_faults(read_headers(folder, "a"))
    )


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_quantised_weights_are_refused_from_their_headers(tmp_path, dtype):
    folder = llama(tmp_path / "a", 1)
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"] = torch.ones(24, 16).to(dtype)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert "the weights are quantised" in next(parent_faults(read_headers(folder, "a")))


def with_token(folder: Path, text: str, number: int) -> Path:
    """Add a token to a tokenizer under an id of its own."""
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["model"]["vocab"] |= {text: number}
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_token_above_the_embeddings_is_named_with_both_numbers(tmp_path):
    folder = with_token(llama(tmp_path / "a", 1), "<late>", 12)
    said = next(parent_faults(read_headers(folder, "a")))
    assert 'the token "<late>" has the id 12, but the embeddings have 12 rows' in said


def older_files(folder: Path, added: dict[str, int], kind: str) -> Path:
    """Replace tokenizer.json by a SentencePiece file, or a vocabulary, with added tokens beside it."""
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    if kind == "vocab.json":
        (folder / kind).write_text(json.dumps({"a": 0, "b": 1}), encoding="utf-8")
    else:
        (folder / kind).write_bytes(b"the same pieces")
    (folder / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ["tokenizer.model", "spiece.model", "vocab.json"])
def test_added_tokens_are_compared_by_what_their_ids_mean(tmp_path, kind):
    a = older_files(llama(tmp_path / "a", 1), {"<x>": 10, "<y>": 11}, kind)
    b = older_files(llama(tmp_path / "b", 2), {"<x>": 11, "<y>": 10}, kind)
    content = {"merge_method": "linear", "base_model": "a", "models": [{"model": "a"}, {"model": "b"}]}
    said = list(notes(content, [read_headers(a, "a"), read_headers(b, "b")]))
    assert any('other ids of the tokens "<x>", "<y>" in a and b' in note for note in said)
    assert not list(notes(content, [read_headers(a, "a"), read_headers(a, "b")]))[:-1]


def ending(folder: Path, end: str) -> Path:
    """Let a model end with a word of its own."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token = end
    tokenizer.save_pretrained(folder)
    number = tokenizer.convert_tokens_to_ids(end)
    edit(folder / "config.json", eos_token_id=number)
    generation = {"eos_token_id": [number, 1], "bos_token_id": 1}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


@pytest.mark.parametrize("tokenizer", [{"tokenizer": {"source": "B"}}, {"tokenizer_source": "B"}])
def test_a_merge_with_the_tokenizer_of_another_model_ends_as_that_model_does(tmp_path, tokenizer):
    a, b = ending(llama(tmp_path / "a", 1), "w3"), ending(llama(tmp_path / "b", 2), "w7")
    text = json.dumps(linear(a, b, **tokenizer)).replace('"B"', json.dumps(str(b)))
    ours = merged(tmp_path, json.loads(text), str(a))
    made = AutoTokenizer.from_pretrained(ours)
    end = made.convert_tokens_to_ids("w7")
    assert AutoConfig.from_pretrained(ours).eos_token_id == [end, made.convert_tokens_to_ids("w1")]
    generation = json.loads((ours / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [end, made.convert_tokens_to_ids("w1")]


def test_a_merge_whose_tokenizer_does_not_load_is_not_published(tmp_path):
    a, b = llama(tmp_path / "a", 1), llama(tmp_path / "b", 2)
    (a / "tokenizer.json").write_text('{"model": {"vocab": {"w0": 0}}}')
    with pytest.raises(StudyError, match=r"tokenizer in .* cannot be loaded"):
        merged(tmp_path, linear(a, b), str(a))
    assert not (tmp_path / "ours").exists()
