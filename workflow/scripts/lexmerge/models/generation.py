"""Texts from local models, by one contract that every back end keeps.

Prompts become token ids here, an engine (`transformers_engine`, `vllm_engine`) turns ids into new ids and
does nothing else, and these become texts here. Prompts are answered in fixed batches, longest first, since
where two tokens are all but equally likely the choice may depend on who shares the batch.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jinja2 import TemplateError
from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from lexmerge.common.errors import StudyError
from lexmerge.common.prompts import chat_ids

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
GREEDY = 0.0


@dataclass(frozen=True)
class Decoding:
    """How the next token is chosen: the likeliest one at temperature 0, else by chance among the top `top_p`.

    Nothing of a checkpoint's own generation config but its end tokens has a part in it.
    """

    max_new_tokens: int
    temperature: float = GREEDY
    top_p: float = 1.0
    seed: int = 0

    def __str__(self) -> str:
        limit = f"at most {self.max_new_tokens} tokens"
        if self.temperature == GREEDY:
            return f"greedy, {limit}"
        return f"temperature {self.temperature:g}, top_p {self.top_p:g}, seed {self.seed}, {limit}"

    def seed_of(self, ids: list[int]) -> int:
        """A prompt's own seed: what is drawn for it depends on neither its batch nor its place in it."""
        return int.from_bytes(hashlib.sha256(f"{self.seed} {ids}".encode()).digest()[:4], "big")


@dataclass(frozen=True)
class Answer:
    """A text and how it came about.

    `finish_reason` is `stop`, at an end token, or `length`, at the limit; `tokens` counts the new ones, with
    the end token; `input_sha256` is of the prompt's token ids: models with equal ones were asked the same.
    """

    text: str
    finish_reason: str
    tokens: int
    prompt_tokens: int = 0
    input_sha256: str = ""
    engine: str = ""
    batch_rows: int = 0


class Engine(Protocol):
    """A model that is loaded. `name` is what stands in every row that it made: versions, dtype, device."""

    name: str

    def generate(
        self, ids: list[list[int]], ends: list[int], decoding: Decoding
    ) -> Iterator[tuple[int, list[int]]]:
        """Each prompt's number and new tokens, the end token among them, as soon as they are complete."""


class Writer:
    """A checkpoint's tokenizer and end tokens: from prompts to token ids, and from token ids to texts."""

    def __init__(self, folder: str):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.ends = end_tokens(folder, self.tokenizer)

    def ids(self, prompts: list[str]) -> list[list[int]]:
        return [chat_ids(self.tokenizer, prompt) for prompt in prompts]

    def read(self, prompt: list[int], new: list[int], engine: str, batch_rows: int) -> Answer:
        stopped = bool(new) and new[-1] in self.ends
        text = self.tokenizer.decode(new[:-1] if stopped else new, skip_special_tokens=True).strip()
        reason = "stop" if stopped else "length"
        return Answer(text, reason, len(new), len(prompt), ids_hash([prompt]), engine, batch_rows)


def end_tokens(folder: str, tokenizer) -> list[int]:
    """The end tokens of the checkpoint's generation config, and the one that ends a turn of its chat
    template.

    Llama 3's config may know `<|end_of_text|>` alone, where a turn ends with `<|eot_id|>` (vllm#4180).
    """
    if (Path(folder) / "generation_config.json").exists():
        config = GenerationConfig.from_pretrained(folder)
    else:
        config = GenerationConfig.from_model_config(AutoConfig.from_pretrained(folder))
    known = config.eos_token_id if config.eos_token_id is not None else tokenizer.eos_token_id
    ends = [*(known if isinstance(known, list) else [known]), _end_of_turn(tokenizer)]
    ends = sorted({token for token in ends if token is not None})
    if not ends:
        raise StudyError(f"{folder}: neither generation_config.json nor the tokenizer names an end token")
    return ends


def _end_of_turn(tokenizer) -> int | None:
    """The token of a mark such as `<|eot_id|>` after what the assistant says, if the template has one."""
    if tokenizer.chat_template is None:
        return None
    said = "LEXMERGE"
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": said}]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False)
    except (TemplateError, ValueError):  # a template for the user's turns alone
        return None
    _, found, after = text.rpartition(said)
    ids = tokenizer(after.lstrip(), add_special_tokens=False)["input_ids"] if found and after.strip() else []
    mark = tokenizer.added_tokens_decoder.get(ids[0]) if ids else None
    return ids[0] if mark is not None and after.lstrip().startswith(mark.content) else None


def cache_bytes(config, dtype: str) -> int:
    """What one token takes in the cache of keys and values: Llama-3-8B's, 128 KiB in 16 bits.

    Of models whose layers differ, as much as if all were like the largest; of one without attention, nothing.
    """
    text = config.get_text_config()
    layers = list(getattr(text, "per_layer_config", None) or [text])
    return 2 * text.num_hidden_layers * max(map(_cache_width, layers)) * BYTES[dtype]


def _cache_width(layer) -> int:
    """Numbers that a layer keeps of a token's keys, and as many of its values."""
    all_heads = getattr(layer, "num_attention_heads", None) or 0
    heads = getattr(layer, "num_key_value_heads", None) or all_heads
    width = getattr(layer, "head_dim", None) or (layer.hidden_size // all_heads if all_heads else 0)
    return heads * width


def batches(lengths: list[int], most: int, new: int, tokens: int | None = None) -> list[list[int]]:
    """The numbers of the prompts in batches, longest first: at most `most`, and what `tokens` of cache hold.

    A batch is a matter of the prompts, the settings and the machine alone, so that it is the same when a job
    is run again; a single prompt is a batch even where there is no room.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    made: list[list[int]] = []
    while order:
        rows = most if tokens is None else min(most, max(1, tokens // (lengths[order[0]] + new)))
        made.append(order[:rows])
        order = order[rows:]
    return made


def ids_hash(rows: list[list[int]]) -> str:
    """A short hash of prompts as token ids."""
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]
