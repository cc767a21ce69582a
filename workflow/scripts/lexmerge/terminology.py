"""Readers of terminologies. Each gives one row a name: `name, semantic_tag, concept_id`, all strings."""

import csv
import json
import re
from pathlib import Path

import pandas as pd

from lexmerge.errors import StudyError

COLUMNS = ["name", "semantic_tag", "concept_id"]
FULLY_SPECIFIED_NAME = "900000000000003001"
SYNONYM = "900000000000013009"


def read_terminology(path: str, format: str) -> pd.DataFrame:
    """The fully specified names of a terminology, with the semantic tag split off."""
    source = Path(path)
    if not source.exists():
        raise StudyError(f"vocabulary.terminology.path: there is nothing at {path}")
    return {"rf2": _read_rf2, "fhir": _read_fhir, "tsv": _read_tsv}[format](source)


def split_semantic_tag(name: str) -> tuple[str, str]:
    """Take `Nephritis (disorder)` apart; a name without a tag has the tag `""`."""
    match = re.fullmatch(r"(.*\S)\s+\(([^()]+)\)", name.strip())
    return (match[1], match[2]) if match else (name.strip(), "")


def version_of(path: str, format: str) -> str:
    """The release that a terminology says it is, as far as its file names or header tell."""
    source = Path(path)
    if format == "rf2":
        return re.search(r"(\d{8})", _rf2_file(source, "sct2_Description_Snapshot").name)[1]
    if format == "fhir":
        return json.loads(source.read_text(encoding="utf-8-sig")).get("version", "not stated")
    return "not stated"


def files_of(path: str, format: str) -> list[str]:
    """The files that a terminology is read from."""
    source = Path(path)
    if format == "rf2":
        return [str(_rf2_file(source, f"sct2_{kind}_Snapshot")) for kind in ("Concept", "Description")]
    return [str(source)]


def _read_rf2(source: Path) -> pd.DataFrame:
    """Active fully specified names of active concepts (SNOMED release file specification 3.1.1 and 4.2.2)."""
    concepts = _read_release(_rf2_file(source, "sct2_Concept_Snapshot"), ["id", "active"])
    names = _read_release(
        _rf2_file(source, "sct2_Description_Snapshot"), ["conceptId", "active", "typeId", "term"]
    )
    active = set(concepts.loc[concepts.active == "1", "id"])
    names = names[
        (names.active == "1") & (names.typeId == FULLY_SPECIFIED_NAME) & names.conceptId.isin(active)
    ]
    return _rows(names.term, names.conceptId)


def _read_fhir(source: Path) -> pd.DataFrame:
    value_set = json.loads(source.read_text(encoding="utf-8-sig"))
    if value_set.get("resourceType") != "ValueSet":
        raise StudyError(
            f"{source}: not a FHIR ValueSet (its resourceType is {value_set.get('resourceType')!r})"
        )
    concepts = [
        concept
        for part in value_set.get("compose", {}).get("include", [])
        for concept in part.get("concept", [])
        if concept.get("display")
    ]
    return _rows([c["display"] for c in concepts], [str(c["code"]) for c in concepts])


def _read_tsv(source: Path) -> pd.DataFrame:
    table = _read_release(source, ["term"])
    blank = pd.Series("", index=table.index)
    return pd.DataFrame(
        {
            "name": table.term,
            "semantic_tag": table.get("semantic_tag", blank),
            "concept_id": table.get("concept_id", blank),
        }
    )


def _rows(names, concept_ids) -> pd.DataFrame:
    split = [split_semantic_tag(name) for name in names]
    return pd.DataFrame(
        {
            "name": [name for name, _ in split],
            "semantic_tag": [tag for _, tag in split],
            "concept_id": list(concept_ids),
        },
        columns=COLUMNS,
        dtype=object,
    )


def _rf2_file(source: Path, prefix: str) -> Path:
    found = sorted(source.rglob(f"{prefix}*.txt")) if source.is_dir() else []
    if not found:
        raise StudyError(f"{source}: no {prefix}*.txt in this folder; is it an unpacked RF2 release?")
    return found[0]


def _read_release(path: Path, needed: list[str]) -> pd.DataFrame:
    table = pd.read_csv(
        path, sep="\t", dtype=str, quoting=csv.QUOTE_NONE, keep_default_na=False, encoding="utf-8-sig"
    )
    missing = [column for column in needed if column not in table]
    if missing:
        raise StudyError(f"{path}: no column {', '.join(missing)}; it has {', '.join(table.columns)}")
    return table
