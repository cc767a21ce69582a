"""Selections from the histories of a search: the best evaluation, the winning seed, the Pareto front."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def best(history: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the first evaluation with the highest fitness (summed over objectives); None if all failed."""
    scored = [row for row in history if row["status"] == "ok"]
    return max(scored, key=lambda row: sum(row["fitness"]), default=None)


def winner(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the `best` evaluation of a finished search, whose start always succeeded."""
    found = best(history)
    assert found is not None
    return found


def winning_seed(histories: dict[int, list[dict[str, Any]]]) -> int:
    """Return the seed of the search with the best evaluation; the first of several equal ones."""
    return max(histories, key=lambda seed: sum(winner(histories[seed])["fitness"]))


def by_seed(files: list[str], read: Callable[[str], list[dict[str, Any]]]) -> dict[int, list[dict[str, Any]]]:
    """Read the histories of all seeds.

    Args:
        files: Files `<seed>.<worker>.jsonl`; the workers of one seed have equal ones, so the first is read.
        read: Reads the rows of a file.

    Returns:
        The rows by seed.
    """
    named = [(Path(file).name.split("."), file) for file in files]
    return {int(seed): read(file) for (seed, worker, _), file in named if worker == "0"}


def front(fitness: list[tuple[float, ...] | None]) -> list[int]:
    """Compute the Pareto front of several maximised objectives.

    Args:
        fitness: The values of each candidate; None if it failed.

    Returns:
        The indices of the candidates that no other dominates; of equal candidates, the first.
    """
    known = {number: value for number, value in enumerate(fitness) if value is not None}

    def dominated(number: int, value: tuple[float, ...]) -> bool:
        return any(
            all(a >= b for a, b in zip(other, value, strict=True)) and (other != value or rival < number)
            for rival, other in known.items()
            if rival != number
        )

    return [number for number, value in known.items() if not dominated(number, value)]
