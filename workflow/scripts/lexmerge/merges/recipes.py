"""Recipes: MergeKit YAML in which models go by the study's names, and numbers may be placeholders."""

import itertools
import re
from collections.abc import Callable, Iterator

import yaml

from lexmerge.common.errors import nearest

NAMES = ("model", "base_model", "tokenizer_source")
NOT_MODELS = ("union", "base")  # what a tokenizer's source may be beside a model
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def models_of(recipe: object) -> list[str]:
    """The models that a recipe names, each once, in order of appearance."""
    found: list[str] = []

    def note(name: str) -> str:
        found.append(name)
        return name

    with_paths(recipe, note)
    return list(dict.fromkeys(found))


def base_of(recipe: dict) -> str:
    """The model whose config a merge keeps: the base model, or the first where there is none."""
    return recipe.get("base_model") or models_of(recipe)[0]


def resizes(recipe: dict) -> bool:
    """Does the merge get a vocabulary of its own, and embeddings that may differ in size from its base's?"""
    return "tokenizer" in recipe or "tokenizer_source" in recipe


def picks_layers(recipe: dict) -> bool:
    """Does the recipe choose layers or modules, so that the merge need not have those of its base?"""
    return bool(recipe.get("slices") or recipe.get("modules"))


def with_base(recipe: dict, base_is: str) -> dict:
    """The recipe with a base model where the method ignores it: MergeKit would take the config of any."""
    if base_is != "ignored" or recipe.get("base_model") or not models_of(recipe):
        return recipe
    return recipe | {"base_model": models_of(recipe)[0]}


def with_paths(recipe: object, path_of: Callable[[str], str], in_tokenizer: bool = False) -> object:
    """The recipe with every model's name replaced by its path."""
    if isinstance(recipe, dict):
        return {key: _replaced(key, value, path_of, in_tokenizer) for key, value in recipe.items()}
    if isinstance(recipe, list):
        return [with_paths(item, path_of, in_tokenizer) for item in recipe]
    return recipe


def _replaced(key: str, value: object, path_of: Callable[[str], str], in_tokenizer: bool) -> object:
    names_a_model = key in NAMES or (in_tokenizer and key == "source")
    if names_a_model and isinstance(value, str):
        return value if key not in ("model", "base_model") and value in NOT_MODELS else path_of(value)
    return with_paths(value, path_of, in_tokenizer or key == "tokenizer")


def recipe_text(recipe: dict, folders: dict[str, str], *notes: str) -> str:
    """The recipe as a YAML file with the models' folders in the places of their names, under some notes."""
    body = yaml.safe_dump(with_paths(recipe, folders.__getitem__), sort_keys=False, allow_unicode=True)
    return "".join(f"# {note}\n" for note in notes) + body


def placeholder(value: object) -> str | None:
    """The name in `"{density}"`, or in `{density}` as YAML reads it without quotes: a key without a value."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value.values())) is None:
        return next(iter(value))
    match = PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


def placeholders(recipe: object) -> Iterator[str]:
    """The names of a recipe's placeholders, in order of appearance."""
    if name := placeholder(recipe):
        yield name
    elif isinstance(recipe, dict | list):
        for item in recipe.values() if isinstance(recipe, dict) else recipe:
            yield from placeholders(item)


def filled(recipe: object, values: dict) -> object:
    """The recipe with values in the places of its placeholders."""
    name = placeholder(recipe)
    if name in values:
        return values[name]
    if isinstance(recipe, dict):
        return {key: filled(value, values) for key, value in recipe.items()}
    return [filled(item, values) for item in recipe] if isinstance(recipe, list) else recipe


def in_blocks(recipe: dict, values: dict, layers: int, adds_base: bool) -> dict:
    """The recipe with found values, where a list has one value for each group of layers.

    The groups become MergeKit's slices, `n` of them dividing the layers as evenly as they can: the embeddings
    go with the first and the head with the last. With `adds_base` the base model is a source of every slice,
    as MergeKit lets it be of a recipe without slices.
    """
    blocked = {name: value for name, value in values.items() if isinstance(value, list)}
    if not blocked:
        return filled(recipe, values)
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
    """The first layer after `k` of so many blocks."""
    return round(k * layers / blocks)


def expanded(name: str, merge: dict) -> dict[str, dict]:
    """The merges that one definition stands for: itself, or one for each point of its grid.

    A point's name has the grid's placeholders in the order of the alphabet, with their values:
    `ties_density0.3_weight0.5`.
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


def placeholder_faults(merge: dict, place: str) -> Iterator[str]:
    """Placeholders without a value, values without a placeholder, and placeholders with two."""
    used = list(placeholders(merge["recipe"]))
    given = {"values": merge.get("values", {}), "grid": merge.get("grid", {})}
    given["search.parameters"] = merge.get("search", {}).get("parameters", {})
    everywhere = [name for names in given.values() for name in names]
    for name in dict.fromkeys(used):
        if name not in everywhere:
            hint = nearest(name, everywhere)
            where = "`values`, `grid` or `search`"
            yield f"{place}.recipe: no value for {{{name}}}; give it under {where}: {hint}"
    for key, names in given.items():
        for name in names:
            if name not in used:
                yield f"{place}.{key}.{name}: the recipe has no {{{name}}}; {nearest(name, used)}"
    for (key, names), (other, others) in itertools.combinations(given.items(), 2):
        for name in names:
            if name in others:
                yield f"{place}.{other}.{name}: it is under `{key}` too; drop one of them"


def _text(value: object) -> str:
    """A value as a part of a name: `0.5`, `true`, or a gradient's `0-0.5-1`."""
    if isinstance(value, list):
        return "-".join(map(_text, value))
    return str(value).lower()
