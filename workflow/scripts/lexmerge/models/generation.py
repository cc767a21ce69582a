"""Text generation with local models: the interface that every back end implements.

This module converts prompts to token ids and the new ids back to text; an engine (`transformers_engine`,
`vllm_engine`) only turns ids into new ids. Batches are fixed, longest prompts first: when two tokens are
almost equally likely, the choice may depend on the other prompts in the batch.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from jinja2 import TemplateError
from transformers import AutoConfig, AutoTokenizer, GenerationConfig
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from lexmerge.common.errors import StudyError
from lexmerge.common.prompts import chat_ids, in_template

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
GREEDY = 0.0


@dataclass(frozen=True)
class Decoding:
    """How the next token is chosen; a checkpoint's own generation config contributes only its end tokens.

    Attributes:
        max_new_tokens: The limit of an answer in tokens.
        temperature: 0 for greedy decoding.
        top_p: The probability mass that sampling is restricted to (nucleus sampling).
        seed: The seed of sampling.
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
        """Return the seed for one prompt, a hash of its token ids: its draws do not depend on its batch."""
        return int.from_bytes(hashlib.sha256(f"{self.seed} {ids}".encode()).digest()[:4], "big")


@dataclass(frozen=True)
class Answer:
    """A generated text with the circumstances of its generation.

    Attributes:
        text: The text without special tokens.
        finish_reason: `stop` at an end token, or `length` at the limit.
        tokens: The number of new tokens, including the end token.
        prompt_tokens: The length of the prompt in tokens.
        input_sha256: A short hash of the prompt's token ids, equal for models that received the same input.
        engine: The engine's `name`.
        batch_rows: The number of prompts in the batch.
    """

    text: str
    finish_reason: str
    tokens: int
    prompt_tokens: int = 0
    input_sha256: str = ""
    engine: str = ""
    batch_rows: int = 0


class Engine(Protocol):
    """A loaded model.

    Attributes:
        name: Package versions, dtype and device, recorded in every generated row.
    """

    name: str

    def generate(
        self, ids: list[list[int]], ends: list[int], decoding: Decoding
    ) -> Iterator[tuple[int, list[int]]]:
        """Generate answers to one batch of prompts.

        Args:
            ids: The token ids of each prompt.
            ends: The end tokens.
            decoding: How the next token is chosen.

        Yields:
            A prompt's index in `ids` and its new tokens, including the end token, as soon as the answer is
            complete.
        """


class Writer:
    """Conversion between texts and token ids, with a checkpoint's tokenizer and end tokens."""

    def __init__(self, folder: str) -> None:
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False
        )
        self.ends = end_tokens(folder, self.tokenizer)

    def ids(self, prompts: list[str]) -> list[list[int]]:
        """Return the token ids of each prompt, in the chat template if the tokenizer has one."""
        return [chat_ids(self.tokenizer, prompt) for prompt in prompts]

    def read(self, prompt: list[int], new: list[int], engine: str, batch_rows: int) -> Answer:
        """Convert the tokens that an engine generated to an answer.

        Args:
            prompt: The prompt's token ids.
            new: The new token ids, including the end token if there is one.
            engine: The engine's `name`.
            batch_rows: The number of prompts in the batch.
        """
        stopped = bool(new) and new[-1] in self.ends
        kept = new[:-1] if stopped else new
        text = cast(str, self.tokenizer.decode(kept, skip_special_tokens=True))  # a list only for a batch
        reason = "stop" if stopped else "length"
        return Answer(text.strip(), reason, len(new), len(prompt), ids_hash([prompt]), engine, batch_rows)


def end_tokens(folder: str, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Find a checkpoint's end tokens: those of its generation config, and the chat template's end of turn.

    Llama 3's generation config may name only `<|end_of_text|>`, while a turn ends with `<|eot_id|>`
    (vllm#4180).

    Args:
        folder: The checkpoint's folder.
        tokenizer: Its tokenizer.

    Returns:
        The token ids, sorted.

    Raises:
        StudyError: No end token is known.
    """
    if (Path(folder) / "generation_config.json").exists():
        config = GenerationConfig.from_pretrained(folder)
    else:
        config = GenerationConfig.from_model_config(
            AutoConfig.from_pretrained(folder, trust_remote_code=False)
        )
    known = config.eos_token_id if config.eos_token_id is not None else tokenizer.eos_token_id
    ends = [*(known if isinstance(known, list) else [known]), _end_of_turn(tokenizer)]
    ends = sorted({token for token in ends if token is not None})
    if not ends:
        raise StudyError(
            f"{Path(folder).absolute()}: neither generation_config.json nor the tokenizer names an end "
            "token; add `eos_token_id` to generation_config.json"
        )
    return ends


def _end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The special token, such as `<|eot_id|>`, that the chat template puts after an assistant's turn."""
    if tokenizer.chat_template is None:
        return None
    said = "LEXMERGE"
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": said}]
    try:
        text = in_template(tokenizer, turns)
    except (TemplateError, ValueError):  # the template accepts only the user's turns
        return None
    _, found, after = text.rpartition(said)
    ids = tokenizer(after.lstrip(), add_special_tokens=False)["input_ids"] if found and after.strip() else []
    mark = tokenizer.added_tokens_decoder.get(ids[0]) if ids else None
    return ids[0] if mark is not None and after.lstrip().startswith(mark.content) else None


def cache_bytes(config: Any, dtype: str) -> int:
    """Compute the size of one token in the key-value cache, such as 128 KiB for Llama 3 8B in 16 bits.

    Args:
        config: The model's config, as transformers loads it.
        dtype: The number format of the cache, a key of `BYTES`.

    Returns:
        Bytes. If the layers differ, all count like the largest; 0 for a model without attention.
    """
    text = config.get_text_config()
    layers = list(getattr(text, "per_layer_config", None) or [text])
    count: int = text.num_hidden_layers
    return 2 * count * max(map(_cache_width, layers)) * BYTES[dtype]


def _cache_width(layer: Any) -> int:
    """The size of one token's keys (or values) in a layer: key-value heads times their dimension."""
    all_heads: int = getattr(layer, "num_attention_heads", None) or 0
    heads: int = getattr(layer, "num_key_value_heads", None) or all_heads
    width: int = getattr(layer, "head_dim", None) or (layer.hidden_size // all_heads if all_heads else 0)
    return heads * width


def batches(lengths: list[int], most: int, new: int, tokens: int | None = None) -> list[list[int]]:
    """Split prompts into batches, longest first, the same way in every run of a job on one machine.

    Args:
        lengths: The lengths of the prompts in tokens.
        most: The maximum number of prompts in a batch.
        new: The maximum length of an answer in tokens.
        tokens: The capacity of the key-value cache in tokens; None for no limit. A prompt that exceeds it is
            a batch of its own.

    Returns:
        The indices of the prompts in each batch.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    made: list[list[int]] = []
    while order:
        rows = most if tokens is None else min(most, max(1, tokens // (lengths[order[0]] + new)))
        made.append(order[:rows])
        order = order[rows:]
    return made


def ids_hash(rows: list[list[int]]) -> str:
    """Hash prompts given as token ids: the first 12 hexadecimal digits of a sha256."""
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]
