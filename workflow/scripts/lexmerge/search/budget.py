"""How many evaluations a search may make, and how many make a generation."""

import math


def population_of(size: int) -> int:
    """How many candidates a generation has, by default: that of CMA-ES for so many numbers."""
    return 4 + math.floor(3 * math.log(size))


def budget_faults(search: dict, evaluations: int) -> list[str]:
    """Why a search cannot have a budget of so many evaluations."""
    size = sum(spec.get("blocks", 1) for spec in search["parameters"].values())
    population = search.get("population") or population_of(size)
    if population < evaluations:
        return []
    return [
        f"{evaluations} are not one generation of {population} after the start; at least {population + 1}"
    ]
