"""Generation with transformers, on a CPU or a GPU.

`generate` of transformers copies the whole cache at every token, and once more for every head that shares
keys, and computes rows that have long ended. Here the cache has room to grow, prompts are read in small
groups, and rows that have ended leave the batch.
"""

import importlib.metadata
import inspect
from collections.abc import Iterator

import psutil
import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, AutoConfig, AutoModelForCausalLM
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from lexmerge.common.device import device as device_of
from lexmerge.common.errors import StudyError
from lexmerge.models.checkpoints import read_headers
from lexmerge.models.generation import BYTES, GREEDY, Decoding, batches, cache_bytes

READ_AT_ONCE = 2048  # tokens of prompts: more takes memory, and on a CPU time
LEAVE = 0.25  # of a batch: copying the cache of the others costs about one step


def _grouped(module, query, key, value, attention_mask, **options):
    """Attention of one new token, in which several heads share keys, without a copy of these for every head.

    The heads of a group stand where positions would. All else is left to transformers' own function.
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
    """A checkpoint in evaluation mode."""

    def __init__(self, folder: str, dtype: str, device: str, threads: int | None = None):
        if threads:
            torch.set_num_threads(threads)
        self.device = device_of(device)
        # The fast kernels leave out what Gemma 2 does to its attention, silently.
        capped = getattr(AutoConfig.from_pretrained(folder), "attn_logit_softcapping", None)
        kernel = {"attn_implementation": "eager"} if capped else {}
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), **kernel)
        if "past_key_values" not in inspect.signature(model.forward).parameters:
            raise StudyError(
                f"{folder}: a {type(model).__name__} has no cache of keys and values, which this back end "
                "needs; try definitions.backend vllm"
            )
        if model.config._attn_implementation == "sdpa":
            model.set_attn_implementation("grouped")
        self.model = model.to(self.device).eval()
        self.name = name(dtype, device)

    def generate(
        self, ids: list[list[int]], ends: list[int], decoding: Decoding
    ) -> Iterator[tuple[int, list[int]]]:
        """See `generation.Engine`; the prompts are one batch."""
        with torch.inference_mode():
            yield from self._generate(ids, torch.tensor(ends, device=self.device), decoding)

    def _generate(self, ids, ends, decoding) -> Iterator[tuple[int, list[int]]]:
        logits, cache, mask = self._read(ids)
        positions = mask.sum(-1, keepdim=True)
        chance = _uniform(ids, decoding).to(self.device)
        rows = torch.arange(len(ids), device=self.device)  # the prompts that the batch still holds
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
                cache.reorder_cache(alive.nonzero()[:, 0])
                rows, tokens, mask, positions = (t[alive] for t in (rows, tokens, mask, positions))
                alive = torch.ones_like(rows, dtype=torch.bool)
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], -1)
            logits = self._step(tokens[:, None], mask, positions, cache)
            positions = positions + 1

    def _read(self, ids: list[list[int]]) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
        """Read the prompts: the logits of the next tokens, the cache of all rows, and its mask."""
        parts = []
        for group in self._groups(ids):
            mask = self._padded([[1] * len(row) for row in group])
            cache = DynamicCache(config=self.model.config)
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            parts.append((self._step(self._padded(group), mask, positions, cache), cache))
        mask = self._padded([[1] * len(row) for row in ids])
        return torch.cat([logits for logits, _ in parts]), _joined([cache for _, cache in parts]), mask

    def _groups(self, ids: list[list[int]]) -> Iterator[list[list[int]]]:
        """The rows in their order, in groups; all at once for a model whose caches cannot be joined."""
        at_once = max(1, READ_AT_ONCE // max(map(len, ids)))
        rows = at_once if _plain(DynamicCache(config=self.model.config)) else len(ids)
        for start in range(0, len(ids), rows):
            yield ids[start : start + rows]

    def _step(self, tokens, mask, positions, cache) -> torch.Tensor:
        output = self.model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1]

    def _padded(self, rows: list[list[int]]) -> torch.Tensor:
        """The rows as one tensor, filled up with zeros on the left."""
        longest = max(map(len, rows))
        return torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=self.device)


class _RoomyLayer(DynamicLayer):
    """A layer's keys and values in a buffer with room for more; DynamicLayer copies all at every token."""

    ROOM = 64  # tokens

    def __init__(self, layers: list[DynamicLayer]):
        """Join the rows of several layers, the shorter ones filled up on the left."""
        super().__init__()
        self.dtype, self.device, self.is_initialized = layers[0].dtype, layers[0].device, True
        longest = max(layer.get_seq_length() for layer in layers)
        fill = [(0, 0, longest - layer.get_seq_length(), 0) for layer in layers]
        self.keys = torch.cat([pad(layer.keys, by) for layer, by in zip(layers, fill, strict=True)])
        self.values = torch.cat([pad(layer.values, by) for layer, by in zip(layers, fill, strict=True)])
        self._buffers = None

    def update(self, key_states, value_states, *args, **kwargs):
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self._buffers is None or self._buffers[0].shape[-2] < end:
            self._buffers = [pad(old, (0, 0, 0, end - start + self.ROOM)) for old in (self.keys, self.values)]
        for buffer, new in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., start:end, :] = new
        self.keys, self.values = (buffer[..., :end, :] for buffer in self._buffers)
        return self.keys, self.values

    def reorder_cache(self, beam_idx):
        super().reorder_cache(beam_idx)
        self._buffers = None


def _plain(cache: DynamicCache) -> bool:
    """Full attention in every layer; windows and states are left to transformers' own caches."""
    return bool(cache.layers) and all(type(layer) is DynamicLayer for layer in cache.layers)


def _joined(caches: list[DynamicCache]) -> DynamicCache:
    """One cache with the rows of all."""
    if not _plain(caches[0]):
        return caches[0]
    joined = DynamicCache()
    joined.layers = [_RoomyLayer(list(layers)) for layers in zip(*(c.layers for c in caches), strict=True)]
    return joined


def _uniform(ids: list[list[int]], decoding: Decoding) -> torch.Tensor:
    """For every prompt and step a number between 0 and 1, drawn from the prompt's own seed."""
    if decoding.temperature == GREEDY:
        return torch.empty(0)
    seeds = [torch.Generator().manual_seed(decoding.seed_of(row)) for row in ids]
    return torch.stack([torch.rand(decoding.max_new_tokens, generator=seed) for seed in seeds])


def _choose(logits: torch.Tensor, decoding: Decoding, chance: torch.Tensor | None) -> torch.Tensor:
    """The next token of each row.

    Tokens are drawn in the order of the vocabulary: in that of their probability, two that are all but
    equally likely would change places with the last digit, and so with the batch.
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
    """Put prompts into batches whose cache fits in half of the memory that the weights leave.

    All of the machine's memory counts, and not what is free at the moment: a batch must be the same tomorrow.

    Args:
        lengths: The lengths of the prompts in tokens.
        folder: The checkpoint's folder.
        dtype: The number format of the weights.
        device: `auto`, `cpu` or `cuda`.
        most: Prompts in a batch, at most.
        new: Tokens of an answer, at most.

    Returns:
        The numbers of the prompts in each batch.
    """
    on_gpu = device_of(device) == "cuda"
    memory = torch.cuda.get_device_properties(0).total_memory if on_gpu else psutil.virtual_memory().total
    weights = read_headers(folder, folder).parameters * BYTES[dtype]
    tokens = max(0, memory - weights) // 2 // cache_bytes(AutoConfig.from_pretrained(folder), dtype)
    return batches(lengths, most, new, tokens)


def name(dtype: str, device: str) -> str:
    """What made a row: packages, number format and processor."""
    where = torch.cuda.get_device_name(0) if device_of(device) == "cuda" else "cpu"
    versions = [f"{package} {importlib.metadata.version(package)}" for package in ("transformers", "torch")]
    return ", ".join([*versions, dtype, where])
