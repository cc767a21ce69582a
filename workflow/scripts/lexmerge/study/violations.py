"""Violations of the config's schema, in plain English: the place, the fault and the remedy."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from lexmerge.common.errors import nearest

MOST_SHOWN = 40  # characters of a value in a message
CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping",
    "string": "text",
}


def shown(value: object) -> str:
    """A value of the config for a message, shortened and without control characters.

    Args:
        value: Any value that YAML and JSON share.

    Returns:
        Text in quotes, a number or truth value as YAML has it, and only the kind of anything else.
    """
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return KINDS["array" if isinstance(value, list) else "object"]
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def place_of(path: Iterable[str | int]) -> str:
    """Write the keys and indices that lead to a value as a place, such as `judges.chrf.gold`."""
    place = ""
    for part in path:
        if isinstance(part, int):
            place += f"[{part}]"
        else:
            plain = len(part) <= MOST_SHOWN and not CONTROL.search(part)
            place += f"{'.' if place else ''}{part if plain else shown(part)}"
    return place


def explained(error: ValidationError) -> Iterator[str]:
    """Explain a violation of the schema.

    Args:
        error: The violation, found by `Validator`.

    Yields:
        A line with the place, the fault and the remedy.
    """
    place = place_of(error.absolute_path)
    spec: Any = error.schema  # the keyword's own part of the schema, a mapping
    if error.validator in ("additionalProperties", "required"):
        for key, fault in _of_keys(error, spec):
            yield f"{place}.{key}: {fault}" if place else f"{key}: {fault}"
    elif error.validator == "not":
        yield f"{place}.{error.instance}: the workflow sets this itself; drop it"
    else:
        explain = EXPLANATIONS.get(str(error.validator))
        fault = explain(error.instance, error.validator_value, spec) if explain else error.message
        yield f"{place or 'the config'}: {fault}"


def _of_keys(error: ValidationError, spec: Any) -> Iterator[tuple[str, str]]:
    """Unknown and missing keys of a mapping, each with its fault."""
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        allowed = list(spec.get("properties", {}))
        for key in sorted(set(instance) - set(allowed)):
            yield place_of([key]), f"unknown key; {nearest(key, allowed)}"
    else:
        wanted: Any = error.validator_value
        key = next(k for k in wanted if k not in instance and f"'{k}'" in error.message)
        about = spec.get("properties", {}).get(key, {}).get("description", "")
        yield key, f"missing. {about}".rstrip()


def _wrong_kind(value: object, kinds: Any, _: Any) -> str:
    """A value of another kind than the schema has, such as text in the place of a number."""
    names = [KINDS[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    needed = f"{', '.join(names[:-1])} or {names[-1]}" if names[1:] else names[0]
    if isinstance(value, float) and "integer" in kinds:
        return f"{shown(value)} is not a whole number"
    wanted, hint = {kinds} if isinstance(kinds, str) else set(kinds), ""
    if isinstance(value, str) and wanted & {"number", "integer"}:
        try:
            number = float(value)
            right = int(number) if number.is_integer() else number
            hint = f"; YAML reads it as text: write {right} without quotes"
        except (ValueError, OverflowError):
            pass
    elif isinstance(value, int | float) and wanted == {"string"}:
        hint = "; put it in quotes"
    return f"{shown(value)} is not {needed}{hint}"


def _pattern(value: str, _: Any, spec: Any) -> str:
    """Text that does not match a pattern; a value that may be a secret is not repeated."""
    what = "this value" if spec.get("x-secret") else shown(value)
    return f"{what} is not allowed: {spec.get('x-expected', 'it must match ' + str(spec['pattern']))}"


def _too_long(value: str, most: Any, spec: Any) -> str:
    """Text with too many characters."""
    what = "the value" if spec.get("x-secret") else shown(value)
    return f"{what} has {len(value)} characters; at most {most} are allowed"


def _choice(value: object, choices: Any, _: Any) -> str:
    """A value that is not one of the choices."""
    what = shown(value)
    return (
        f"{what} is not one of the choices; {nearest(what.strip(chr(39)), [str(item) for item in choices])}"
    )


def _repeated(value: list[Any], *_: Any) -> str:
    """A list with equal entries."""
    twice = next((item for number, item in enumerate(value) if item in value[:number]), None)
    return f"{shown(twice)} is listed more than once"


def _count(value: Any, what: str, bound: str) -> str:
    """A list or mapping with too few or too many entries."""
    entries = f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"
    return f"{entries if value else f'an empty {what}'}; {bound}"


EXPLANATIONS: dict[str, Callable[[Any, Any, Any], str]] = {
    "enum": _choice,
    "exclusiveMaximum": lambda value, bound, _: f"{shown(value)} is too large; it must be less than {bound}",
    "exclusiveMinimum": lambda value, bound, _: f"{shown(value)} is too small; it must be more than {bound}",
    "maxItems": lambda value, bound, _: _count(value, "list", f"at most {bound}"),
    "maxLength": _too_long,
    "maxProperties": lambda value, bound, _: _count(value, "mapping", f"at most {bound}"),
    "maximum": lambda value, bound, _: f"{shown(value)} is too large; at most {bound}",
    "minItems": lambda value, bound, _: _count(value, "list", f"at least {bound}"),
    "minLength": lambda *_: "an empty text; give a value, or drop the key",
    "minProperties": lambda value, bound, _: _count(value, "mapping", f"at least {bound}"),
    "minimum": lambda value, bound, _: f"{shown(value)} is too small; at least {bound}",
    "pattern": _pattern,
    "type": _wrong_kind,
    "uniqueItems": _repeated,
    "x-path": lambda value, *_: f"{shown(value)} has a line end or another control character; remove it",
}


def _whole_pattern(_: Any, pattern: str, value: object, spec: Any) -> Iterator[ValidationError]:
    """Match a pattern whose `$` is the end of the text; Python's also matches before a final line end.

    A text that is too long is reported for that alone.
    """
    if not isinstance(value, str) or len(value) > spec.get("maxLength", len(value)):
        return
    if not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _path(_: Any, is_path: bool, value: object, __: Any) -> Iterator[ValidationError]:
    """Find paths with control characters, which no file of a study has."""
    if is_path and isinstance(value, str) and CONTROL.search(value):
        yield ValidationError(f"{value!r} has a control character")


# The 2020-12 draft of JSON Schema, with a stricter `pattern` and the keyword `x-path`.
Validator = extend(  # type: ignore[no-untyped-call]  # no types
    Draft202012Validator, {"pattern": _whole_pattern, "x-path": _path}
)
