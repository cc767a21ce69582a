"""Terminologies: the names to choose terms from, one row a name: `name, semantic_tag, concept_id`."""

import json
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_tsv, sha256
from lexmerge.vocabulary.snomed_rf2 import FULLY_SPECIFIED, SYNONYM, Release, read_names, split_semantic_tag


@dataclass(frozen=True)
class Terminology:
    """The names, all strings, and where they are from."""

    names: pd.DataFrame
    title: str
    version: str
    files: list[str]
    remarks: list[str] = field(default_factory=list)

    def notes(self, path: str) -> list[str]:
        """What stands above the funnel: the source's name and version, and its files' sha256."""
        return [f"terminology: {self.title}, version {self.version}, {path}", *self.files, *self.remarks]


def read_terminology(settings: dict, language: str) -> Terminology:
    """Read what `vocabulary.terminology` in the config names."""
    source = Path(settings["path"])
    if not source.exists():
        raise StudyError(f"vocabulary.terminology.path: there is nothing at {source}")
    if settings["format"] == "rf2":
        found = _read_rf2(source, settings["names"], settings.get("language_refset"), language)
    elif settings["format"] == "fhir":
        found = _read_fhir(source, settings["names"], language)
    else:
        found = _read_tsv(source)
    found.names["name"] = [unicodedata.normalize("NFC", name) for name in found.names.name]
    return found


def _read_rf2(source: Path, kinds: list[str], refset: str | None, language: str) -> Terminology:
    release = Release(source, language)
    names, remarks = read_names(release, kinds, refset)
    _, date = release.find("concepts")
    used = ["concepts", "descriptions", *(["language reference sets"] if refset else [])]
    members = [release.find(kind)[0] for kind in used]
    files = [source] if release.zip else [source / member for member in members]
    if refset:
        remarks = [f"names that the language reference set {refset} accepts", *remarks]
    return Terminology(names, "SNOMED CT, RF2", date, _hashes(files), remarks)


def _read_fhir(source: Path, kinds: list[str], language: str) -> Terminology:
    """The concepts that a ValueSet lists or that its expansion holds; inactive ones are left out."""
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
            for name, tag in _names_of(concept, kinds, language)
        ]
    except (AttributeError, TypeError) as error:
        raise StudyError(f"{source}: a ValueSet whose parts are not what FHIR says: {error}") from None
    if not rows:
        raise StudyError(
            f"{source}: this ValueSet lists no concepts with a name; let a terminology server expand it"
        )
    names = pd.DataFrame(rows, columns=["name", "semantic_tag", "concept_id"], dtype=object)
    title = value_set.get("title") or value_set.get("name") or source.name
    return Terminology(names, title, value_set.get("version", "not stated"), _hashes([source]))


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


def _read_tsv(source: Path) -> Terminology:
    table = read_tsv(source, ["term"])
    blank = [""] * len(table)
    columns = {
        "name": table.term,
        "semantic_tag": table.get("semantic_tag", blank),
        "concept_id": table.get("concept_id", blank),
    }
    return Terminology(pd.DataFrame(columns, dtype=object), source.name, "not stated", _hashes([source]))


def _hashes(files: list[Path]) -> list[str]:
    return [f"sha256 {sha256(file)} {file}" for file in files]
