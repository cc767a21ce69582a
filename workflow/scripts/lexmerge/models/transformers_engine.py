"""Generation with transformers, on a CPU or a GPU.

The library's own `generate` copies the whole key-value cache at every token, repeats it for every head that
shares keys, and computes rows that have ended. Here the cache has spare capacity, prompts are read in small
groups, and ended rows leave the batch.
"""

import importlib.metadata
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, AutoConfig, AutoModelForCausalLM
from transformers.cache_utils import CacheLayerMixin, DynamicCache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from lexmerge.common.device import device as device_of
from lexmerge.common.errors import StudyError
from lexmerge.models.checkpoints import read_headers
from lexmerge.models.generation import BYTES, GREEDY, Decoding, batches, cache_bytes

READ_AT_ONCE = 2048  # prompt tokens in one forward pass; more takes memory, and on a CPU also time
LEAVE = 0.25  # share of ended rows at which they are removed; copying the rest costs about one step


def _grouped(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Grouped-query attention of one new token without repeating the keys for every head.

    The heads of a group take the place of positions. All other cases use transformers' own function.
    """
    rows, heads, new, width = query.shape
    shared = key.shape[1]
    if new > 1 or shared == heads or options.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    query = query.reshape(rows, shared, heads // shared, width)
    said = scaled_dot_product_attention(query, key, value, attention_mask, scale=options.get("scaling"))
    return said.reshape(rows, 1, heads, -1), None


AttentionInterface.register("grouped", _grouped)
AttentionMaskInterface.register("grouped", sdpa_mask)


class TransformersEngine:
    """A checkpoint loaded with transformers; see `generation.Engine`."""

    def __init__(self, folder: str, dtype: str, device: str, threads: int | None = None) -> None:
        """Load a checkpoint.

        Args:
            folder: The checkpoint's folder.
            dtype: The number format of the weights, such as `bfloat16`.
            device: `auto`, `cpu` or `cuda`.
            threads: The number of CPU threads; None for torch's default.

        Raises:
            StudyError: The model's class has no key-value cache.
        """
        if threads:
            torch.set_num_threads(threads)
        self.device = device_of(device)
        # The fast kernels silently ignore the soft-capping of attention logits in Gemma 2.
        capped = getattr(
            AutoConfig.from_pretrained(folder, trust_remote_code=False), "attn_logit_softcapping", None
        )
        kernel = {"attn_implementation": "eager"} if capped else {}
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), trust_remote_code=False, **kernel
        )
        if "past_key_values" not in inspect.signature(model.forward).parameters:
            raise StudyError(
                f"{Path(folder).absolute()}: {type(model).__name__} has no key-value cache, which the back "
                "end transformers needs; try `definitions.backend: vllm`"
            )
        if model.config._attn_implementation == "sdpa":
            model.set_attn_implementation("grouped")
        moved = model.to(self.device)  # type: ignore[arg-type]  # lost by transformers' decorator of `to`
        self.model = moved.eval()
        self.name = name(dtype, device)

    def generate(
        self, ids: list[list[int]], ends: list[int], decoding: Decoding
    ) -> Iterator[tuple[int, list[int]]]:
        """See `generation.Engine`; the prompts are one batch."""
        with torch.inference_mode():
            yield from self._generate(ids, torch.tensor(ends, device=self.device), decoding)

    def _generate(
        self, ids: list[list[int]], ends: torch.Tensor, decoding: Decoding
    ) -> Iterator[tuple[int, list[int]]]:
        logits, cache, mask = self._read(ids)
        positions = mask.sum(-1, keepdim=True)
        chance = _uniform(ids, decoding).to(self.device)
        rows = torch.arange(len(ids), device=self.device)  # the prompts still in the batch
        spoken: list[list[int]] = [[] for _ in ids]
        alive = torch.ones_like(rows, dtype=torch.bool)
        for step in range(decoding.max_new_tokens):
            tokens = _choose(logits, decoding, chance[rows, step] if chance.numel() else None)
            ended = torch.isin(tokens, ends) if step + 1 < decoding.max_new_tokens else alive
            for i, token, live, last in zip(*(t.tolist() for t in (rows, tokens, alive, ended)), strict=True):
                if live:
                    spoken[i].append(token)
                    if last:
                        yield i, spoken[i]
            alive = alive & ~ended
            left = int(alive.sum())
            if not left:
                return
            if left <= (1 - LEAVE) * len(rows):
                cache.reorder_cache(alive.nonzero()[:, 0])  # type: ignore[arg-type]  # it is a LongTensor
                rows, tokens, mask, positions = (t[alive] for t in (rows, tokens, mask, positions))
                alive = torch.ones_like(rows, dtype=torch.bool)
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], -1)
            logits = self._step(tokens[:, None], mask, positions, cache)
            positions = positions + 1

    def _read(self, ids: list[list[int]]) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
        """Read the prompts; returns the next tokens' logits, the cache of all rows, and its mask."""
        parts = []
        for group in self._groups(ids):
            mask = self._padded([[1] * len(row) for row in group])
            cache = DynamicCache(config=self.model.config)
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            parts.append((self._step(self._padded(group), mask, positions, cache), cache))
        mask = self._padded([[1] * len(row) for row in ids])
        return torch.cat([logits for logits, _ in parts]), _joined([cache for _, cache in parts]), mask

    def _groups(self, ids: list[list[int]]) -> Iterator[list[list[int]]]:
        """Split the rows into groups, in order; a single group if the model's caches cannot be joined."""
        at_once = max(1, READ_AT_ONCE // max(map(len, ids)))
        rows = at_once if _plain(DynamicCache(config=self.model.config)) else len(ids)
        for start in range(0, len(ids), rows):
            yield ids[start : start + rows]

    def _step(
        self, tokens: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: DynamicCache
    ) -> torch.Tensor:
        """Run the model on new tokens and return the logits after the last of them."""
        output = self.model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def _padded(self, rows: list[list[int]]) -> torch.Tensor:
        """Stack rows of different lengths into one tensor, padded with zeros on the left."""
        longest = max(map(len, rows))
        return torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=self.device)


class _RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # of its __init_subclass__
    """A cache layer in a buffer with spare capacity; DynamicLayer copies everything at every token."""

    ROOM = 64  # tokens

    def __init__(self, layers: list[DynamicLayer]) -> None:
        """Join the rows of several layers, the shorter ones padded on the left."""
        super().__init__()  # type: ignore[no-untyped-call]  # transformers leaves it without types
        self.dtype, self.device, self.is_initialized = layers[0].dtype, layers[0].device, True
        longest = max(layer.get_seq_length() for layer in layers)
        fill = [(0, 0, longest - layer.get_seq_length(), 0) for layer in layers]
        keys, values = zip(*map(_tensors, layers), strict=True)
        self.keys = torch.cat([pad(tensor, by) for tensor, by in zip(keys, fill, strict=True)])
        self.values = torch.cat([pad(tensor, by) for tensor, by in zip(values, fill, strict=True)])
        self._buffers: list[torch.Tensor] = []

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values; returns all of them."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if not self._buffers or self._buffers[0].shape[-2] < end:
            self._buffers = [pad(old, (0, 0, 0, end - start + self.ROOM)) for old in _tensors(self)]
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., start:end, :] = new
        keys, values = (buffer[..., :end, :] for buffer in self._buffers)
        self.keys, self.values = keys, values
        return keys, values

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Keep only the given rows."""
        super().reorder_cache(beam_idx)
        self._buffers = []


def _tensors(layer: CacheLayerMixin) -> tuple[torch.Tensor, torch.Tensor]:
    """The keys and the values of a layer that has read something."""
    assert layer.keys is not None and layer.values is not None
    return layer.keys, layer.values


def _plain(cache: DynamicCache) -> bool:
    """True if every layer has full attention; sliding windows and states need transformers' own caches."""
    return bool(cache.layers) and all(type(layer) is DynamicLayer for layer in cache.layers)


def _joined(caches: list[DynamicCache]) -> DynamicCache:
    """Join caches into one with all their rows."""
    if not _plain(caches[0]):
        return caches[0]
    joined = DynamicCache()
    joined.layers = [_RoomyLayer(list(layers)) for layers in zip(*(c.layers for c in caches), strict=True)]
    return joined


def _uniform(ids: list[list[int]], decoding: Decoding) -> torch.Tensor:
    """Uniform random numbers, prompts × steps, from each prompt's own seed; empty for greedy decoding."""
    if decoding.temperature == GREEDY:
        return torch.empty(0)
    seeds = [torch.Generator().manual_seed(decoding.seed_of(row)) for row in ids]
    return torch.stack([torch.rand(decoding.max_new_tokens, generator=seed) for seed in seeds])


def _choose(logits: torch.Tensor, decoding: Decoding, chance: torch.Tensor | None) -> torch.Tensor:
    """Choose the next token of each row.

    The cumulative distribution is in vocabulary order: in order of probability, two almost equally likely
    tokens could swap places through rounding, and the draw would depend on the batch.
    """
    if chance is None:
        return logits.argmax(-1)
    probabilities = (logits.float() / decoding.temperature).softmax(-1)
    likely, order = probabilities.sort(descending=True, stable=True)
    before = likely.cumsum(-1) - likely
    kept = torch.zeros_like(likely).scatter(-1, order, torch.where(before < decoding.top_p, likely, 0))
    mass = kept.double().cumsum(-1)
    return (mass <= chance[:, None] * mass[:, -1:]).sum(-1).clamp(max=likely.shape[-1] - 1)


def batches_of(
    lengths: list[int], folder: str, dtype: str, device: str, most: int, new: int
) -> list[list[int]]:
    """Split prompts into batches whose key-value cache fits in half of the memory left by the weights.

    The machine's total memory counts, not the free memory, so that batches are the same in every run.

    Args:
        lengths: The lengths of the prompts in tokens.
        folder: The checkpoint's folder.
        dtype: The number format of the weights.
        device: `auto`, `cpu` or `cuda`.
        most: The maximum number of prompts in a batch.
        new: The maximum length of an answer in tokens.

    Returns:
        The indices of the prompts in each batch.
    """
    on_gpu = device_of(device) == "cuda"
    memory: int = (
        torch.cuda.get_device_properties(0).total_memory if on_gpu else psutil.virtual_memory().total
    )
    weights = read_headers(folder, folder).parameters * BYTES[dtype]
    tokens = (
        max(0, memory - weights)
        // 2
        // cache_bytes(AutoConfig.from_pretrained(folder, trust_remote_code=False), dtype)
    )
    return batches(lengths, most, new, tokens)


def name(dtype: str, device: str) -> str:
    """Name an engine by its package versions, number format and processor."""
    where = torch.cuda.get_device_name(0) if device_of(device) == "cuda" else "cpu"
    versions = [f"{package} {importlib.metadata.version(package)}" for package in ("transformers", "torch")]
    return ", ".join([*versions, dtype, where])
