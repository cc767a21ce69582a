"""The ways to translate the terms: see `translators/`, one file each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from lexmerge.common.registry import Registry
from lexmerge.services.limits import Limits

# The settings of `translations` that a language model takes.
MODEL_KEYS = (
    *("model", "base_url", "key_variable", "prompt", "parameters"),
    *("connections", "requests_per_minute"),
)


class Translation(TypedDict):
    """A row of `vocabulary/translations.tsv`.

    Attributes:
        term: The term in the source language.
        translation: Its translation; empty if it has none.
        source: The table or the model that it is from.
        status: `ok`, `odd` (used, but worth a look), or why there is none.
        reason: What is odd, or why there is none.
        alternatives: Other translations of the same source, joined by ` | `.
    """

    term: str
    translation: str
    source: str
    status: str
    reason: str
    alternatives: str


@dataclass(frozen=True)
class Translator:
    """A way to translate the terms. One that asks a language model is named as its provider.

    Attributes:
        about: What the choice means, for the config reference.
        translate: Makes a row for each term from the terms (rows of `terms.tsv`), the settings
            (`translations` in the config), the study's languages, the path of the journal, and the limits.
        keys: The settings that it takes, beside `provider` and `overrides`.
    """

    about: str
    translate: Callable[
        [list[dict[str, Any]], dict[str, Any], dict[str, str], str, Limits], list[Translation]
    ]
    keys: tuple[str, ...] = ()


TRANSLATORS: Registry[Translator] = Registry("lexmerge.vocabulary.translators", Translator)


def translation(
    term: str, text: str, source: str, status: str, reason: str = "", alternatives: str = ""
) -> Translation:
    """A row; see `Translation`."""
    return {
        "term": term,
        "translation": text,
        "source": source,
        "status": status,
        "reason": reason,
        "alternatives": alternatives,
    }
