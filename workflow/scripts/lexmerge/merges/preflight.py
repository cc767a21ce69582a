"""Checks that checkpoints can be merged by a recipe, from their headers, before any weights are read."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.common.files import room_left
from lexmerge.merges.coverage import fault_by_definition, fault_by_mergekit
from lexmerge.merges.memory import at_peak
from lexmerge.merges.parents import config_differences, parent_faults, token_differences, unties
from lexmerge.merges.reach import setting_faults
from lexmerge.merges.recipes import base_of, merged_models, models_of, picks_layers, resizes
from lexmerge.merges.settings import Span, parts, spans
from lexmerge.models.checkpoints import BYTES, LAYER, Headers, group_of, layer_of
from lexmerge.models.files import HEADS, VOCABULARY

SAME = (
    *("model_type", "hidden_size", "intermediate_size"),
    *("num_attention_heads", "num_key_value_heads", "head_dim"),
)
WIDTHS = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8}


def preflight(
    recipe: dict[str, Any], parents: list[Headers], base: str, in_a_job: bool = True
) -> Iterator[str]:
    """Find every mismatch between the models of a recipe, and what MergeKit cannot merge of one.

    Args:
        recipe: The recipe.
        parents: The headers of all models that the recipe names.
        base: The name of its base model.
        in_a_job: Whether MergeKit, whose import takes seconds, may be asked which tensors it merges; a start
            of Snakemake looks at its files on known architectures instead.

    Yields:
        A sentence for each mismatch, with the MergeKit option that solves it if there is one.
    """
    merged = _merged(recipe, parents)
    first, others = _base_and_others(merged, base)
    for parent in parents:
        yield from parent_faults(parent)
    yield from filter(None, map(fault_by_mergekit if in_a_job else fault_by_definition, merged))
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
    for place, model, (start, end) in _ranges(recipe):
        layers = next(parent.layers for parent in parents if parent.name == model)
        if end > layers:
            yield f"{place}: layer_range [{start}, {end}] is outside of {model}; at most [0, {layers}]"
    yield from _head_faults(recipe, merged, first)
    yield from setting_faults(recipe, merged)


def _head_faults(recipe: dict[str, Any], parents: list[Headers], base: Headers) -> Iterator[str]:
    """A last slice of models that have no head, for a merge whose base model says that it has one."""
    by_name = {parent.name: parent for parent in parents}
    of_head = {
        name for _, part in parts(recipe) for span in spans(part) if span.last for name in span.ranges or {}
    } & by_name.keys()
    if not base.tied and of_head and not any(set(HEADS) & by_name[name].tensors.keys() for name in of_head):
        yield (
            f"slices: the head of the merge would come from {min(of_head)}, which has none but its "
            "embeddings; untie them in a copy of that model, or make it the base_model"
        )


def notes(recipe: dict[str, Any], parents: list[Headers]) -> Iterator[str]:
    """Find properties of a merge that are no errors but matter: different tokenizers, half precision.

    Args:
        recipe: The recipe.
        parents: The headers of all models that the recipe names.

    Yields:
        A sentence for each note.
    """
    first, others = _base_and_others(_merged(recipe, parents), base_of(recipe))
    if not resizes(recipe):
        for found in _token_differences(first, others):
            yield f"the tokenizers differ: {found}; the merge gets the tokenizer of the study's generalist"
    for difference in (found for other in others for found in config_differences(first, other)):
        yield f"the parents compute differently: {difference}; the merge computes as {first.name}"
    if tied := unties(_merged(recipe, parents)):
        yield f"{tied} has no head but its embeddings, unlike others; the merge gets a head of its own"
    dtypes = {dtype for parent in _merged(recipe, parents) for _, dtype in parent.tensors.values()}
    if dtypes & {"F16", "BF16"} and (WIDTHS.get(recipe.get("dtype") or "") or promoted_width(dtypes)) == 2:
        yield "computed in half precision; `dtype: float32` with `out_dtype: bfloat16` keeps more digits"


def parent_differences(recipe: dict[str, Any], parents: list[Headers]) -> list[str]:
    """Find in what the parents of a merge compute differently, which no merging of weights brings together.

    Args:
        recipe: The recipe.
        parents: The headers of all models that the recipe names.

    Returns:
        A phrase for each difference between the base model and another parent.
    """
    first, others = _base_and_others(_merged(recipe, parents), base_of(recipe))
    of_configs = [difference for other in others for difference in config_differences(first, other)]
    return of_configs + ([] if resizes(recipe) else _token_differences(first, others))


def _token_differences(first: Headers, others: list[Headers]) -> list[str]:
    """A phrase for each parent whose ids mean other tokens than those of the base model."""
    return [found for found in (token_differences(first, other) for other in others) if found]


def _base_and_others(parents: list[Headers], base: str) -> tuple[Headers, list[Headers]]:
    """The headers of the base model, and those of the other parents."""
    first = next(parent for parent in parents if parent.name == base)
    return first, [parent for parent in parents if parent.name != base]


def needs(recipe: dict[str, Any], parents: list[Headers], base: str) -> tuple[int, int]:
    """Estimate the disk space and the memory of a merge.

    Args:
        recipe: The recipe.
        parents: The headers of all models that the recipe names.
        base: The name of its base model.

    Returns:
        Bytes on the disk, and bytes of memory at the peak.
    """
    merged = _merged(recipe, parents)
    disk = largest = 0
    rows = _vocabulary_size(recipe, parents, base)
    made = [*_tensors_made(recipe, merged, base, rows), *_new_head(merged, base, rows)]
    for elements, dtypes in made:
        computed = WIDTHS.get(recipe.get("dtype") or "") or promoted_width(dtypes)
        disk += elements * (WIDTHS.get(recipe.get("out_dtype") or "") or computed)
        largest = max(largest, elements * computed)
    return disk, int(at_peak(recipe["merge_method"], len(merged), largest, disk))


def promoted_width(dtypes: set[str]) -> int:
    """Compute the bytes of an element after MergeKit has aligned the dtypes of a tensor's parents.

    Args:
        dtypes: The dtypes as safetensors names them.

    Returns:
        The width of the widest; that of float32 for float16 with bfloat16, as PyTorch promotes them.
    """
    return max(4 if {"F16", "BF16"} <= dtypes else 0, *(BYTES.get(dtype, 4) for dtype in dtypes))


def _merged(recipe: dict[str, Any], parents: list[Headers]) -> list[Headers]:
    """The parents without those that only give a tokenizer."""
    named = merged_models(recipe)
    return [parent for parent in parents if parent.name in named] or parents


def _tensors_made(
    recipe: dict[str, Any], parents: list[Headers], base: str, rows: int | None
) -> Iterator[tuple[int, set[str]]]:
    """The number of elements of each tensor that MergeKit will write, and the dtypes of its parents."""
    by_name = {parent.name: parent for parent in parents}
    wholes = list(parts(recipe))
    for span in spans(wholes[0][1]) if len(wholes) == 1 else [Span()]:
        ranges = span.ranges or {name: (0, parent.layers) for name, parent in by_name.items()}
        first = base if base in ranges else next(iter(ranges))
        start, end = ranges[first]
        for name, (shape, _) in by_name[first].tensors.items():
            layer = layer_of(name)
            inside = span.first if group_of(name) == "embeddings" else span.last
            if not (inside if layer is None else start <= layer < end):
                continue
            same = {other: _moved(name, begin - start) for other, (begin, _) in ranges.items()}
            found = [by_name[o].tensors[n][1] for o, n in same.items() if n in by_name[o].tensors]
            if rows and name.endswith(VOCABULARY):
                shape = (rows, *shape[1:])
            yield math.prod(shape), set(found)


def _new_head(parents: list[Headers], base: str, rows: int | None) -> Iterator[tuple[int, set[str]]]:
    """The head that a merge gets though its base model has none, as `_tensors_made`."""
    first = next((parent for parent in parents if parent.name == base), parents[0])
    if unties(parents) and first.tied and first.embeddings is not None:
        shape, dtype = first.tensors[first.embeddings]
        yield (rows or shape[0]) * math.prod(shape[1:]), {dtype}


def _moved(name: str, by: int) -> str:
    """The name of a tensor so many layers further."""
    return LAYER.sub(lambda m: m[0].replace(m[1] or m[2], str(int(m[1] or m[2]) + by)), name, count=1)


def _vocabulary_size(recipe: dict[str, Any], parents: list[Headers], base: str) -> int | None:
    """The number of rows of the embeddings, at most; None if it stays that of the base model."""
    if not resizes(recipe):
        return None
    tokenizer = recipe.get("tokenizer") or {}
    source = recipe.get("tokenizer_source") or tokenizer.get("source", "union")
    sizes = {parent.name: (_rows(parent), frozenset((parent.tokens or {}).items())) for parent in parents}
    if source == "union":  # at most, all tokens of all different tokenizers
        different: dict[frozenset[tuple[str, int | str]], int] = {}
        for name in (parent.name for parent in _merged(recipe, parents)):
            size, vocabulary = sizes[name]
            different[vocabulary] = max(size, different.get(vocabulary, 0))
        rows = sum(different.values())
    else:
        rows = sizes[base if source == "base" or source not in sizes else source][0]
    multiple = tokenizer.get("pad_to_multiple_of") or 1
    return math.ceil(rows / multiple) * multiple


def _rows(parent: Headers) -> int:
    """The number of rows of a model's embeddings."""
    rows = [shape[0] for name, (shape, _) in parent.tensors.items() if name.endswith(VOCABULARY)]
    return max(rows, default=0)


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
            "input_gb": round(input_bytes(_merged(recipe, parents)) / 1e9, 2),
            "notes": list(notes(recipe, parents)),
        }
    if faults:
        raise StudyError("\n  - ".join(["some merges cannot be made, so no weights were fetched:", *faults]))
    return taken


def _tensor_faults(first: Headers, other: Headers, resized: bool, stacked: bool) -> Iterator[str]:
    """A sentence for missing tensors, and for each tensor whose shapes differ."""
    missing = [name for name in first.tensors if name not in other.tensors]
    if other.tied:
        missing = [name for name in missing if name not in HEADS]  # MergeKit takes the embeddings instead
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
        if name.endswith(VOCABULARY):
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
