"""The files of a checkpoint: which files of a folder or a repository are the model, for every reader."""

import json
import math
import os
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError

Tensors = dict[str, tuple[tuple[int, ...], str]]  # name -> shape and dtype, as safetensors names it (`BF16`)

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# Config, tokenizer and chat template. Python files, READMEs and the trainer's notes are not the model.
SMALL = ("*.json", "*.jinja", "*.model", "*.tiktoken", "tokenizer*", "merges.txt", "vocab.txt")
NOT_THE_MODEL = (
    *("provenance.json", "adapter_*", "*.index.json", "trainer_state.json", "*_results.json", "*.py"),
    *("*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf", "*.msgpack", "*.h5", "*.onnx"),
)
MOST_HEADER = 100_000_000  # bytes of a header that safetensors reads
# Constant tables that old checkpoints store with their weights; MergeKit does not merge them.
BUFFERS = (".rotary_emb.inv_freq", ".attn.masked_bias", ".attn.bias")
MASKS = (".attention.masked_bias", ".attention.bias")  # those of GPT-NeoX, which MergeKit asks for
FLOATS = ("F64", "F32", "F16", "BF16")
# Ends of the names of the tensors with a row for each token; a tied model has no head on file.
EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")
HEADS = ("lm_head.weight", "embed_out.weight")
VOCABULARY = (*EMBEDDINGS, *HEADS)
BITS = {
    **{"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8},
    **{"I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8},
}


def model_files(names: Iterable[str], weights: Iterable[str]) -> list[str]:
    """Choose the files of a model among those of its folder or repository.

    Args:
        names: All files, without those in folders below.
        weights: The files with the weights, as `weight_names` returns them.

    Returns:
        The names of the config, the tokenizer's files, the weights and, with several shards, their index.
    """
    names, weights = list(names), set(weights)
    small = {
        name
        for name in names
        if any(fnmatch(name, pattern) for pattern in SMALL)
        and not any(fnmatch(name, pattern) for pattern in NOT_THE_MODEL)
    }
    return sorted(small | weights | ({INDEX} & set(names) if weights != {SINGLE} else set()))


def weight_names(place: str, names: Iterable[str], listed: Iterable[str] | None) -> list[str]:
    """Choose the files with a model's weights, as transformers, vLLM and MergeKit read them.

    `model.safetensors` is the model, or else the shards that `model.safetensors.index.json` lists. Other
    files, such as `consolidated.safetensors`, are left out.

    Args:
        place: The folder or repository, for messages.
        names: All files, without those in folders below.
        listed: The shards that the index lists; None if there is no index.

    Returns:
        The names of the files, sorted.

    Raises:
        StudyError: There are none, a shard is missing, or there are two sets, of which tools read
            different ones.
    """
    names = set(names)
    if listed is None:
        if SINGLE in names:
            return [SINGLE]
        others = sorted(name for name in names if name.endswith(".safetensors"))
        if others:
            raise StudyError(
                f"{place} has neither {SINGLE} nor {INDEX}, so {others[0]} may be only a part; fetch the "
                "missing file, or rename a file with all weights"
            )
        raise StudyError(
            f"{place} has no safetensors files; convert the weights to safetensors, since pickle files are "
            "not read"
        )
    wanted = sorted(set(listed))
    if not wanted:
        raise StudyError(f"{place}: {INDEX} lists no files; fetch it again")
    if strange := next((name for name in wanted if "/" in name or "\\" in name), None):
        raise StudyError(f"{place}: {INDEX} lists {strange!r}, which is not a file of this folder")
    if missing := [name for name in wanted if name not in names]:
        raise StudyError(f"{place} is incomplete: {missing[0]} of {INDEX} is missing; fetch it again")
    if SINGLE in names and wanted != [SINGLE]:
        raise StudyError(
            f"{place} has two sets of weights, {SINGLE} and the {len(wanted)} of {INDEX} (the first is "
            f"{wanted[0]}), and tools read different ones; remove the one that is not the model"
        )
    return wanted


def weight_files(folder: str | Path) -> list[Path]:
    """Choose the files with the weights of a checkpoint in a folder; see `weight_names` for errors."""
    folder = Path(folder).absolute()
    return [folder / name for name in weight_names(str(folder), _names(folder), shards(folder))]


def folder_files(folder: str | Path) -> list[Path]:
    """Choose all files of a checkpoint in a folder; see `weight_names` for errors."""
    weights = [file.name for file in weight_files(folder)]
    return [Path(folder, name) for name in model_files(_names(Path(folder)), weights)]


def shards(folder: str | Path) -> set[str] | None:
    """Read which files the index in a folder lists; None if there is no index."""
    weight_map = _weight_map(Path(folder))
    return None if weight_map is None else set(weight_map.values())


def _names(folder: Path) -> list[str]:
    """The files in a folder, or links to files, as a hub cache has them."""
    return [file.name for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []


def _weight_map(folder: Path) -> dict[str, str] | None:
    """The file of each tensor by the index of a folder; None if there is no index."""
    if not (folder / INDEX).is_file():
        return None
    listed = read_object(folder / INDEX).get("weight_map")
    if not isinstance(listed, dict) or not all(isinstance(file, str) for file in listed.values()):
        raise StudyError(f"{folder / INDEX} has no `weight_map` of names to files; fetch it again")
    return listed


def quantised(config: dict[str, Any], strange_dtypes: Iterable[str] = ()) -> str | None:
    """Say that a model's weights are quantised, which MergeKit cannot merge.

    Args:
        config: The content of config.json.
        strange_dtypes: The dtypes of its tensors that are not of floating-point numbers with 16 bits or more.

    Returns:
        The fault with its remedy; None if the weights are not quantised.
    """
    strange = sorted(strange_dtypes)
    if "quantization_config" not in config and not strange:
        return None
    given = config.get("quantization_config")
    how = (given.get("quant_method") if isinstance(given, dict) else None) or ", ".join(strange)
    return (
        f"the weights are quantised{f' ({how})' if how else ''} and cannot be merged; take the weights that "
        "they were made from"
    )


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON file that holds a mapping.

    Raises:
        StudyError: The file is something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(f"{file} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise StudyError(f"{file} is not a JSON object")
    return content


@cache
def tensors_in(folder: str) -> Tensors:
    """Read the headers of a checkpoint's weights.

    Args:
        folder: The checkpoint's folder.

    Returns:
        The shape and dtype of each tensor by name, with `BUFFERS`.

    Raises:
        StudyError: `weight_names` finds a fault, a file is damaged, a tensor is in two files, or the index
            and the files disagree.
    """
    found: Tensors = {}
    where: dict[str, str] = {}
    for file in weight_files(folder):
        for name, tensor in header(file).items():
            if name in where:
                raise StudyError(
                    f"{folder}: the tensor {name} is in {where[name]} and in {file.name}; fetch it again"
                )
            found[name], where[name] = tensor, file.name
    weight_map = _weight_map(Path(folder))
    if weight_map is None:
        return found
    for name, listed in weight_map.items():
        if where.get(name) != listed:
            actual = f"it is in {where[name]}" if name in where else "that file lacks it"
            raise StudyError(f"{folder}: {INDEX} has {name} in {listed}, but {actual}; fetch the model again")
    for name in where:
        if name not in weight_map and not name.endswith(BUFFERS):
            raise StudyError(
                f"{folder}: {INDEX} does not list {name} of {where[name]}; fetch the model again"
            )
    return found


def header(file: Path) -> Tensors:
    """Read the header of one safetensors file: its length in 8 bytes, then JSON.

    The library's `safe_open` would import a tensor library at every start of Snakemake.

    Args:
        file: The file.

    Returns:
        The shape and dtype of each tensor by name.

    Raises:
        StudyError: The file is damaged or incomplete.
    """
    try:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            first = opened.read(8)
            if first == b"version ":
                raise StudyError(f"{file} is a pointer of Git LFS, not the weights; run `git lfs pull` there")
            length = int.from_bytes(first, "little")
            if len(first) < 8 or length > min(MOST_HEADER, size - 8):
                raise ValueError("the header is incomplete")
            parsed = json.loads(opened.read(length))
        tensors = {name: spec for name, spec in parsed.items() if name != "__metadata__"}
        end = 0
        for name, spec in tensors.items():
            start, stop = spec["data_offsets"]
            bits = math.prod(spec["shape"]) * BITS.get(spec["dtype"], 0)
            if bits and (stop - start) * 8 != bits:
                raise ValueError(f"{name} has {stop - start} bytes, which do not fit its shape")
            end = max(end, stop)
        if size < 8 + length + end:
            raise ValueError("the file ends too early")
        if size > 8 + length + end:
            raise ValueError("the file is longer than its header says")
        return {name: (tuple(spec["shape"]), str(spec["dtype"])) for name, spec in tensors.items()}
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise StudyError(f"{file} is damaged or cut off ({error}); fetch it again") from None
