"""The search space: a number for each placeholder, or for each of its groups of layers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

DIGITS = 6  # significant digits of a value in a recipe


@dataclass(frozen=True)
class Space:
    """A search space, scaled to the unit cube.

    A point has a coordinate from 0 to 1 for each number, in the order of the parameters and of their blocks.

    Attributes:
        parameters: By the placeholder's name: `range`, and optionally `blocks` (the number of groups of
            layers) and `start`.
    """

    parameters: dict[str, dict[str, Any]]

    def start(self) -> np.ndarray:
        """Return a search's starting point: `start` if it is given, otherwise the middle of each range."""
        found = []
        for spec in self.parameters.values():
            low, high = spec["range"]
            given = spec.get("start", (low + high) / 2)
            each = given if isinstance(given, list) else [given] * spec.get("blocks", 1)
            found += [(value - low) / (high - low) for value in each]
        return np.array(found, dtype=float)

    def values(self, point: np.ndarray) -> dict[str, float | list[float]]:
        """Convert a point to values by placeholder; a list for a parameter with `blocks`."""
        found: dict[str, float | list[float]] = {}
        at = 0
        for name, spec in self.parameters.items():
            (low, high), count = spec["range"], spec.get("blocks", 1)
            part = np.clip(point[at : at + count], 0, 1)
            numbers = [_short(low + (high - low) * x, low, high) for x in part]
            found[name] = numbers if "blocks" in spec else numbers[0]
            at += count
        return found


def _short(value: float, low: float, high: float) -> float:
    """A value rounded to `DIGITS` significant digits and clipped to its range."""
    return float(min(max(float(f"{value:.{DIGITS}g}"), low), high))
