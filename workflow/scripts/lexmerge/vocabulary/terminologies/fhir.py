"""A FHIR ValueSet in JSON."""

import json
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.vocabulary.terminology import Terminology, TerminologyFormat, file_hashes


def read(source: Path, settings: dict[str, Any], language: str) -> Terminology:
    """Read the concepts that a ValueSet lists or that its expansion holds, without inactive ones."""
    import pandas as pd

    if source.is_dir():
        raise StudyError(f"{source}: a folder, and not the one JSON file of a ValueSet")
    try:
        value_set = json.loads(source.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # JSON's own errors and those of UTF-8
        raise StudyError(f"{source}: not a FHIR ValueSet in JSON and UTF-8: {error}") from None
    kind = value_set.get("resourceType") if isinstance(value_set, dict) else None
    if kind != "ValueSet":
        raise StudyError(f"{source}: not a FHIR ValueSet (its resourceType is {kind!r})")
    try:
        rows = [
            (name, tag, str(concept["code"]))
            for concept in _concepts(value_set)
            for name, tag in _names_of(concept, settings["names"], language)
        ]
    except (AttributeError, TypeError) as error:
        raise StudyError(f"{source}: a ValueSet whose parts are not what FHIR says: {error}") from None
    if not rows:
        raise StudyError(
            f"{source}: this ValueSet lists no concepts with a name; let a terminology server expand it"
        )
    names = pd.DataFrame(rows, columns=["name", "semantic_tag", "concept_id"], dtype=object)
    title = value_set.get("title") or value_set.get("name") or source.name
    return Terminology(names, title, value_set.get("version", "not stated"), file_hashes([source]))


def _concepts(value_set: dict) -> list[dict]:
    compose = value_set.get("compose") or {}
    excluded = {key for key, _ in _listed(compose.get("exclude"))}
    listed = [concept for key, concept in _listed(compose.get("include")) if key not in excluded]
    todo, expanded = list((value_set.get("expansion") or {}).get("contains", [])), []
    while todo:
        concept = todo.pop(0)
        todo = concept.get("contains", []) + todo
        if not concept.get("inactive") and not concept.get("abstract"):
            expanded.append(concept)
    return [c for c in expanded or listed if c.get("display") and c.get("code")]


def _listed(parts: list | None) -> list[tuple[tuple, dict]]:
    """The concepts of `include` or `exclude`, each with its key: code system and code."""
    return [
        ((part.get("system"), c.get("code")), c) for part in parts or [] for c in part.get("concept") or []
    ]


def _names_of(concept: dict, kinds: list[str], language: str) -> list[tuple[str, str]]:
    """(name, semantic tag): the display, which is taken for the fully specified name, and designations."""
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


REGISTERED = TerminologyFormat("a FHIR ValueSet in JSON, which lists its concepts or is expanded", read)
