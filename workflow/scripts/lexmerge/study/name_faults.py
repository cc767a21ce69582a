"""Checks of the names in a config, which become names of files, wildcards and cells of tables."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from lexmerge.merges.recipes import NOT_MODELS, expanded
from lexmerge.study.schema import schema
from lexmerge.study.selection import selected_models
from lexmerge.study.violations import place_of, shown

# Snakemake takes a wildcard whose end is one text 20 times or more for an endless recursion.
PERIODIC = re.compile(r"(.+?)\1{19,}\Z")
TRUTH_VALUES = ("true", "false")
# Variables have names such as OPENAI_API_KEY; keys are long, with letters of both cases and digits.
LOOKS_LIKE_A_KEY = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9]).{24,}|(?i:sk|aiza)[_-]?.{16,}")


def name_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find names that a file system, Snakemake, MergeKit or a table would not keep apart from others.

    Args:
        config: A config laid over the toy study's, with grids of a bounded size.

    Yields:
        A line for each fault of the names that the study selects.
    """
    study = config["study"]
    merges, faults = _merges(config)
    yield from faults
    models = _names(selected_models(config))
    for kind, names in {
        "models": models,
        "merges": list(merges),
        "judges": _names(study["judges"]),
        "benchmarks": _names(study["benchmarks"]),
    }.items():
        yield from _single_faults(kind, names)
    for name in (name for name in config["models"] if name in NOT_MODELS):
        meaning = "the base model" if name == "base" else "a vocabulary of all models' tokens"
        yield f"models.{name}: as a tokenizer's source, {name!r} means {meaning} to MergeKit; rename it"
    yield from _case_faults("models and merges", [*models, *merges])
    yield from _case_faults("judges", _names(study["judges"]))
    yield from _case_faults("benchmarks", _names(study["benchmarks"]))


def secret_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find keys of services in the place of the variable's name; the message does not repeat them."""
    settings = {place_of(["judges", name]): judge for name, judge in config["judges"].items()}
    for place, given in (settings | {"translations": config["translations"]}).items():
        variable = given.get("key_variable", "")
        if variable.isidentifier() and LOOKS_LIKE_A_KEY.fullmatch(variable):  # the schema reports others
            yield (
                f"{place}.key_variable: this looks like a key, not like the name of a variable such as "
                "OPENAI_API_KEY; put the key into a variable and take it out of the config"
            )


def _names(names: Iterable[object]) -> list[str]:
    """The names without repetitions that match the schema, which reports all others."""
    spec = schema()["properties"]["study"]["properties"]["name"]
    whole = re.compile(spec["pattern"].removesuffix("$") + r"\Z")
    texts = (name for name in dict.fromkeys(names) if isinstance(name, str))
    return [name for name in texts if whole.match(name) and len(name) <= spec["maxLength"]]


def _merges(config: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """The names of the merges with their definitions' names, and faults of those that a sweep makes."""
    merges: dict[str, str] = {}
    faults = []
    for name in _names(config["study"]["merges"]):
        if name not in config["merges"]:
            continue
        points = expanded(name, config["merges"][name])
        good = _names(points)
        for point in points:
            if point not in good:
                faults.append(_bad_point(name, point))
                break
        merges |= dict.fromkeys(good, name)
    return merges, faults


def _bad_point(name: str, point: str) -> str:
    """A fault of a name that a sweep makes from its values."""
    spec = schema()["properties"]["study"]["properties"]["name"]
    if len(point) > spec["maxLength"]:
        why = f"has {len(point)} characters; at most {spec['maxLength']} are allowed"
        remedy = "shorten the name of the sweep, of its placeholders, or the gradients in its grid"
    else:
        why, remedy = "is not a name", f"{spec['x-expected']}. Change the values of its grid"
    return f"{place_of(['merges', name, 'grid'])}: the merge {shown(point)} {why}; {remedy}"


def _single_faults(catalogue: str, names: Iterable[str]) -> Iterator[str]:
    """Faults of names by themselves."""
    for name in names:
        if found := PERIODIC.search(name):
            place = place_of([catalogue, name])
            yield f"{place}: {found[1]!r} is repeated 20 times or more, which Snakemake refuses; rename it"
        if _is_value(name):
            yield f"{catalogue}.{name}: {name!r} is a number or truth value in tables; rename it"


def _is_value(name: str) -> bool:
    """True if a table would read a name as a number or a truth value."""
    try:
        float(name)
        return True
    except ValueError:
        return name.lower() in TRUTH_VALUES


def _case_faults(what: str, names: Iterable[str]) -> Iterator[str]:
    """Faults of names that differ only in case: some file systems take their files for the same."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name.lower(), name)
        if other != name:
            yield f"{what}: {other!r} and {name!r} differ only in case, so they may share files; rename one"
