"""Interface of translators; each file in `translators/` registers one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from lexmerge.common.registry import Registry
from lexmerge.services.limits import Limits

# Settings of `translations` for language models.
MODEL_KEYS = (
    *("model", "base_url", "key_variable", "prompt", "parameters"),
    *("connections", "requests_per_minute"),
)


class Translation(TypedDict):
    """A row of `vocabulary/translations.tsv`.

    Attributes:
        term: The term in the source language.
        translation: Its translation; empty if there is none.
        source: The table or model that it comes from, or `untranslated` for the translator `none`.
        status: `ok`, `odd` (used, but a person should check it), or the reason why there is no translation:
            `empty`, `wrong_script`, `untranslated`, `sentence`, `refused`, `blocked`, `truncated`,
            `unparsable`.
        reason: Explanation of a status other than `ok`.
        alternatives: Other translations by the same source, joined by ` | `.
    """

    term: str
    translation: str
    source: str
    status: str
    reason: str
    alternatives: str


@dataclass(frozen=True)
class Translator:
    """A way to translate the terms. One that uses a language model has the name of its provider.

    Attributes:
        translate: Makes a row for each term, given the terms (rows of `terms.tsv`), the settings
            (`translations` in the config), the study's language codes (`source` and `target`), the path of
            the journal, and the limits of its requests.
        keys: Its settings, apart from `provider` and `overrides`.
    """

    translate: Callable[
        [list[dict[str, Any]], dict[str, Any], dict[str, str], str, Limits], list[Translation]
    ]
    keys: tuple[str, ...] = ()


TRANSLATORS: Registry[Translator] = Registry("lexmerge.vocabulary.translators", Translator)


def translation(
    term: str, text: str, source: str, status: str, reason: str = "", alternatives: str = ""
) -> Translation:
    """Make a row; see `Translation`."""
    return {
        "term": term,
        "translation": text,
        "source": source,
        "status": status,
        "reason": reason,
        "alternatives": alternatives,
    }
