"""Examples of the recipes that a search may try, for checks before it runs."""

from typing import Any

from lexmerge.merges.recipes import filled


def tried_recipes(merge: dict[str, Any]) -> list[dict[str, Any]]:
    """Fill a merge's recipe with values that its search may try.

    Args:
        merge: The merge's definition in the config.

    Returns:
        The recipe at the start of the search, at both ends of all ranges and at a point in between; without
        a search, only the recipe itself.
    """
    if "search" not in merge:
        return [merge["recipe"]]
    parameters = merge["search"]["parameters"]
    starts = {name: spec.get("start", sum(spec["range"]) / 2) for name, spec in parameters.items()}
    return [
        filled(merge["recipe"], {name: _first(value) for name, value in values.items()})
        for values in (
            starts,
            *({n: _within(spec["range"], at) for n, spec in parameters.items()} for at in (0, 0.37, 1)),
        )
    ]


def _within(bounds: list[float], at: float) -> float:
    """The value at a fraction of a range."""
    return bounds[0] + at * (bounds[1] - bounds[0])


def _first(value: float | list[float]) -> float:
    """A value, or the first of a list."""
    return value[0] if isinstance(value, list) else value
