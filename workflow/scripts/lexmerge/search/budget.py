"""The least budget of a search: its start and one generation."""

import math
from typing import Any


def population_of(size: int) -> int:
    """Compute CMA-ES's default population size, 4 + ⌊3 ln n⌋ (Hansen 2016), for n dimensions."""
    return 4 + math.floor(3 * math.log(size))


def least_evaluations(search: dict[str, Any]) -> int:
    """Count the evaluations that a search needs at least: its start and one generation.

    Args:
        search: The section `search` of a merge in the config.
    """
    size = sum(spec.get("blocks", 1) for spec in search["parameters"].values())
    return 1 + int(search.get("population") or population_of(size))
