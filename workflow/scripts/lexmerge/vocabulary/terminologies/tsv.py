"""A table of names: `term`, and `semantic_tag` and `concept_id` if it has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexmerge.vocabulary.terminology import Terminology, TerminologyFormat, file_hashes


def read(source: Path, settings: dict[str, Any], language: str) -> Terminology:
    """Read the columns `term` and, if there are any, `semantic_tag` and `concept_id`."""
    import pandas as pd

    from lexmerge.common.files import read_tsv

    table = read_tsv(source, ["term"])
    blank = [""] * len(table)
    columns = {
        "name": table.term,
        "semantic_tag": table.get("semantic_tag", blank),
        "concept_id": table.get("concept_id", blank),
    }
    return Terminology(pd.DataFrame(columns, dtype=object), source.name, "not stated", file_hashes([source]))


def faults(settings: dict[str, Any]) -> Iterator[str]:
    """A table has one name a row, which is taken for the fully specified one."""
    if settings.get("names", []) not in ([], ["fully_specified"]):
        yield "names: a 'tsv' has one name a row"


REGISTERED = TerminologyFormat("a table with a column `term`", read, faults=faults)
