"""A table of translations by people."""

from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.services.limits import Limits
from lexmerge.vocabulary.translator import Translation, Translator, translation


def translate(
    terms: list[dict[str, Any]],
    settings: dict[str, Any],
    languages: dict[str, str],
    journal: str,
    limits: Limits,
) -> list[Translation]:
    """Look up every term. Odd translations are flagged but used; see `Translator.translate`.

    Raises:
        StudyError: If the table lacks the translation of a term.
    """
    from lexmerge.vocabulary.translation_checks import faults, remarks
    from lexmerge.vocabulary.translation_table import lookup_key, read_translations

    path = settings["path"]
    known, words = read_translations(path), [term["term"] for term in terms]
    missing = [word for word in words if lookup_key(word) not in known]
    if missing:
        raise StudyError(
            f"{Path(path).absolute()}: no translation for {len(missing)} of {len(words)} terms, such as "
            f"{', '.join(missing[:5])}; add them to the table"
        )
    rows = []
    for word in words:
        text = known[lookup_key(word)]
        doubts = [reason for _, reason in faults(word, text, languages)]
        odd = "; ".join(doubts or remarks(word, text))
        rows.append(translation(word, text, path, "odd" if odd else "ok", odd))
    return rows


REGISTERED = Translator(translate, keys=("path",))
