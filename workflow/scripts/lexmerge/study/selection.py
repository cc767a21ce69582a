"""What a study selects: a config laid over the toy study's, its sweeps expanded, reduced to what it uses."""

import copy
import json

from lexmerge.common.errors import StudyError
from lexmerge.merges.methods import methods
from lexmerge.merges.recipes import expanded, models_of, with_base

CATALOGUES = ("models", "merges", "judges", "benchmarks")


def overlay(base: dict, given: dict) -> dict:
    """Lay a user's config over the toy study's.

    Snakemake's own merge goes all the way down, so that a user's merge `slerp` would inherit keys from the
    toy's `slerp`. Here a definition, a section, or a key under `study` is the user's as a whole.
    """
    merged = copy.deepcopy(base)
    for key, value in given.items():
        whole = key not in (*CATALOGUES, "study") or not isinstance(value, dict)
        merged[key] = value if whole or not isinstance(merged.get(key), dict) else {**merged[key], **value}
    try:
        return json.loads(json.dumps(merged))  # plain dicts and lists, whatever Snakemake handed over
    except TypeError as error:
        raise StudyError(f"the config has a value that is no text, number or list: {error}") from None


def selected(config: dict) -> dict:
    """The config without the definitions that the study does not use."""
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


def with_sweeps(config: dict) -> dict:
    """The config with each sweep replaced by its points, in the definitions and in the selection."""
    points = {name: expanded(name, config["merges"][name]) for name in config["study"]["merges"]}
    merges = {name: merge for part in points.values() for name, merge in part.items()}
    for merge in merges.values():
        merge["recipe"] = with_base(merge["recipe"], methods()[merge["recipe"]["merge_method"]]["base"])
    return config | {
        "merges": merges,
        "study": config["study"] | {"merges": list(merges)},
        "merging": _merging(config.get("merging", {}), points),
    }


def _merging(merging: dict, points: dict[str, dict]) -> dict:
    """How merges are computed, where a sweep that is kept stands for all its points, in the study's order."""
    if "checkpoints" not in merging:
        return merging
    given = merging["checkpoints"]
    keep = kept_merges(given.get("keep", []), points)
    return merging | {"checkpoints": {"at_most": int(given["at_most"]), "keep": keep}}


def kept_merges(names: list[str], points: dict[str, dict]) -> list[str]:
    return [m for sweep, part in points.items() for m in part if m in names or sweep in names]


def selected_models(config: dict) -> list[str]:
    """The models that the study uses, of those that exist."""
    study = config["study"]
    used = [study["expert"], study["generalist"], *study["models"]]
    for name in study["merges"]:
        used += models_of(config["merges"].get(name, {}).get("recipe"))
    return [name for name in dict.fromkeys(used) if name in config["models"]]
