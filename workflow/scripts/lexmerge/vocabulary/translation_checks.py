"""Checks of translations from any source."""

from collections import defaultdict
from collections.abc import Iterator

import regex

from lexmerge.common.languages import has_script, name, scripts
from lexmerge.vocabulary.translator import Translation

LONGEST = 60  # characters; a longer translation is a sentence or a definition
SENTENCE = regex.compile(
    r"\p{Sentence_Terminal}$|[\p{Cc}\p{Zl}\p{Zp}]"
)  # the end of a sentence, or a line break
BRACKETS = regex.compile(r"[\p{Ps}\p{Pe}]")


def faults(term: str, translation: str, languages: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Reasons not to use a translation.

    Args:
        term: The term in the source language.
        translation: Its translation.
        languages: The study's `source` and `target` language codes.

    Yields:
        (status, reason), the most serious first; see `Translation`.
    """
    source, target = languages["source"], languages["target"]
    if not translation.strip():
        yield "empty", "nothing was given"
    elif not has_script(translation, target):
        yield "wrong_script", f"{translation!r} has no letter in the script of {name(target)}"
    elif translation.casefold() == term.casefold() and not set(scripts(source)) & set(scripts(target)):
        yield "untranslated", f"{translation!r} is the term itself"
    if len(translation) > LONGEST or SENTENCE.search(translation):
        yield "sentence", f"{translation!r} is a sentence, not a term"


def remarks(term: str, translation: str) -> Iterator[str]:
    """Oddities of a usable translation that a person should check."""
    if translation.casefold() == term.casefold():
        yield "the same as the term"
    if BRACKETS.search(translation):
        yield "has brackets"


def flag_shared(rows: list[Translation]) -> list[Translation]:
    """Flag terms with the same translation, which the target language does not distinguish.

    Args:
        rows: The translations of all terms.

    Returns:
        The rows; those with a shared translation have the status `odd` and the other terms as the reason.
    """
    sharing = defaultdict(list)
    for row in rows:
        if row["translation"]:
            sharing[row["translation"]].append(row["term"])
    flagged = []
    for row in rows:
        others = [term for term in sharing.get(row["translation"], []) if term != row["term"]]
        if others:
            reason = f"the same translation as {', '.join(others)}"
            reason = f"{row['reason']}; {reason}" if row["reason"] else reason
            row = {**row, "status": "odd", "reason": reason}
        flagged.append(row)
    return flagged
