"""Recipes: MergeKit YAML that refers to models by the study's names and may have placeholders for values.

A node is any part of a recipe as YAML loads it: a dict, a list or a value.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

NAMES = ("model", "base_model", "tokenizer_source")
NOT_MODELS = ("union", "base")  # values of a tokenizer's source that are not models
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def models_of(recipe: Any) -> list[str]:
    """List the models that a recipe names, each once, in order of appearance."""
    found: list[str] = []

    def note(name: str) -> str:
        found.append(name)
        return name

    with_paths(recipe, note)
    return list(dict.fromkeys(found))


def merged_models(recipe: dict[str, Any]) -> list[str]:
    """The models that a recipe names, except as the source of its tokenizer as a whole."""
    tokenizer = recipe.get("tokenizer")
    rest = {key: value for key, value in recipe.items() if key not in ("tokenizer_source", "tokenizer")}
    tokens = tokenizer.get("tokens") if isinstance(tokenizer, dict) else None
    return models_of(rest | {"tokenizer": {"tokens": tokens}})


def base_of(recipe: dict[str, Any]) -> str:
    """Return the model whose config a merge keeps: the base model, or the first merged model without one.

    The order of the recipe's keys, and a tokenizer's source among them, do not matter.
    """
    parts = (recipe.get(key) for key in ("models", "slices", "modules"))
    return recipe.get("base_model") or models_of(next(filter(None, parts), recipe))[0]


def resizes(recipe: dict[str, Any]) -> bool:
    """True if the merge gets its own vocabulary, so that the size of its embeddings may change."""
    return "tokenizer" in recipe or "tokenizer_source" in recipe


def picks_layers(recipe: dict[str, Any]) -> bool:
    """True if the recipe selects layers or modules, so that the merge's layers may differ from its base's."""
    return bool(recipe.get("slices") or recipe.get("modules"))


def with_base(recipe: dict[str, Any], base_is: str) -> dict[str, Any]:
    """Add a base model to a recipe whose method ignores it, since MergeKit would take any model's config.

    Args:
        recipe: A recipe.
        base_is: The method's `base`; see `methods.methods`.

    Returns:
        The recipe, with its first model as the base model if the method ignores it and none is given.
    """
    if base_is != "ignored" or recipe.get("base_model") or not models_of(recipe):
        return recipe
    return recipe | {"base_model": base_of(recipe)}


def with_paths(recipe: Any, path_of: Callable[[str], str], in_tokenizer: bool = False) -> Any:
    """Replace every model's name in a recipe by its path.

    Args:
        recipe: A recipe or a node of it.
        path_of: Returns the path for a name.
        in_tokenizer: True inside of `tokenizer`, where models are named by other keys.

    Returns:
        A copy of the recipe with paths.
    """
    if isinstance(recipe, dict):
        return {key: _replaced(key, value, path_of, in_tokenizer) for key, value in recipe.items()}
    if isinstance(recipe, list):
        return [with_paths(item, path_of, in_tokenizer) for item in recipe]
    return recipe


def _replaced(key: str, value: Any, path_of: Callable[[str], str], in_tokenizer: bool) -> Any:
    """The value of a key with models' names replaced by paths."""
    names_a_model = key in NAMES or (in_tokenizer and key == "source")
    if names_a_model and isinstance(value, str):
        return value if key not in ("model", "base_model") and value in NOT_MODELS else path_of(value)
    return with_paths(value, path_of, in_tokenizer or key == "tokenizer")


def recipe_text(recipe: dict[str, Any], folders: dict[str, str], *notes: str) -> str:
    """Write a recipe as YAML, with folders in place of the models' names.

    Args:
        recipe: The recipe.
        folders: The folder of each model by name.
        *notes: Comment lines for the top of the file.

    Returns:
        The text of the file.
    """
    body = yaml.safe_dump(with_paths(recipe, folders.__getitem__), sort_keys=False, allow_unicode=True)
    return "".join(f"# {note}\n" for note in notes) + body


def placeholder(value: object) -> str | None:
    """Return the name of a placeholder; None for any other value.

    A placeholder is `"{density}"`, or `{density}` without quotes, which YAML reads as a key without a value.
    """
    if isinstance(value, dict) and len(value) == 1 and next(iter(value.values())) is None:
        name: str = next(iter(value))
        return name
    match = PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


def placeholders(recipe: Any) -> Iterator[str]:
    """Yield the names of a recipe's placeholders in order of appearance, with repetitions."""
    if name := placeholder(recipe):
        yield name
    elif isinstance(recipe, dict | list):
        for item in recipe.values() if isinstance(recipe, dict) else recipe:
            yield from placeholders(item)


def filled(recipe: Any, values: dict[str, Any]) -> Any:
    """Replace the placeholders in a recipe, or a node of it, by their values; others stay."""
    name = placeholder(recipe)
    if name in values:
        return values[name]
    if isinstance(recipe, dict):
        return {key: filled(value, values) for key, value in recipe.items()}
    return [filled(item, values) for item in recipe] if isinstance(recipe, list) else recipe


def in_blocks(recipe: dict[str, Any], values: dict[str, Any], layers: int, adds_base: bool) -> dict[str, Any]:
    """Fill the placeholders of a recipe with values that may differ between groups of layers.

    Args:
        recipe: A recipe with `models`.
        values: A value for each placeholder, or a list with a value for each group of layers. The groups
            become MergeKit's slices, with the layers divided as evenly as possible; the embeddings belong to
            the first group and the head to the last.
        layers: The number of layers of the models.
        adds_base: Whether to add the base model to the sources of every slice, as MergeKit does by itself
            in a recipe without slices.

    Returns:
        The recipe without placeholders.
    """
    blocked = {name: value for name, value in values.items() if isinstance(value, list)}
    if not blocked:
        whole: dict[str, Any] = filled(recipe, values)
        return whole
    edges = sorted({_edge(k, len(v), layers) for v in blocked.values() for k in range(len(v) + 1)})
    named = [entry["model"] for entry in recipe["models"]]
    added = [{"model": recipe["base_model"]}] if adds_base and recipe["base_model"] not in named else []
    slices = []
    for start, end in itertools.pairwise(edges):
        here = values | {
            name: next(v for k, v in enumerate(value) if start < _edge(k + 1, len(value), layers))
            for name, value in blocked.items()
        }
        sources = [
            {"model": entry["model"], "layer_range": [start, end]}
            | ({"parameters": filled(entry["parameters"], here)} if "parameters" in entry else {})
            for entry in [*recipe["models"], *added]
        ]
        of_slice = {"parameters": filled(recipe["parameters"], here)} if "parameters" in recipe else {}
        slices.append({"sources": sources, **of_slice})
    kept = {key: value for key, value in recipe.items() if key not in ("models", "parameters")}
    return {**kept, "slices": slices}


def _edge(k: int, blocks: int, layers: int) -> int:
    """The index of the layer after the first `k` of `blocks` groups."""
    return round(k * layers / blocks)


def expanded(name: str, merge: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Expand a merge's definition into its merges: itself, or one for each point of its grid.

    Args:
        name: The name in the config.
        merge: The definition in the config, with `recipe` and possibly `values` and `grid`.

    Returns:
        The merges by name, with filled recipes. The name of a grid point lists the grid's placeholders in
        alphabetical order with their values: `ties_density0.3_weight0.5`.
    """
    grid = merge.get("grid", {})
    rest = {key: value for key, value in merge.items() if key not in ("values", "grid")}
    points = [
        dict(zip(sorted(grid), p, strict=True)) for p in itertools.product(*(grid[k] for k in sorted(grid)))
    ]
    return {
        "_".join([name, *(f"{key}{_text(value)}" for key, value in point.items())]): rest
        | {"recipe": filled(merge["recipe"], merge.get("values", {}) | point)}
        for point in points
    }


def _text(value: object) -> str:
    """A value as a part of a name: `0.5`, `true`, or `0-0.5-1` for a gradient."""
    if isinstance(value, list):
        return "-".join(map(_text, value))
    return str(value).lower()
