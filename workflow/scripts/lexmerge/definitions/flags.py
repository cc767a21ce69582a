"""Flags on a definition that need no judge: truncated, empty, echo, wrong language, repetition."""

import re
import unicodedata

import regex

from lexmerge.common.languages import says_something, scripts

FLAGS = ("truncated", "empty", "echo", "wrong_language", "repetition")
# A unit at least four times in a row, 20 characters or more in all: "ha ha ha ha" is too short.
LOOP = re.compile(r"(.{5,400}?)\1{3,}|(.{4})\2{4,}|(.{3})\3{6,}|(..)\4{9,}|(.)\5{19,}", re.S)
BRACKETS = regex.compile(r"\p{Ps}[^\p{Ps}\p{Pe}]*\p{Pe}")
SENTENCE = 20  # letters: in a language with kana, a text at least this long contains some
KANA = regex.compile(r"\p{Hiragana}|\p{Katakana}")
LETTERS = regex.compile(r"[\p{L}--\u30fc]", regex.V1)  # without the long vowel mark, common to both kana


def flags_of(text: str, finish_reason: str, terms: list[str], prompt: str, language: str) -> list[str]:
    """Flag the defects of a definition that are visible without a judge.

    Args:
        text: The definition.
        finish_reason: The definition's `finish_reason`; see `rows.Definition`.
        terms: The term in both languages.
        prompt: The prompt that the definition answers.
        language: The code of the language of the prompt.

    Returns:
        The flags in the order of FLAGS; none if the model was not asked.
    """
    if finish_reason == "not_asked":
        return []
    held = {
        "truncated": finish_reason == "length",
        "empty": not says_something(text),
        "echo": says_something(text) and _is_echo(text, [*terms, prompt]),
        "wrong_language": _is_foreign(text, terms, language),
        "repetition": any(LETTERS.search(loop[0]) for loop in LOOP.finditer(text)),
    }
    return [flag for flag in FLAGS if held[flag]]


def _is_echo(text: str, asked: list[str]) -> bool:
    """Check whether a text consists only of repetitions of the term or the prompt."""
    rest = _plain(text)
    parts = [part for text in asked for part in (text, *text.splitlines())]
    for said in sorted(map(_plain, parts), key=len, reverse=True):
        rest = rest.replace(said, " ") if said else rest
    return not says_something(rest)


def _is_foreign(text: str, terms: list[str], language: str) -> bool:
    """Check whether most letters belong to scripts that the language does not use.

    The term itself and text in brackets, where abbreviations are spelt out, are ignored. In a language with
    kana, a text of Han letters alone counts as Chinese. Languages with the same script cannot be told apart.
    """
    known, rest = scripts(language), _plain(text)
    for term in map(_plain, terms):
        rest = rest.replace(term, " ") if term else rest
    rest = BRACKETS.sub(" ", rest)
    letters = LETTERS.findall(rest)
    if not known or not letters:
        return False
    own = regex.compile("|".join(rf"\p{{Script={script}}}" for script in known))
    count = sum(own.match(letter) is not None for letter in letters)
    if "Hira" in known and len(letters) >= SENTENCE and not KANA.search(rest):
        return True
    return count < len(letters) / 2


def _plain(text: str) -> str:
    """Normalise width, case and whitespace."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
