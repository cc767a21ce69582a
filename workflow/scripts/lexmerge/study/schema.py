"""The JSON schema of the config: its choices, defaults, and violations in plain English."""

import copy
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.common.registry import Registry
from lexmerge.common.shipped import shipped
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.models.backend import BACK_ENDS, harness_back_ends
from lexmerge.services.provider import PROVIDERS
from lexmerge.study.violations import Validator, explained
from lexmerge.vocabulary.terminology import TERMINOLOGY_FORMATS
from lexmerge.vocabulary.translator import TRANSLATORS

SCHEMA = Path(__file__).parents[3] / "schemas" / "config.schema.yaml"
# Choices that are registered in code; a node with `x-registered: <name>` gets them as its `enum`.
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
    """Describe registered choices, for the config reference.

    Args:
        choices: A key of `REGISTERED`.

    Returns:
        The first line of each choice's docstring by its name in the config; empty if it has no description.
    """
    registries: dict[str, list[Registry[Any]]] = {
        "back_ends": [BACK_ENDS],
        "data_sources": [DATA_SOURCES],
        "judges": [LEXICAL_JUDGES, PROVIDERS],
        "terminology_formats": [TERMINOLOGY_FORMATS],
        "translators": [TRANSLATORS],
    }
    if choices == "harness_back_ends":
        entries = BACK_ENDS.items()
        return {back_end.harness: BACK_ENDS.about(name) for name, back_end in entries if back_end.harness}
    known = {name: registry.about(name) for registry in registries.get(choices, []) for name in registry}
    return {name: known[name] for name in REGISTERED[choices]() if name in known}


@functools.cache
def schema() -> dict[str, Any]:
    """Read the schema, with the choices that are registered in code and the places of shipped files.

    The file lists the choices too, for editors; `make docs` writes them there, and a test compares the two.
    """
    whole: dict[str, Any] = _with_choices(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))
    return whole


def _with_choices(node: Any) -> Any:
    """A node of the schema, with an `enum` wherever it names registered choices, and located defaults."""
    if isinstance(node, dict):
        whole = {key: _with_choices(value) for key, value in node.items()}
        if isinstance(name := node.get("x-registered"), str):
            whole["enum"] = list(REGISTERED[name]())
        if node.get("x-path") and "default" in node:
            whole["default"] = shipped(node["default"])
        return whole
    return [_with_choices(item) for item in node] if isinstance(node, list) else node


def with_defaults(value: Any, spec: dict[str, Any]) -> Any:
    """Fill in the schema's defaults at every depth.

    Args:
        value: A config or a part of it.
        spec: The schema or the part of it for this value.

    Returns:
        The completed value; the given one is not changed.
    """
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


def schema_faults(config: dict[str, Any]) -> list[str]:
    """A line for each place where the config violates the schema, ordered by place.

    A value of another kind, such as text in the place of a number, is reported for that alone.
    """
    errors = list(Validator(schema()).iter_errors(config))
    other_kind = {error.json_path for error in errors if error.validator == "type"}
    ordered = sorted(
        (error for error in errors if error.validator == "type" or error.json_path not in other_kind),
        key=lambda error: (error.json_path, error.message),
    )
    return list(dict.fromkeys(line for error in ordered for line in explained(error)))
