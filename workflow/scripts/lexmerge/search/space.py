"""What a search may choose: a number for each placeholder, or for each group of layers of it."""

from dataclasses import dataclass

import numpy as np

DIGITS = 6  # significant ones of a value in a recipe: as many as anybody would write


@dataclass(frozen=True)
class Space:
    """`parameters` by the placeholder's name: `range`, and if they are given `blocks` and `start`.

    A point has a coordinate from 0 to 1 for each number, in the order of the parameters and of their blocks.
    """

    parameters: dict[str, dict]

    def start(self) -> np.ndarray:
        """The point that a search sets out from: the given start, or the middle of every range."""
        found = []
        for spec in self.parameters.values():
            low, high = spec["range"]
            given = spec.get("start", (low + high) / 2)
            each = given if isinstance(given, list) else [given] * spec.get("blocks", 1)
            found += [(value - low) / (high - low) for value in each]
        return np.array(found, dtype=float)

    def values(self, point: np.ndarray) -> dict[str, float | list[float]]:
        """The values that a point stands for; a list where there are blocks."""
        found, at = {}, 0
        for name, spec in self.parameters.items():
            (low, high), count = spec["range"], spec.get("blocks", 1)
            part = np.clip(point[at : at + count], 0, 1)
            numbers = [_short(low + (high - low) * x, low, high) for x in part]
            found[name] = numbers if "blocks" in spec else numbers[0]
            at += count
        return found


def _short(value: float, low: float, high: float) -> float:
    return float(min(max(float(f"{value:.{DIGITS}g}"), low), high))
