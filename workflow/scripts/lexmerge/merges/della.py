"""DELLA's density and epsilon, which MergeKit can only draw together."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lexmerge.merges.settings import Span, conditions, parts, spans, value_at

METHODS = ("della", "della_linear")
DENSITY, EPSILON = 1.0, 0.15  # MergeKit's defaults
Points = Callable[[Span, str], Iterable[tuple[str, float]]]


def della_faults(recipe: dict[str, Any], points: Points | None = None) -> Iterator[str]:
    """Find densities that are less than epsilon away from 0 or 1, at which MergeKit stops.

    Args:
        recipe: A recipe without placeholders, whose structure is sound.
        points: Returns the tensors of a model in some layers, each with its place between the first layer
            (0) and the last (1); None if they are not known, so that filters are not followed.

    Yields:
        A line for each model, with its place in the recipe.
    """
    if recipe.get("merge_method") not in METHODS:
        return
    for place, model, span, scopes in _inputs(recipe):
        pair = [scope[key] for scope in scopes for key in ("density", "epsilon") if key in scope]
        if model == recipe.get("base_model") or (points is None and any(map(conditions, pair))):
            continue
        for tensor, t in points(span, model) if points else [("", 0), ("", 1)]:
            density = _first(scopes, "density", tensor, t, DENSITY)
            epsilon = _first(scopes, "epsilon", tensor, t, EPSILON)
            if 0 < density < 1 and (density + epsilon >= 1 or density - epsilon <= 0):
                room = min(density, 1 - density)
                default = "" if any("epsilon" in scope for scope in scopes) else " (its default)"
                yield (
                    f"{place}: density {density:g} with epsilon {epsilon:g}{default}: DELLA needs density - "
                    f"epsilon above 0 and density + epsilon below 1; set `epsilon` below {room:.3g}"
                )
                break


def _inputs(recipe: dict[str, Any]) -> Iterator[tuple[str, str, Span, list[dict[str, Any]]]]:
    """Each model's place, name, layers and parameters, those first that MergeKit asks first."""
    for start, part in parts(recipe):
        outer = [part, recipe] if part is not recipe else [recipe]
        for number, entry in enumerate(part.get("models") or []):
            yield f"{start}models[{number}]", entry["model"], Span(), _parameters([entry, *outer])
        pieces = part.get("slices") or []
        for number, (piece, span) in enumerate(zip(pieces, spans(part), strict=False)):
            for index, source in enumerate(piece["sources"]):
                where = f"{start}slices[{number}].sources[{index}]"
                yield where, source["model"], span, _parameters([source, piece, *outer])


def _parameters(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parameters of parts of a recipe."""
    return [node.get("parameters") or {} for node in nodes]


def _first(scopes: list[dict[str, Any]], key: str, tensor: str, t: float, default: float) -> float:
    """The first value that one of the scopes has for a tensor, or the default."""
    values = (value_at(scope[key], tensor, t) for scope in scopes if key in scope)
    return next((value for value in values if value is not None), default)
