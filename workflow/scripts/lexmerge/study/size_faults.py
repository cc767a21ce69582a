"""Checks of how many merges and jobs a study would have, before its sweeps are expanded."""

import math
from collections.abc import Iterator
from typing import Any

from lexmerge.study.violations import place_of

MOST_MERGES = 1000  # a study
MOST_JOBS = 1000  # a search: its seeds times its workers


def points_of(merge: object) -> int:
    """Count the merges of a definition without expanding it.

    Args:
        merge: The definition of a merge or a sweep, which may be wrong.

    Returns:
        The product of the sizes of its grid; 1 without a grid.
    """
    grid = merge.get("grid") if isinstance(merge, dict) else None
    return math.prod(len(v) for v in grid.values() if isinstance(v, list)) if isinstance(grid, dict) else 1


def size_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find studies with more than `MOST_MERGES` merges, and searches with more than `MOST_JOBS` jobs.

    Args:
        config: A config laid over the toy study's.

    Yields:
        A line for each fault.
    """
    merges = {name: config["merges"][name] for name in _selected(config)}
    total = 0
    for name, merge in merges.items():
        total += (points := points_of(merge))
        if points > MOST_MERGES:
            sizes = " x ".join(str(len(values)) for values in merge["grid"].values())
            count = f"{sizes} = {points}" if "x" in sizes else str(points)
            place = place_of(["merges", name, "grid"])
            yield f"{place}: {count} merges; a study has at most {MOST_MERGES}"
        search = merge.get("search", {})
        workers = search.get("workers", 1)
        jobs = len(search.get("seeds", [0])) * workers
        if workers <= MOST_JOBS < jobs:  # the schema reports too many workers
            place = place_of(["merges", name, "search"])
            yield f"{place}: seeds times workers make {jobs:.0f} jobs; at most {MOST_JOBS}"
    if total > MOST_MERGES and all(points_of(merge) <= MOST_MERGES for merge in merges.values()):
        yield f"study.merges: {total} merges with all points of the sweeps; a study has at most {MOST_MERGES}"


def with_small_grids(config: dict[str, Any]) -> dict[str, Any]:
    """Cut each sweep of a study with too many merges to its first point, so that the rest can be checked.

    Args:
        config: A config laid over the toy study's, which may be wrong.

    Returns:
        The config; the same one if its sweeps are small enough.
    """
    try:
        names = _selected(config)
        if sum(points_of(config["merges"][name]) for name in names) <= MOST_MERGES:
            return config
        cut = {name: _first_point(config["merges"][name]) for name in names}
        return config | {"merges": config["merges"] | cut}
    except (KeyError, TypeError, AttributeError):
        return config  # the schema reports it


def _selected(config: dict[str, Any]) -> list[str]:
    """The selected merges that are defined, each once."""
    return [name for name in dict.fromkeys(config["study"]["merges"]) if name in config["merges"]]


def _first_point(merge: Any) -> Any:
    """A sweep with only the first value of each placeholder."""
    if points_of(merge) < 2:
        return merge
    return merge | {"grid": {k: v[:1] if isinstance(v, list) else v for k, v in merge["grid"].items()}}
