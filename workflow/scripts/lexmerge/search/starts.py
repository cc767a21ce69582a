"""Recipes that a search may try, for checks before it runs."""

from lexmerge.merges.recipes import filled


def tried_recipes(merge: dict) -> list[dict]:
    """Recipes that a search may try: its start, a point between, the ends; without a search, the recipe."""
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
    return bounds[0] + at * (bounds[1] - bounds[0])


def _first(value: float | list[float]) -> float:
    return value[0] if isinstance(value, list) else value
