"""Checks of translations, whatever they are from."""

from collections import defaultdict
from collections.abc import Iterator

import regex

from lexmerge.common.languages import has_script, name, scripts
from lexmerge.vocabulary.translator import Translation

LONGEST = 60  # characters of a translation; a longer one is a sentence or a definition
SENTENCE = regex.compile(r"\p{Sentence_Terminal}$|[\p{Cc}\p{Zl}\p{Zp}]")  # its end, or more than one line
BRACKETS = regex.compile(r"[\p{Ps}\p{Pe}]")


def faults(term: str, translation: str, languages: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Reasons not to use a translation, as (status, reason), the gravest first."""
    source, target = languages["source"], languages["target"]
    if not translation.strip():
        yield "empty", "nothing was given"
    elif not has_script(translation, target):
        yield "wrong_script", f"{translation!r} has no letter of the script of {name(target)}"
    elif translation.casefold() == term.casefold() and not set(scripts(source)) & set(scripts(target)):
        yield "untranslated", f"{translation!r} is the term itself"
    if len(translation) > LONGEST or SENTENCE.search(translation):
        yield "sentence", f"{translation!r} is a sentence and no term"


def remarks(term: str, translation: str) -> Iterator[str]:
    """What a person should check in a translation that is used all the same."""
    if translation.casefold() == term.casefold():
        yield "the same as the term"
    if BRACKETS.search(translation):
        yield "has brackets"


def flag_shared(rows: list[Translation]) -> list[Translation]:
    """Flag terms that share a translation: in the target language they are one term.

    Args:
        rows: The translations of all terms.

    Returns:
        The rows, those with a shared translation as `odd` with the other terms as the reason.
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
            row = row | {"status": "odd", "reason": reason}
        flagged.append(row)
    return flagged
