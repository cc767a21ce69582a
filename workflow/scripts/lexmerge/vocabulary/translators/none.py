"""No translation: every term stands for itself, to try the workflow out and for no result."""

from typing import Any

from lexmerge.services.limits import Limits
from lexmerge.vocabulary.translator import Translation, Translator, translation


def translate(
    terms: list[dict[str, Any]],
    settings: dict[str, Any],
    languages: dict[str, str],
    journal: str,
    limits: Limits,
) -> list[Translation]:
    """Every term as its own translation, marked as untranslated; see `Translator.translate`."""
    return [translation(term["term"], term["term"], "untranslated", "ok") for term in terms]


REGISTERED = Translator("every term stands for itself (to try the workflow out)", translate)
