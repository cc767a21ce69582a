"""The config's JSON schema, its defaults, and its faults in words."""

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.common.errors import nearest
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.models.backend import BACK_ENDS, harness_back_ends
from lexmerge.services.provider import PROVIDERS
from lexmerge.vocabulary.terminology import TERMINOLOGY_FORMATS
from lexmerge.vocabulary.translator import TRANSLATORS

SCHEMA = Path(__file__).parents[3] / "schemas" / "config.schema.yaml"
# The choices that are registered in code: a node with `x-registered: <name>` takes them as its `enum`.
REGISTERED: dict[str, Callable[[], Iterable[str]]] = {
    "back_ends": lambda: BACK_ENDS,
    "data_sources": lambda: DATA_SOURCES,
    "harness_back_ends": lambda: sorted(harness_back_ends()),
    "judges": lambda: sorted([*LEXICAL_JUDGES, *PROVIDERS]),
    "providers": lambda: PROVIDERS,
    "reserved_parameters": lambda: dict.fromkeys(
        name for provider in PROVIDERS.values() for name in provider.reserved
    ),
    "sources_with_path": lambda: [name for name, source in DATA_SOURCES.items() if source.needs_path],
    "terminology_formats": lambda: TERMINOLOGY_FORMATS,
    "translators": lambda: TRANSLATORS,
}


def about(choices: str) -> dict[str, str]:
    """What each registered choice means, in words, for the config reference; `choices` as in `REGISTERED`."""
    registries: dict[str, Mapping[str, Any]] = {
        "back_ends": BACK_ENDS,
        "data_sources": DATA_SOURCES,
        "harness_back_ends": harness_back_ends(),
        "judges": {**LEXICAL_JUDGES, **PROVIDERS},
        "terminology_formats": TERMINOLOGY_FORMATS,
        "translators": TRANSLATORS,
    }
    entries = registries.get(choices, {})
    return {name: entries[name].about for name in REGISTERED[choices]() if name in entries}


@functools.cache
def schema() -> dict[str, Any]:
    """Read the schema, with the choices as they are registered.

    Snakemake reads it at every start and the file lists the choices too, for editors; `make docs` writes them
    there, and a test compares the two.
    """
    return _with_choices(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))


def _with_choices(node: Any) -> Any:
    if isinstance(node, dict):
        whole = {key: _with_choices(value) for key, value in node.items()}
        if isinstance(name := node.get("x-registered"), str):
            whole["enum"] = list(REGISTERED[name]())
        return whole
    return [_with_choices(item) for item in node] if isinstance(node, list) else node


def with_defaults(value: object, spec: dict) -> object:
    """The value with the schema's defaults filled in, at every depth."""
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for key, sub in spec.get("properties", {}).items():
        if key not in filled and "default" in sub:
            filled[key] = copy.deepcopy(sub["default"])
    for key, item in filled.items():
        sub = spec.get("properties", {}).get(key, spec.get("additionalProperties"))
        filled[key] = with_defaults(item, sub if isinstance(sub, dict) else {})
    return filled


def schema_faults(config: dict) -> list[str]:
    """One line for each place where the config does not follow the schema."""
    errors = Draft202012Validator(schema()).iter_errors(config)
    ordered = sorted(errors, key=lambda error: (error.json_path, error.message))
    return [line for error in ordered for line in _explain(error)]


def _explain(error) -> Iterator[str]:
    """A jsonschema error as a sentence: where, what, and what would be right."""
    place = error.json_path.removeprefix("$").removeprefix(".") or "the config"
    if error.validator == "additionalProperties":
        allowed = list(error.schema.get("properties", {}))
        for key in sorted(set(error.instance) - set(allowed)):
            where = key if place == "the config" else f"{place}.{key}"
            yield f"{where}: unknown key; {nearest(key, allowed)}"
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        key = next(k for k in missing if f"'{k}'" in error.message)
        where = key if place == "the config" else f"{place}.{key}"
        about = error.schema.get("properties", {}).get(key, {}).get("description", "")
        yield f"{where}: missing. {about}".rstrip()
    elif error.validator == "enum":
        allowed = [str(item) for item in error.validator_value]
        yield f"{place}: {error.instance!r} is not one of the choices; {nearest(error.instance, allowed)}"
    else:
        yield f"{place}: {error.message}"
