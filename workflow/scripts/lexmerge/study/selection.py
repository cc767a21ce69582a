"""Selection of a study: lay its config over the toy study's, expand sweeps, keep what the study uses."""

import itertools
from collections.abc import Iterator
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.merges.methods import methods
from lexmerge.merges.recipes import expanded, models_of, with_base
from lexmerge.models.adapted import unadapted
from lexmerge.study.reader import MAX_DEPTH, MAX_NODES

# Sections that are empty if a config lacks them; of `study`, all required keys are then reported at once.
EMPTY = ("study", "merges", "definitions", "judges", "benchmarks")
CATALOGUES = ("models", "merges", "judges", "benchmarks")  # sections of definitions by name


def inherited(given: dict[str, Any], toy: dict[str, Any]) -> dict[str, Any]:
    """The part of the toy study that a config takes over.

    A config that selects only models that it defines is a study of its own and takes nothing. Any other is a
    variant of the toy study and takes all of it that it does not say itself, except the name.

    Args:
        given: The user's config.
        toy: The toy study's config.

    Returns:
        The config to lay the user's config over.
    """
    study, models = given.get("study"), given.get("models")
    if isinstance(models, dict):
        selection = study.get("models") if isinstance(study, dict) else None
        named = [name for name in selection if isinstance(name, str)] if isinstance(selection, list) else []
        if not any(name in toy["models"] and name not in models for name in named):
            return {}
    if not given.keys() - {"local_rules"}:
        return toy
    return toy | {"study": {key: value for key, value in toy["study"].items() if key != "name"}}


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
        StudyError: If the config has a value of another type, such as a date, a key that is not text, or more
            depth or values than the reader of config files allows.
    """
    merged = dict(base)
    for key, value in given.items():
        whole = key not in (*CATALOGUES, "study") or not isinstance(value, dict)
        merged[key] = value if whole or not isinstance(merged.get(key), dict) else {**merged[key], **value}
    for key in EMPTY:
        merged.setdefault(key, {})
    count = itertools.count(1)
    return {key: _plain(value, str(key), count, depth=1) for key, value in _checked(merged, "the config")}


def _plain(value: Any, place: str, count: Iterator[int], depth: int) -> Any:
    """A value as plain dicts, lists, text, numbers, truth values and None; `count` counts all values."""
    if depth > MAX_DEPTH:
        raise StudyError(f"{_short(place)}: more than {MAX_DEPTH} levels deep, or it contains itself")
    if next(count) > MAX_NODES:
        raise StudyError(f"{_short(place)}: the config has more than {MAX_NODES:,} values")
    if isinstance(value, dict):
        return {key: _plain(item, f"{place}.{key}", count, depth + 1) for key, item in _checked(value, place)}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{at}]", count, depth + 1) for at, item in enumerate(value)]
    if isinstance(value, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        raise StudyError(f"{_short(place)}: {value!r} holds a character that no file can hold; remove it")
    if value is None or isinstance(value, str | int | float):
        return value
    kind = type(value).__name__
    raise StudyError(f"{_short(place)}: {value} is a {kind}; write text in quotes, a number or a list")


def _checked(section: dict[Any, Any], place: str) -> Iterator[tuple[str, Any]]:
    """The items of a mapping whose keys must be text."""
    for key, value in section.items():
        if not isinstance(key, str):
            raise StudyError(f"{_short(place)}: the key {key!r} is not text; put it in quotes")
        yield key, value


def _short(place: str) -> str:
    """The beginning of a place, which is long where a value contains itself."""
    return place if len(place) <= 100 else f"{place[:100]}..."


def selected(config: dict[str, Any]) -> dict[str, Any]:
    """Reduce a config to the definitions that the study uses, in the study's order."""
    study = config["study"]
    merges = {name: config["merges"][name] for name in study["merges"]}
    needed = {study["expert"], study["generalist"], *study["models"]}
    needed |= {model for merge in merges.values() for model in models_of(merge["recipe"])}
    needed |= {alone for name in needed if (alone := unadapted(config["models"], name))}
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
    used = [name for name in used if name in config["models"]]
    used += [alone for name in used if (alone := unadapted(config["models"], name))]
    return list(dict.fromkeys(used))
