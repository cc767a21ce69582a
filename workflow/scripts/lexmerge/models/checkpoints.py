"""Checkpoints in Hugging Face's format: what their headers say, and their tensors one at a time."""

import json
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

from lexmerge.common.errors import StudyError
from lexmerge.common.files import sha256

LAYER = re.compile(r"\blayers?\.(\d+)\.|\bh\.(\d+)\.")
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
# Tables that old checkpoints hold among their weights and that MergeKit, rightly, does not merge.
BUFFERS = (".rotary_emb.inv_freq", ".attn.masked_bias", ".attn.bias")
TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json")


@dataclass(frozen=True)
class Headers:
    """A checkpoint without its weights: `tensors` is shape and dtype by name."""

    name: str
    config: dict
    tensors: dict[str, tuple[tuple[int, ...], str]]
    tokenizer: str | None  # the sha256 of its vocabulary's file

    @property
    def layers(self) -> int:
        """How many layers its tensors are of."""
        numbers = [layer_of(name) for name in self.tensors]
        return 1 + max((n for n in numbers if n is not None), default=-1)

    @property
    def parameters(self) -> int:
        return sum(math.prod(shape) for shape, _ in self.tensors.values())


def read_headers(folder: str | Path, name: str) -> Headers:
    """What a checkpoint's small files and its safetensors headers say; no weight is read."""
    folder = Path(folder)
    files = sorted(folder.glob("*.safetensors"))
    if not files and (folder / "config.json").exists():
        raise StudyError(
            f"{name}: {folder} has no safetensors; convert its weights to them, pickles are not read"
        )
    tensors: dict[str, tuple[tuple[int, ...], str]] = {}
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                for key in (key for key in opened.keys() if not key.endswith(BUFFERS)):
                    part = opened.get_slice(key)
                    tensors[key] = (tuple(part.get_shape()), part.get_dtype())
        except Exception as error:  # safetensors has no public class for it
            raise StudyError(f"{name}: {file} is damaged or cut off ({error}); get it again") from None
    return headers_from_files(folder, name, tensors)


def headers_from_files(
    folder: str | Path, name: str, tensors: dict[str, tuple[tuple[int, ...], str]]
) -> Headers:
    """The headers of tensors that are known already, with the config and tokenizer in a folder."""
    folder = Path(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"{name}: {folder} has no config.json that can be read: {error}") from None
    vocabulary = next((folder / file for file in TOKENIZER if (folder / file).exists()), None)
    return Headers(name, config, tensors, sha256(vocabulary) if vocabulary else None)


def rope_of(config: dict) -> tuple:
    """How a model counts positions: base, kind and factor, as any version of transformers writes them."""
    new, old = config.get("rope_parameters") or {}, config.get("rope_scaling") or {}
    kind = new.get("rope_type") or old.get("rope_type") or old.get("type") or "default"
    return new.get("rope_theta", config.get("rope_theta")), kind, new.get("factor", old.get("factor"))


def layer_of(name: str) -> int | None:
    """The number of the layer that a tensor is of; None for what is before and after the layers."""
    match = LAYER.search(name)
    return int(match[1] or match[2]) if match else None


def group_of(name: str) -> str:
    """The layer group of a tensor: `embeddings`, `layer 7`, or `head` with the final norm."""
    layer = layer_of(name)
    if layer is not None:
        return f"layer {layer}"
    return "embeddings" if "embed" in name or "wte" in name or "wpe" in name else "head"


class Weights:
    """The tensors of a checkpoint by name, each read when it is asked for."""

    def __init__(self, folder: str | Path):
        self._stack, self._where = ExitStack(), {}
        for file in sorted(Path(folder).glob("*.safetensors")):
            opened = self._stack.enter_context(safe_open(file, "pt"))
            self._where |= dict.fromkeys(opened.keys(), opened)

    def __enter__(self) -> "Weights":
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def __getitem__(self, name: str):
        return self._where[name].get_tensor(name)
