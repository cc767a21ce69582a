"""Checks that checkpoints can be merged by a recipe, from their headers, before any weights are read."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.common.files import room_left
from lexmerge.merges.memory import at_peak
from lexmerge.merges.reach import setting_faults
from lexmerge.merges.recipes import base_of, models_of, picks_layers, resizes
from lexmerge.models.checkpoints import BYTES, Headers, layer_of

SAME = (
    *("model_type", "hidden_size", "intermediate_size"),
    *("num_attention_heads", "num_key_value_heads", "head_dim"),
)
VOCABULARY = ("embed_tokens", "lm_head", "wte")


def preflight(recipe: dict[str, Any], parents: list[Headers], base: str) -> Iterator[str]:
    """Find every mismatch between the models of a recipe.

    Args:
        recipe: The recipe.
        parents: The headers of all models that the recipe names.
        base: The name of its base model.

    Yields:
        A sentence for each mismatch, with the MergeKit option that solves it if there is one.
    """
    first = next(parent for parent in parents if parent.name == base)
    others = [parent for parent in parents if parent.name != base]
    stacked, resized = picks_layers(recipe), resizes(recipe)
    for other in others:
        for key in SAME:
            one, two = first.config.get(key), other.config.get(key)
            if None not in (one, two) and one != two:  # older configs omit defaults
                both = f"{key} is {one!r} in {base}, {two!r} in {other.name}"
                yield f"config.json: {both}; the two cannot be merged"
        if first.layers != other.layers and not stacked:
            yield (
                f"{base} has {first.layers} layers and {other.name} {other.layers}; choose layers of each "
                "model with `slices` and `layer_range`"
            )
        yield from _tensor_faults(first, other, resized, stacked)
        tied = [parent.config.get("tie_word_embeddings") for parent in (first, other)]
        if None not in tied and tied[0] != tied[1]:
            yield (
                f"config.json: tie_word_embeddings is {tied[0]} in {base}, {tied[1]} in {other.name}: the "
                "merged lm_head would be ignored or missing; untie the embeddings of the tied model first"
            )
    for place, model, (start, end) in _ranges(recipe):
        layers = next(parent.layers for parent in parents if parent.name == model)
        if end > layers:
            yield f"{place}: layer_range [{start}, {end}] is outside of {model}; at most [0, {layers}]"
    yield from setting_faults(recipe, parents)


def notes(recipe: dict[str, Any], parents: list[Headers]) -> Iterator[str]:
    """Find properties of a merge that are no errors but matter: different tokenizers, half precision.

    Args:
        recipe: The recipe.
        parents: The headers of all models that the recipe names.

    Yields:
        A sentence for each note.
    """
    if len({parent.tokenizer for parent in parents}) > 1 and "tokenizer" not in recipe:
        named = ", ".join(parent.name for parent in parents)
        yield (
            f"the tokenizer files of {named} differ; the merge gets the tokenizer of the study's generalist"
        )
    halves = {dtype for parent in parents for _, dtype in parent.tensors.values()} & {"F16", "BF16"}
    if halves and recipe.get("dtype", "bfloat16") in ("bfloat16", "float16"):
        yield "computed in half precision; `dtype: float32` with `out_dtype: bfloat16` keeps more digits"


def needs(recipe: dict[str, Any], parents: list[Headers], base: str) -> tuple[int, int]:
    """Estimate the disk space and the memory of a merge.

    Args:
        recipe: The recipe.
        parents: The headers of all models that the recipe names.
        base: The name of its base model.

    Returns:
        Bytes on the disk, and bytes of memory at the peak.
    """
    first = next(parent for parent in parents if parent.name == base)
    width = {"float32": 4, "float64": 8}.get(recipe.get("out_dtype") or recipe.get("dtype") or "", 2)
    disk = first.parameters * width
    compute = {"float32": 4, "float64": 8}.get(recipe.get("dtype") or "", 2)
    largest = max(math.prod(shape) for shape, _ in first.tensors.values())
    return disk, int(at_peak(recipe["merge_method"], len(parents), largest * compute, disk))


def room(recipe: dict[str, Any], parents: list[Headers], base: str, folder: str | Path) -> Iterator[str]:
    """Check that the disk can hold a merge.

    Args:
        recipe: The recipe.
        parents: The headers of all models that the recipe names.
        base: The name of its base model.
        folder: The target folder of the merge.

    Yields:
        One sentence if the disk has too little room.
    """
    disk, _ = needs(recipe, parents, base)
    place, free = room_left(folder)
    if disk > free:
        yield f"the merge needs {disk / 1e9:.1f} GB, but {place} has only {free / 1e9:.1f} GB left"


def input_bytes(parents: list[Headers]) -> int:
    """Compute the size of all weights of the parents, in bytes."""
    return sum(math.prod(s) * BYTES.get(dtype, 4) for p in parents for s, dtype in p.tensors.values())


def preflight_all(
    recipes: dict[str, dict[str, Any]], headers: dict[str, Headers], folder: str | Path
) -> dict[str, dict[str, Any]]:
    """Check that all merges can be made, and estimate their disk space and memory.

    Args:
        recipes: The recipes by the merges' names.
        headers: The headers of models by name; merges that need other models are skipped.
        folder: A folder on the disk that will hold the merges.

    Returns:
        By the merge's name: `disk_gb`, `memory_gb` (at the peak) and `input_gb` in gigabytes, and `notes`.

    Raises:
        StudyError: Some merges cannot be made; the message lists them with the reasons.
    """
    faults: list[str] = []
    taken: dict[str, dict[str, Any]] = {}
    for name, recipe in recipes.items():
        if not set(models_of(recipe)) <= set(headers):
            continue
        parents, base = [headers[model] for model in models_of(recipe)], base_of(recipe)
        own = [*preflight(recipe, parents, base), *room(recipe, parents, base, folder)]
        faults += [f"{name}: {fault}" for fault in own]
        disk, memory = needs(recipe, parents, base)
        taken[name] = {
            "disk_gb": round(disk / 1e9, 2),
            "memory_gb": round(memory / 1e9, 2),
            "input_gb": round(input_bytes(parents) / 1e9, 2),
            "notes": list(notes(recipe, parents)),
        }
    if faults:
        raise StudyError("\n  - ".join(["some merges cannot be made, so no weights were fetched:", *faults]))
    return taken


def _tensor_faults(first: Headers, other: Headers, resized: bool, stacked: bool) -> Iterator[str]:
    """A sentence for missing tensors, and for each tensor whose shapes differ."""
    missing = [name for name in first.tensors if name not in other.tensors]
    if stacked:
        missing = [name for name in missing if layer_of(name) is None]
    if missing:
        yield f"{other.name} has no tensor {missing[0]}" + (
            f" and {len(missing) - 1} more" if missing[1:] else ""
        )
    for name, (shape, _) in first.tensors.items():
        other_shape = other.tensors.get(name, (shape, ""))[0]
        if other_shape == shape:
            continue
        shapes = f"{name}: {list(shape)} in {first.name} and {list(other_shape)} in {other.name}"
        if any(part in name for part in VOCABULARY):
            if not resized:
                yield f"{shapes}; the vocabularies differ, so add `tokenizer: {{source: base}}` (or union)"
        else:
            yield f"{shapes}; the two cannot be merged"


def _ranges(recipe: dict[str, Any]) -> Iterator[tuple[str, str, list[int]]]:
    """The place in the recipe, the model and the layer range of each source of a slice."""
    parts = [recipe, *(recipe.get("modules") or {}).values()]
    for number, part in enumerate(p for node in parts for p in node.get("slices") or []):
        for source in part["sources"]:
            yield f"slices[{number}]", source["model"], source["layer_range"]


def same_vocabulary(canonical: Headers, parents: list[Headers]) -> None:
    """Check that the study's tokenizer fits a merge: the vocabularies must have the same size.

    Args:
        canonical: The headers of the checkpoint whose tokenizer all merges get.
        parents: The headers of the merge's parents.

    Raises:
        StudyError: The sizes differ.
    """
    ours, theirs = canonical.config.get("vocab_size"), parents[0].config.get("vocab_size")
    if None not in (ours, theirs) and ours != theirs:
        raise StudyError(
            f"{parents[0].name} has a vocabulary of {theirs} tokens, but the study's generalist, whose "
            f"tokenizer all merges get, has {ours}: give this recipe a `tokenizer` of its own"
        )
