"""FHIR ValueSets in JSON (https://hl7.org/fhir/valueset.html)."""

import json
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.vocabulary.terminology import Terminology, TerminologyFormat, file_hashes


def read(source: Path, settings: dict[str, Any], language: str) -> Terminology:
    """Read the active concepts of the expansion, or else those listed; see `TerminologyFormat.read`."""
    import pandas as pd

    if source.is_dir():
        raise StudyError(f"{source.absolute()} is a folder; name a ValueSet, a single JSON file")
    try:
        value_set = json.loads(source.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # both JSONDecodeError and UnicodeDecodeError
        raise StudyError(f"{source.absolute()} is not a FHIR ValueSet in JSON and UTF-8: {error}") from None
    kind = value_set.get("resourceType") if isinstance(value_set, dict) else None
    if kind != "ValueSet":
        raise StudyError(
            f"{source.absolute()} is not a FHIR ValueSet (its resourceType is {kind!r}); name a ValueSet"
        )
    try:
        rows = [
            (name, tag, str(concept["code"]))
            for concept in _concepts(value_set)
            for name, tag in _names_of(concept, settings["names"], language)
        ]
    except (AttributeError, TypeError) as error:
        raise StudyError(
            f"{source.absolute()}: the ValueSet does not have the structure that FHIR requires: {error}"
        ) from None
    if not rows:
        raise StudyError(
            f"{source.absolute()}: the ValueSet lists no concepts with a name; expand it on a terminology "
            "server"
        )
    names = pd.DataFrame(rows, columns=["name", "semantic_tag", "concept_id"], dtype=object)
    title = value_set.get("title") or value_set.get("name") or source.name
    return Terminology(names, title, value_set.get("version", "not stated"), file_hashes([source]))


def _concepts(value_set: dict[str, Any]) -> list[dict[str, Any]]:
    """Active concepts with a name: those of the expansion, or else those included and not excluded."""
    compose = value_set.get("compose") or {}
    excluded = {key for key, _ in _listed(compose.get("exclude"))}
    listed = [concept for key, concept in _listed(compose.get("include")) if key not in excluded]
    todo = list((value_set.get("expansion") or {}).get("contains", []))
    expanded = []
    while todo:
        concept = todo.pop(0)
        todo = concept.get("contains", []) + todo
        if not concept.get("inactive") and not concept.get("abstract"):
            expanded.append(concept)
    return [c for c in expanded or listed if c.get("display") and c.get("code")]


def _listed(parts: list[dict[str, Any]] | None) -> list[tuple[tuple[Any, Any], dict[str, Any]]]:
    """Concepts in `include` or `exclude`, as ((code system, code), concept)."""
    return [
        ((part.get("system"), c.get("code")), c) for part in parts or [] for c in part.get("concept") or []
    ]


def _names_of(concept: dict[str, Any], kinds: list[str], language: str) -> list[tuple[str, str]]:
    """Names of the kinds asked for, as (name, semantic tag).

    Without a designation as fully specified name, `display` serves as one.
    """
    from lexmerge.vocabulary.snomed_rf2 import FULLY_SPECIFIED, SYNONYM, split_semantic_tag

    designations = [
        (d.get("use", {}).get("code"), d["value"])
        for d in concept.get("designation") or []
        if d.get("value") and (d.get("language") or language).split("-")[0] == language
    ]
    full = next((value for use, value in designations if use == FULLY_SPECIFIED), concept["display"])
    name, tag = split_semantic_tag(full)
    names = [name] if "fully_specified" in kinds else []
    if "synonyms" in kinds:
        names += [value for use, value in designations if use == SYNONYM]
    return [(name, tag) for name in names]


REGISTERED = TerminologyFormat(read)
