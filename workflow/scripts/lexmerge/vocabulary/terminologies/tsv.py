"""A table with the column `term` and, optionally, `semantic_tag` and `concept_id`."""

from pathlib import Path
from typing import Any

from lexmerge.vocabulary.terminology import Terminology, TerminologyFormat, file_hashes


def read(source: Path, settings: dict[str, Any], language: str) -> Terminology:
    """Read the names and the optional columns; see `TerminologyFormat.read`."""
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


REGISTERED = TerminologyFormat(read, kinds=("fully_specified",))
