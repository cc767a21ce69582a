"""What a reader must know of a definition before any judge: flags on what a model wrote."""

import re
import unicodedata

import regex

from lexmerge.languages import scripts

FLAGS = ("truncated", "empty", "echo", "wrong_language", "repetition")
LOOP = re.compile(r"(.{1,120}?)\1{3,}", re.S)  # the same thing four times in a row
LOOP_LENGTH = 20  # characters, so that "ha ha ha ha" is none
SENTENCE = 20  # letters; a Japanese text as long as that has kana, and a Chinese one none
KANA = regex.compile(r"\p{Hiragana}|\p{Katakana}")
LETTERS = regex.compile(r"[\p{L}--ー]", regex.V1)  # the mark of a long vowel stands in either kana


def flags_of(text: str, finish_reason: str, terms: list[str], prompt: str, language: str) -> list[str]:
    """Those of FLAGS that hold for a definition; none of what was not asked.

    `terms` are the term in both languages, `prompt` is what the model was asked.
    """
    if finish_reason == "not_asked":
        return []
    held = {
        "truncated": finish_reason == "length",
        "empty": not _says(text),
        "echo": _says(text) and _is_echo(text, [*terms, prompt]),
        "wrong_language": _is_foreign(text, terms, language),
        "repetition": any(len(loop[0]) >= LOOP_LENGTH and _says(loop[1]) for loop in LOOP.finditer(text)),
    }
    return [flag for flag in FLAGS if held[flag]]


def _is_echo(text: str, asked: list[str]) -> bool:
    """Nothing is said but the term or the prompt, once or many times."""
    rest = _plain(text)
    for said in sorted(map(_plain, asked), key=len, reverse=True):
        rest = rest.replace(said, " ") if said else rest
    return not _says(rest)


def _is_foreign(text: str, terms: list[str], language: str) -> bool:
    """Most letters are of scripts that the language is not written in, the term itself left aside.

    Han letters alone are Chinese where Japanese was to be written. Languages of one script look alike.
    """
    known, rest = scripts(language), _plain(text)
    for term in map(_plain, terms):
        rest = rest.replace(term, " ") if term else rest
    letters = LETTERS.findall(rest)
    if not known or not letters:
        return False
    own = regex.compile("|".join(rf"\p{{Script={script}}}" for script in known))
    count = sum(own.match(letter) is not None for letter in letters)
    if "Hira" in known and len(letters) >= SENTENCE and not KANA.search(rest):
        return True
    return count < len(letters) / 2


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _says(text: str) -> bool:
    """Is there a letter or digit in it?"""
    return regex.search(r"[\p{L}\p{N}]", text) is not None
