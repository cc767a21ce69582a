"""Weights that MergeKit divides out again, so that they have no effect on the merge."""

from collections.abc import Iterator
from typing import Any

from lexmerge.merges.methods import methods
from lexmerge.merges.recipes import placeholders
from lexmerge.merges.settings import parts

# MergeKit's default of `normalize` in the methods that divide by the sum of the weights.
NORMALIZE = {
    "breadcrumbs": False,
    "breadcrumbs_ties": False,
    "dare_linear": False,
    "dare_ties": False,
    "della": True,
    "della_linear": False,
    "linear": True,
    "task_arithmetic": False,
    "ties": True,
}
Nodes = list[tuple[str, dict[str, Any]]]  # parts of a recipe with their places
Group = tuple[Nodes, Nodes]


def idle_weights(recipe: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Find the weights that cancel: those of a single model that is merged with its weight divided out.

    Args:
        recipe: A recipe whose structure is sound; it may have placeholders.

    Yields:
        The place in the recipe and the value of each weight without an effect in all of its layers.
    """
    method = recipe["merge_method"]
    base = recipe.get("base_model") if methods()[method]["base"] != "ignored" else None
    groups = list(_groups(recipe))
    bases = [
        next((n["base_model"] for _, n in nodes if base and n.get("base_model")), base) for nodes, _ in groups
    ]
    idle = [_cancels(method, group, of_group) for group, of_group in zip(groups, bases, strict=True)]
    for (nodes, entries), of_group, cancels in zip(groups, bases, idle, strict=True):
        for place, entry in entries if cancels else []:
            if entry["model"] != of_group and "weight" in (own := entry.get("parameters") or {}):
                yield f"{place}.parameters.weight", own["weight"]
        for place, node in nodes[:-1] if cancels else []:
            if "weight" in (own := node.get("parameters") or {}):
                yield f"{place}.parameters.weight", own["weight"]
    if groups and all(idle) and "weight" in (own := recipe.get("parameters") or {}):
        yield "parameters.weight", own["weight"]


def idle_dimensions(recipe: dict[str, Any]) -> list[str]:
    """The placeholders of a recipe that only stand for weights without an effect."""
    idle = [name for _, value in idle_weights(recipe) for name in placeholders(value)]
    everywhere = list(placeholders(recipe))
    return [name for name in dict.fromkeys(idle) if idle.count(name) == everywhere.count(name)]


def _groups(recipe: dict[str, Any]) -> Iterator[Group]:
    """The models that are merged with each other, after the nodes around them from the inside."""
    for start, part in parts(recipe):
        outer = [(start.rstrip("."), part)] if part is not recipe else []
        if part.get("models"):
            listed = [(f"{start}models[{n}]", entry) for n, entry in enumerate(part["models"])]
            yield [*outer, ("", recipe)], listed
        for number, piece in enumerate(part.get("slices") or []):
            where = f"{start}slices[{number}]"
            sources = [(f"{where}.sources[{n}]", source) for n, source in enumerate(piece["sources"])]
            yield [(where, piece), *outer, ("", recipe)], sources


def _cancels(method: str, group: Group, base: str | None) -> bool:
    """True if there is one model besides the base, and MergeKit divides by its weight."""
    nodes, entries = group
    if len({entry["model"] for _, entry in entries} - {base}) != 1:
        return False
    if method == "multislerp":  # it returns a single model as it is
        return True
    given = [node["parameters"]["normalize"] for _, node in nodes if _has(node, "normalize")]
    return (given[0] if given else NORMALIZE.get(method)) is True


def _has(node: dict[str, Any], key: str) -> bool:
    """True if a node sets a parameter."""
    return key in (node.get("parameters") or {})
