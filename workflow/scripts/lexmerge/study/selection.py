"""Selection of a study: lay its config over the toy study's, expand sweeps, keep what the study uses."""

import copy
import json
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.merges.methods import methods
from lexmerge.merges.recipes import expanded, models_of, with_base

CATALOGUES = ("models", "merges", "judges", "benchmarks")  # sections of definitions by name
OPTIONAL = CATALOGUES[1:]  # a study that selects nothing from one of these needs no such section


def overlay(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Lay a user's config over the toy study's.

    Snakemake merges configs at every depth, so that a user's merge `slerp` would inherit keys from the toy
    study's `slerp`. Here the user's definition, section, or key under `study` replaces the toy study's as a
    whole.

    Args:
        base: The toy study's config.
        given: The user's config.

    Returns:
        A new config of plain dicts, lists, strings, numbers, truth values and None.

    Raises:
        StudyError: If the config has a value of another type, such as a date.
    """
    merged = copy.deepcopy(base)
    for key, value in given.items():
        whole = key not in (*CATALOGUES, "study") or not isinstance(value, dict)
        merged[key] = value if whole or not isinstance(merged.get(key), dict) else {**merged[key], **value}
    for name in OPTIONAL:
        merged.setdefault(name, {})
    try:
        plain: dict[str, Any] = json.loads(json.dumps(merged))
    except TypeError as error:
        raise StudyError(f"the config has a value that is not text, a number or a list: {error}") from None
    return plain


def selected(config: dict[str, Any]) -> dict[str, Any]:
    """Reduce a config to the definitions that the study uses, in the study's order."""
    study = config["study"]
    merges = {name: config["merges"][name] for name in study["merges"]}
    needed = {study["expert"], study["generalist"], *study["models"]}
    needed |= {model for merge in merges.values() for model in models_of(merge["recipe"])}
    return config | {
        "models": {name: value for name, value in config["models"].items() if name in needed},
        "merges": merges,
        "judges": {name: config["judges"][name] for name in study["judges"]},
        "benchmarks": {name: config["benchmarks"][name] for name in study["benchmarks"]},
    }


def with_sweeps(config: dict[str, Any]) -> dict[str, Any]:
    """Replace each sweep by its points, among the definitions, in the selection and among the kept merges."""
    points = {name: expanded(name, config["merges"][name]) for name in config["study"]["merges"]}
    merges = {name: merge for part in points.values() for name, merge in part.items()}
    for merge in merges.values():
        merge["recipe"] = with_base(merge["recipe"], methods()[merge["recipe"]["merge_method"]]["base"])
    return config | {
        "merges": merges,
        "study": config["study"] | {"merges": list(merges)},
        "merging": _merging(config.get("merging", {}), points),
    }


def _merging(merging: dict[str, Any], points: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The section `merging`, with all points in the place of a sweep that is kept."""
    if "checkpoints" not in merging:
        return merging
    given = merging["checkpoints"]
    keep = kept_merges(given.get("keep", []), points)
    return merging | {"checkpoints": {"at_most": int(given["at_most"]), "keep": keep}}


def kept_merges(names: list[str], points: dict[str, dict[str, Any]]) -> list[str]:
    """The merges whose weights are kept.

    Args:
        names: Merges, sweeps or points of sweeps to keep.
        points: The merges of each merge or sweep by name, as `recipes.expanded` returns them.

    Returns:
        Names of merges, in the study's order.
    """
    return [m for sweep, part in points.items() for m in part if m in names or sweep in names]


def selected_models(config: dict[str, Any]) -> list[str]:
    """The defined models that the study uses: baselines, models under test and parents of its merges."""
    study = config["study"]
    used = [study["expert"], study["generalist"], *study["models"]]
    for name in study["merges"]:
        used += models_of(config["merges"].get(name, {}).get("recipe"))
    return [name for name in dict.fromkeys(used) if name in config["models"]]
