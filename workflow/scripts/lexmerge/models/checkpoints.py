"""Checkpoints in Hugging Face's format: their headers, and their tensors one at a time."""

import json
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from safetensors import safe_open

from lexmerge.common.errors import StudyError
from lexmerge.models.files import (
    BUFFERS,
    EMBEDDINGS,
    FLOATS,
    HEADS,
    MASKS,
    Tensors,
    quantised,
    tensors_in,
    weight_files,
)
from lexmerge.models.tokens import tokens_of

if TYPE_CHECKING:
    import torch

LAYER = re.compile(r"\blayers?\.(\d+)\.|\bh\.(\d+)\.")
# GPT-2 is stored with or without this start; MergeKit always writes it.
STARTS = {"h": "transformer.", "wte": "transformer.", "wpe": "transformer.", "ln_f": "transformer."}
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

Value = TypeVar("Value")


@dataclass(frozen=True)
class Headers:
    """A checkpoint without the values of its weights.

    Attributes:
        name: The model's name, for messages.
        config: The content of config.json.
        tensors: The shape and the dtype (as safetensors names it, such as `BF16`) of each tensor by its full
            name, without `BUFFERS`.
        tokens: The ids by token, as `tokens.tokens_of` reads them; None if they were not read.
    """

    name: str
    config: dict[str, Any]
    tensors: Tensors
    tokens: dict[str, int | str] | None = None

    @property
    def layers(self) -> int:
        """The number of layers, counted from the names of the tensors."""
        numbers = [layer_of(name) for name in self.tensors]
        return 1 + max((n for n in numbers if n is not None), default=-1)

    @property
    def embeddings(self) -> str | None:
        """The name of the embeddings' tensor; None if none has a known name."""
        return next((name for name in self.tensors if name.endswith(EMBEDDINGS)), None)

    @property
    def tied(self) -> bool:
        """True if the model takes its embeddings for its head, unless a head on file has other values."""
        if not any(name in self.tensors for name in HEADS):
            return True
        given = self.config.get("tie_word_embeddings")
        return _ties(str(self.config.get("model_type"))) if given is None else bool(given)

    @property
    def parameters(self) -> int:
        """The number of parameters, without `MASKS`."""
        shapes = (shape for name, (shape, _) in self.tensors.items() if not name.endswith(MASKS))
        return sum(math.prod(shape) for shape in shapes)


def quantised_weights(headers: Headers) -> str | None:
    """Say that a model's weights are quantised, by its config or their dtypes; see `files.quantised`."""
    dtypes = {dtype for name, (_, dtype) in headers.tensors.items() if not name.endswith(MASKS)}
    return quantised(headers.config, dtypes - set(FLOATS))


def has_other_head(folder: str | Path, headers: Headers) -> bool:
    """True if a model said to be tied has a head on file that is not its embeddings.

    So transformers does not tie it, whatever the config says.
    """
    head = next((name for name in headers.tensors if name in HEADS), None)
    if not headers.tied or headers.embeddings is None or head is None:
        return False
    with Weights(folder) as weights:
        return not weights[headers.embeddings].equal(weights[head])


@cache
def _ties(kind: str) -> bool:
    """Whether models of a kind are tied where their config does not say it."""
    from transformers import CONFIG_MAPPING

    return kind in CONFIG_MAPPING and bool(getattr(CONFIG_MAPPING[kind](), "tie_word_embeddings", True))


def read_headers(folder: str | Path, name: str) -> Headers:
    """Read a checkpoint's small files and its safetensors headers, but no weights.

    Args:
        folder: The checkpoint's folder.
        name: The model's name, for messages.

    Returns:
        The headers, without `BUFFERS`.

    Raises:
        StudyError: See `files.tensors_in`; or the folder has no readable config.json.
    """
    if not Path(folder, "config.json").exists():
        return headers_from_files(folder, name, {})  # raises
    try:
        tensors = tensors_in(str(Path(folder).absolute()))
    except StudyError as error:
        raise StudyError(f"{name}: {error}") from None
    return headers_from_files(folder, name, tensors)


def headers_from_files(folder: str | Path, name: str, tensors: Tensors) -> Headers:
    """Combine known tensor headers with the config and the tokenizer in a folder.

    Args:
        folder: The folder with config.json and the tokenizer's files.
        name: The model's name, for messages.
        tensors: Shape and dtype of each tensor by its name on file.

    Returns:
        The headers, without `BUFFERS`.

    Raises:
        StudyError: config.json is missing or cannot be parsed.
    """
    folder = Path(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(
            f"{name}: {(folder / 'config.json').absolute()} is missing or cannot be read ({error})"
        ) from None
    weights = {key: tensor for key, tensor in tensors.items() if not key.endswith(BUFFERS)}
    return Headers(name, config, full_names(weights), tokens_of(str(folder.absolute())))


def full_names(tensors: dict[str, Value]) -> dict[str, Value]:
    """Name tensors as MergeKit writes them, if they are those of a GPT-2 stored without its start."""
    if "wte.weight" not in tensors:
        return tensors
    return {STARTS.get(name.partition(".")[0], "") + name: value for name, value in tensors.items()}


def layer_of(name: str) -> int | None:
    """Return the index of a tensor's layer; None for tensors outside the layers, such as embeddings."""
    match = LAYER.search(name)
    return int(match[1] or match[2]) if match else None


def group_of(name: str) -> str:
    """Return a tensor's layer group: `embeddings`, `layer 7`, or `head`, which includes the final norm."""
    layer = layer_of(name)
    if layer is not None:
        return f"layer {layer}"
    return "embeddings" if "embed" in name or "wte" in name or "wpe" in name else "head"


class Weights:
    """A checkpoint's weights by full name, each read on access; a context manager that closes the files.

    Tables (`BUFFERS` and `MASKS`) are no weights.
    """

    def __init__(self, folder: str | Path) -> None:
        self._stack = ExitStack()
        found: dict[str, tuple[safe_open, str]] = {}
        for file in weight_files(folder):
            opened = self._stack.enter_context(safe_open(file, "pt"))
            names = (name for name in opened.keys() if not name.endswith(BUFFERS + MASKS))
            found |= {name: (opened, name) for name in names}
        self._where = full_names(found)

    def __enter__(self) -> "Weights":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def __getitem__(self, name: str) -> "torch.Tensor":
        opened, stored = self._where[name]
        tensor: torch.Tensor = opened.get_tensor(stored)  # type: ignore[no-untyped-call]  # no types
        return tensor
