"""Fold a LoRA adapter into the weights of its model, one weight file after the other."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lexmerge.common.errors import StudyError
from lexmerge.common.files import write_json
from lexmerge.models.adapters import (
    Adapter,
    Change,
    adapter_faults,
    changes,
    has_tokenizer,
    head_of,
    indices,
    read_adapter,
    scale,
    transposed,
)
from lexmerge.models.checkpoints import STARTS, Headers, has_other_head, read_headers
from lexmerge.models.files import (
    ADAPTER_WEIGHTS,
    BUFFERS,
    HEADS,
    INDEX,
    MASKS,
    folder_files,
    header,
    read_object,
    weight_files,
)
from lexmerge.models.tokens import TOKENIZER, WITH_TOKENIZER

Values = dict[str, torch.Tensor]  # tensors by name


def fold(folder: Path, adapter_folder: Path, source: str, target: Path) -> None:
    """Write a checkpoint that computes as a model with an adapter; PEFT's forward pass is the reference.

    The weights are computed in float32 and kept in the model's own types. A tokenizer that comes with the
    adapter replaces that of the model.

    Args:
        folder: The folder of the model.
        adapter_folder: The folder of the adapter.
        source: The hub id or folder that the model came from.
        target: An empty folder.

    Raises:
        StudyError: The adapter does not fit the model, or a weight is not finite.
    """
    given, adapter = read_headers(folder, source), read_adapter(adapter_folder)
    base = given
    if has_other_head(folder, given):
        base = replace(given, config=given.config | {"tie_word_embeddings": False})
    if given.tied and not base.tied and adapter.config.get("trainable_token_indices"):
        raise StudyError(
            f"{adapter.place}: it trained the rows of tokens, and {source} is said to be tied but has a head "
            "of its own; set `tie_word_embeddings` to false in the config.json of a copy of the model"
        )
    if faults := list(adapter_faults(adapter, base, source)):
        raise StudyError("\n  - ".join(["the adapter cannot be folded into its model:", *faults]))
    modules, _ = changes(adapter, base)
    learned = load_file(adapter_folder / ADAPTER_WEIGHTS)
    _copy_small_files(folder, adapter_folder, target)
    head = _untied_head(folder, base, adapter, modules, learned)
    embeddings = base.embeddings
    for file in weight_files(folder):
        kept = _load(file, base)
        if base.tied:
            kept = {name: tensor for name, tensor in kept.items() if name not in HEADS}
        made = dict(_folded(kept, base, adapter, modules, learned))
        if head is not None and embeddings in kept:
            made[head_of(base)] = head
        _check_finite(made, adapter.place)
        save_file(made, target / file.name, {"format": "pt"})
    _write_config(target, base, head is not None)
    if (folder / INDEX).is_file():
        _write_index(target, [file.name for file in weight_files(folder)])


def _load(file: Path, base: Headers) -> Values:
    """Read the tensors of a weight file by the names of the model's headers."""
    return {
        name if name in base.tensors else STARTS.get(name.partition(".")[0], "") + name: tensor
        for name, tensor in load_file(file).items()
    }


def _copy_small_files(folder: Path, adapter_folder: Path, target: Path) -> None:
    """Copy the model's files without weights, with the tokenizer of the adapter if it has one."""
    names = {file.name: file for file in folder_files(folder)}
    weights = {file.name for file in weight_files(folder)}
    own = (*TOKENIZER, *WITH_TOKENIZER)
    if has_tokenizer(adapter_folder):
        names = {name: file for name, file in names.items() if name not in own}
        names |= {name: adapter_folder / name for name in own if (adapter_folder / name).is_file()}
    for name, file in names.items():
        if name not in weights:
            shutil.copyfile(file, target / name)


def _folded(
    kept: Values, base: Headers, adapter: Adapter, modules: dict[str, Change], learned: Values
) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of one weight file after the adapter is applied, with their names."""
    for name, tensor in kept.items():
        module, _, part = name.rpartition(".")
        change = modules.get(module)
        if change is None or part not in ("weight", "bias"):
            yield name, tensor
        elif part == "weight":
            yield name, weight_of(tensor, base, adapter, module, change, learned)
        else:
            yield name, _bias_of(tensor, adapter, module, change, learned)


def weight_of(
    tensor: torch.Tensor, base: Headers, adapter: Adapter, module: str, change: Change, learned: Values
) -> torch.Tensor:
    """Compute the weight of a module with an adapter.

    Args:
        tensor: The model's weight, of any shape.
        base: The headers of the model.
        adapter: The adapter.
        module: The module's name.
        change: What the adapter changes in it.
        learned: The adapter's tensors by name.

    Returns:
        The weight in the type of `tensor`; the adapter may bring other rows of embeddings and heads.
    """
    dtype = tensor.dtype
    weight = (learned[change.new["weight"]] if "weight" in change.new else tensor).float()
    parts = {part: learned[name].float() for part, name in change.learned.items()}
    embedding = "lora_embedding_A" in parts
    flipped = embedding or transposed(base, module)
    if embedding or "lora_A.weight" in parts:
        names = ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A.weight", "lora_B.weight")
        down, up = (parts[name] for name in names)
        straight = weight.T if flipped else weight  # outputs by inputs
        straight = straight + scale(adapter, change) * (up @ down)
        if "lora_magnitude_vector" in parts:
            lengths = torch.linalg.vector_norm(straight, dim=1, keepdim=True)
            straight = parts["lora_magnitude_vector"].reshape(-1, 1) / lengths * straight
        weight = straight.T if flipped else straight
    if (rows := parts.get("token_adapter.trainable_tokens_delta")) is not None:
        weight = weight.clone()
        weight[indices(adapter, change)] = rows
    return weight.to(dtype).contiguous()


def _bias_of(
    tensor: torch.Tensor, adapter: Adapter, module: str, change: Change, learned: Values
) -> torch.Tensor:
    """The bias of a module with an adapter, in the type of `tensor`."""
    bias = (learned[change.new["bias"]] if "bias" in change.new else tensor).float()
    if "lora_B.bias" in change.learned:
        bias = bias + scale(adapter, change) * learned[change.learned["lora_B.bias"]].float()
    return bias.to(tensor.dtype)


def _untied_head(
    folder: Path, base: Headers, adapter: Adapter, modules: dict[str, Change], learned: Values
) -> torch.Tensor | None:
    """The head of a tied model whose adapter makes it differ from the embeddings; None if they stay equal."""
    name, head = base.embeddings, head_of(base).removesuffix(".weight")
    if name is None or not base.tied:
        return None
    module = name.removesuffix(".weight")
    if not {module, head} & modules.keys():
        return None
    files = (file for file in weight_files(folder) if any(name.endswith(n) for n in header(file)))
    embeddings = _load(next(files), base)[name]
    of_embeddings = modules.get(module, Change())
    folded = weight_of(embeddings, base, adapter, module, of_embeddings, learned)
    # PEFT gives rows of single tokens to the tied head as well.
    rows = {part: n for part, n in of_embeddings.learned.items() if part.startswith("token_adapter")}
    of_head = modules.get(head, Change(of_embeddings.peft, learned=rows))
    made = weight_of(embeddings, base, adapter, head if head in modules else module, of_head, learned)
    return None if torch.equal(made, folded) else made


def _check_finite(made: Values, place: str) -> None:
    """Refuse weights that are NaN or infinite."""
    for name, tensor in made.items():
        table = name.endswith(BUFFERS + MASKS)
        if not table and tensor.is_floating_point() and not tensor.isfinite().all():
            raise StudyError(f"{place}: with this adapter, {name} is NaN or infinite; nothing was kept")


def _write_config(target: Path, base: Headers, untied: bool) -> None:
    """Write the vocabulary's size and whether the head is tied, where an adapter changed them."""
    config, before = dict(base.config), read_object(target / "config.json")
    name = base.embeddings
    rows = [header(file)[name][0][0] for file in weight_files(target) if name in header(file)]
    if "vocab_size" in config and rows:
        config["vocab_size"] = rows[0]
    if untied:
        config["tie_word_embeddings"] = False
    if config != before:
        write_json(target / "config.json", config)


def _write_index(target: Path, names: list[str]) -> None:
    """Write the index of several weight files."""
    where = {tensor: name for name in names for tensor in header(target / name)}
    total = sum((target / name).stat().st_size for name in names)
    metadata = read_object(target / INDEX).get("metadata") or {}
    index = {"metadata": metadata | {"total_size": total}, "weight_map": where}
    (target / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
