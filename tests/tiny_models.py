"""Tiny Llamas of random weights, recipes of any method for them, and what our merge makes of those."""

from pathlib import Path

import torch
import yaml
from lexmerge.merges.merge import merge
from lexmerge.study.recipe_faults import methods
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SETTINGS = {"device": "cpu", "threads": 1, "shard_size": 5_000_000_000, "low_cpu_memory": False}


def llama(folder: Path, seed: int, **more) -> Path:
    """A tiny Llama of random weights, with a tokenizer and a rope of its own."""
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "vocab_size": 12}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False}
    rope = {"rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}}
    model = LlamaForCausalLM(LlamaConfig(**(sizes | heads | rope | more)))
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.to(torch.bfloat16).save_pretrained(folder)
    words = {f"w{n}": n for n in range(model.config.vocab_size)}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0")))
    tokenizer.save_pretrained(folder)
    return folder


def recipe(method: str, family: dict[str, str], **parameters) -> dict:
    """A recipe of any method, with what it needs and nothing more."""
    spec = methods()[method]
    of_model = {"weight": 0.5} if "weight" in spec["parameters"] else {}
    density = {"density": 0.6} if "density" in spec["parameters"] else {}
    shared = {"t": 0.3} if "t" in spec["parameters"] else {}
    pair = spec["inputs"][1] == 2
    entries = [{"model": family[name], "parameters": of_model | density} for name in ("a", "b")]
    if method == "passthrough":
        entries = entries[:1]
    return {
        "merge_method": method,
        "base_model": family["a"] if pair or spec["base"] == "ignored" else family["base"],
        "models": entries,
        "parameters": shared | parameters,
        "dtype": "float32",
        "out_dtype": "bfloat16",
    }


def write(path: Path, content: dict) -> str:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(path)


def merged(folder: Path, content: dict, canonical: str, seed: int = 7) -> Path:
    merge(write(folder / "recipe.yaml", content), str(folder / "ours"), canonical, seed, SETTINGS)
    return folder / "ours"


def byte_tokenizer(folder: Path) -> None:
    """Give a tiny model with a vocabulary of 257 a tokenizer of bytes, which reads and writes any text."""
    letters = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(
        models.BPE({letter: n for n, letter in enumerate(sorted(letters))} | {"</s>": 256}, [])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>").save_pretrained(folder)
