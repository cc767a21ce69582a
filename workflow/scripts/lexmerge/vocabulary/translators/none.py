"""No translation: each term stands for itself. Only for trying out the workflow."""

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
    """Return each term as its own translation; see `Translator.translate`."""
    return [translation(term["term"], term["term"], "untranslated", "ok") for term in terms]


REGISTERED = Translator(translate)
