"""A language model of OpenAI, or of any server with its API."""

from typing import Any

from lexmerge.services.limits import Limits
from lexmerge.vocabulary.translator import MODEL_KEYS, Translation, Translator


def translate(
    terms: list[dict[str, Any]],
    settings: dict[str, Any],
    languages: dict[str, str],
    journal: str,
    limits: Limits,
) -> list[Translation]:
    """See `model_translator.translate`."""
    from lexmerge.vocabulary import model_translator

    return model_translator.translate(terms, settings, languages, journal, limits)


REGISTERED = Translator(translate, keys=MODEL_KEYS)
