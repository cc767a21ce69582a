"""Tables of translations made by people: the columns `term` and `translation`."""

import unicodedata
from pathlib import Path

from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_tsv


def lookup_key(term: str) -> str:
    """Normalise a term for look-up: NFC, stripped, lower case."""
    return unicodedata.normalize("NFC", term).strip().lower()


def read_translations(path: str) -> dict[str, str]:
    """Read a table of translations.

    Args:
        path: Path of the TSV file.

    Returns:
        Translations by `lookup_key`; rows with an empty translation are left out.

    Raises:
        StudyError: If a column is missing or a term has two translations.
    """
    table = read_tsv(path, ["term", "translation"])
    known: dict[str, str] = {}
    for term, text in zip(table.term.map(lookup_key), table.translation.map(str.strip), strict=True):
        if text and known.setdefault(term, text) != text:
            raise StudyError(
                f"{Path(path).absolute()}: {term!r} has two translations, {known[term]!r} and {text!r}; "
                "keep one"
            )
    return known
