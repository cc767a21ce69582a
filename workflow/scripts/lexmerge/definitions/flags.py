"""What a reader must know of a definition before any judge: flags on what a model wrote."""

import re
import unicodedata

import regex

from lexmerge.common.languages import says_something, scripts

FLAGS = ("truncated", "empty", "echo", "wrong_language", "repetition")
# The same thing four times in a row or more, of 20 characters in all, so that "ha ha ha ha" is none.
LOOP = re.compile(r"(.{5,400}?)\1{3,}|(.{4})\2{4,}|(.{3})\3{6,}|(..)\4{9,}|(.)\5{19,}", re.S)
BRACKETS = regex.compile(r"\p{Ps}[^\p{Ps}\p{Pe}]*\p{Pe}")
SENTENCE = 20  # letters; a text with kana in its language has some after as many
KANA = regex.compile(r"\p{Hiragana}|\p{Katakana}")
LETTERS = regex.compile(r"[\p{L}--\u30fc]", regex.V1)  # the mark of a long vowel stands in either kana


def flags_of(text: str, finish_reason: str, terms: list[str], prompt: str, language: str) -> list[str]:
    """Those of FLAGS that hold for a definition; none of what was not asked.

    `terms` are the term in both languages, `prompt` is what the model was asked.
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
    """Nothing is said but the term or the prompt, once or many times."""
    rest = _plain(text)
    parts = [part for text in asked for part in (text, *text.splitlines())]
    for said in sorted(map(_plain, parts), key=len, reverse=True):
        rest = rest.replace(said, " ") if said else rest
    return not says_something(rest)


def _is_foreign(text: str, terms: list[str], language: str) -> bool:
    """Most letters are of scripts that the language is not written in; the term itself is left aside, and so
    is what stands in brackets, where abbreviations are spelt out.

    Han letters alone are Chinese where the language has kana. Languages of one script look alike.
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
    """The text without what only its form is: width, case, and how it is broken into lines."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
