"""Checks of local checkpoints from their small files and headers, before any job."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.merges.recipes import base_of, expanded, models_of, resizes
from lexmerge.models.adapted import answers_for_source, unadapted
from lexmerge.models.files import ADAPTER, quantised, read_object, tensors_in
from lexmerge.models.own_code import own_code
from lexmerge.models.tokens import tokens_of
from lexmerge.search.starts import tried_recipes
from lexmerge.study.recipe_faults import recipe_faults
from lexmerge.study.selection import selected_models
from lexmerge.study.violations import place_of


def local_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find local checkpoints that cannot be loaded or merged.

    Args:
        config: A config laid over the toy study's, with grids of a bounded size.

    Yields:
        A line for each fault of a selected model whose source is a folder, and of a recipe that names one.
    """
    models = {name: config["models"][name] for name in selected_models(config)}
    folders = {
        name: str(Path(model["source"]).absolute())
        for name, model in models.items()
        if Path(model["source"]).is_dir()
    }
    adapters = {
        name: str(Path(model["adapter"]).absolute())
        for name, model in models.items()
        if "adapter" in model and Path(model["adapter"]).is_dir()
    }
    parents, sound = _parents(config), {}
    for name, folder in folders.items():
        faults = folder_faults(folder, name in parents, folder in adapters.values())
        whole = unadapted(config["models"], name)
        if answers_for_source(config["models"], name):
            yield from (f"{place_of(['models', name, 'source'])}: {fault}" for fault in faults)
        adapter = adapters.get(name)
        if faults or (whole is not None and adapter is None):
            continue
        of_adapter = adapter_folder_faults(folder, adapter) if adapter else ()
        yield from (f"{place_of(['models', name, 'adapter'])}: {fault}" for fault in of_adapter)
        if not of_adapter:
            sound[name] = (folder, adapter)
    if sound:
        yield from _merge_faults(config, sound)


@cache
def folder_faults(folder: str, merged: bool, adapted: bool = False) -> tuple[str, ...]:
    """Check the files of a checkpoint; no weights are read.

    Args:
        folder: The absolute path of the checkpoint's folder.
        merged: Whether the model is a parent of a merge.
        adapted: Whether the folder is also named as the adapter of a model.

    Returns:
        A sentence for each fault.
    """
    if not Path(folder, "config.json").is_file():
        if Path(folder, ADAPTER).is_file():
            return (
                f"{folder} is a LoRA adapter, not a model; name its model as `source`, and this folder as "
                "`adapter`",
            )
        return (f"{folder} has no config.json, so it is not a checkpoint of Hugging Face's format",)
    try:
        config = read_object(Path(folder, "config.json"))
        faults = list(_config_faults(config, folder, merged, adapted))
        if fault := own_code(folder, folder):
            faults.append(fault)
        tensors_in(folder)
        tokens_of(folder)
    except StudyError as error:
        return (str(error),)
    return tuple(faults)


def _config_faults(config: dict[str, Any], folder: str, merged: bool, adapted: bool) -> Iterator[str]:
    """Faults of the content of config.json, and an adapter beside the model."""
    file = Path(folder, "config.json")
    if not isinstance(config.get("model_type"), str):
        yield f"{file} has no `model_type`, without which transformers cannot load the model"
    if Path(folder, ADAPTER).is_file() and not adapted:
        yield (
            f"{folder} has a LoRA adapter beside the model ({ADAPTER}), which some tools would apply; if it "
            "belongs to the model, name the folder also as `adapter`, or else move the adapter elsewhere"
        )
    if merged and (fault := quantised(config)):
        yield f"{file}: {fault}"
    architectures = config.get("architectures")
    if merged and not (isinstance(architectures, list) and len(architectures) == 1):
        yield f"{file}: `architectures` has to name one architecture, which MergeKit needs"


@cache
def adapter_folder_faults(folder: str, adapter: str) -> tuple[str, ...]:
    """Check that an adapter can be folded into a checkpoint; no weights are read.

    Args:
        folder: The absolute path of the checkpoint's folder.
        adapter: The absolute path of the adapter's folder.

    Returns:
        A sentence for each fault.
    """
    try:
        from lexmerge.models.adapters import adapter_faults, read_adapter
        from lexmerge.models.checkpoints import read_headers
    except ImportError:  # Snakemake runs alone, and its jobs in environments of their own
        return ()
    try:
        own = own_code(adapter, adapter)
        faults = adapter_faults(read_adapter(adapter), read_headers(folder, folder), folder)
        return (*([own] if own else []), *faults)
    except StudyError as error:
        return (str(error),)


def _parents(config: dict[str, Any]) -> set[str]:
    """The models that the selected merges are made from, and those that their adapters are folded into."""
    merges = (config["merges"].get(name, {}) for name in config["study"]["merges"])
    named = {model for merge in merges for model in models_of(merge.get("recipe"))}
    alone = {unadapted(config["models"], name) for name in named if name in config["models"]}
    return named | {name for name in alone if name is not None}


def _merge_faults(config: dict[str, Any], folders: dict[str, tuple[str, str | None]]) -> Iterator[str]:
    """Faults of the selected merges of local models; points of a sweep that differ in numbers count once.

    `folders` has the folder of each model, and that of its adapter or None.
    """
    try:
        from lexmerge.models.adapters import folded_headers, read_adapter
        from lexmerge.models.checkpoints import read_headers
    except ImportError:  # Snakemake runs alone, and its jobs in environments of their own
        return
    headers = {name: read_headers(folder, name) for name, (folder, _) in folders.items()}
    for name, (_, adapter) in folders.items():
        if adapter is not None:
            headers[name] = folded_headers(headers[name], read_adapter(adapter), name)
    for name in (name for name in dict.fromkeys(config["study"]["merges"]) if name in config["merges"]):
        place = place_of(["merges", name])
        shapes: dict[str, dict[str, Any]] = {}
        for point in expanded(name, config["merges"][name]).values():
            recipe = tried_recipes(point)[0]
            shapes.setdefault(json.dumps(_without_values(recipe), sort_keys=True), recipe)
        yield from dict.fromkeys(
            f"{place}.recipe: {fault}"
            for recipe in shapes.values()
            if not any(recipe_faults(recipe, place))
            for fault in _fit_faults(recipe, headers, config["study"]["generalist"])
        )
        yield from _block_faults(config["merges"][name], place, headers)


def _fit_faults(recipe: dict[str, Any], headers: dict[str, Any], generalist: str) -> Iterator[str]:
    """Faults of a recipe in itself sound that does not fit its local models."""
    from lexmerge.merges.preflight import preflight, same_vocabulary

    models = models_of(recipe)
    if not set(models) <= headers.keys():
        for model, (_, end) in _ranges(recipe):
            if model in headers and end > headers[model].layers:
                yield f"layer_range: up to {end} of {model}, which has {headers[model].layers} layers"
        return
    parents = [headers[model] for model in models]
    yield from preflight(recipe, parents, base_of(recipe), in_a_job=False)
    if generalist in headers and not resizes(recipe) and "chat_template" not in recipe:
        try:
            same_vocabulary(headers[generalist], parents)
        except StudyError as error:
            yield str(error)


def _block_faults(merge: dict[str, Any], place: str, headers: dict[str, Any]) -> Iterator[str]:
    """Faults of a search with more blocks than a local model has layers."""
    layers = {model: headers[model].layers for model in models_of(merge["recipe"]) if model in headers}
    least = min(layers, key=layers.__getitem__, default=None)
    for name, spec in merge.get("search", {}).get("parameters", {}).items():
        if least is not None and spec.get("blocks", 1) > layers[least]:
            yield (
                f"{place}.search.parameters.{name}.blocks: {spec['blocks']} blocks for the {layers[least]} "
                f"layers of {least}; at most {layers[least]}"
            )


def _without_values(node: Any, inside: bool = False) -> Any:
    """A recipe with every number in its parameters replaced by 0; filters and gradients stay."""
    if isinstance(node, dict):
        return {key: _without_values(value, inside or key == "parameters") for key, value in node.items()}
    if isinstance(node, list):
        return [_without_values(item, inside) for item in node]
    return 0 if inside and isinstance(node, int | float) else node


def _ranges(node: Any) -> Iterator[tuple[str, list[int]]]:
    """The model and the layer range of each source in a recipe."""
    if isinstance(node, dict):
        if "layer_range" in node:
            yield node["model"], node["layer_range"]
        for value in node.values():
            yield from _ranges(value)
    elif isinstance(node, list):
        for item in node:
            yield from _ranges(item)
