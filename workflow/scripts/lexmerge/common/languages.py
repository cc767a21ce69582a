"""Names and scripts of languages by their codes, and tests for words in any script."""

import regex
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.localedata import locale_identifiers

LETTERS = r"[\p{L}\p{M}]"
WORD = regex.compile(rf"{LETTERS}+")
HYPHENATED = regex.compile(rf"{LETTERS}+(?:-{LETTERS}+)*")
# Unicode's scripts behind the codes that stand for several (ISO 15924).
COMPOUND = {"Jpan": "Hira Kana Hani", "Kore": "Hang Hani", "Hans": "Hani", "Hant": "Hani"}
# Used in chat messages and as transliteration, but not in terminology.
INFORMAL = (("hi", "Latn"), ("kok", "Latn"), ("zh", "Latn"))


def name(code: str) -> str:
    """The English name of a language (Unicode CLDR), such as `Japanese` for `ja`; an unknown code itself."""
    try:
        return Locale.parse(code).english_name or code
    except UnknownLocaleError:
        return code


def scripts(code: str) -> tuple[str, ...]:
    """The scripts that a language is written in.

    Args:
        code: A language code such as `ja`.

    Returns:
        Unicode script codes such as `Hira`, from the language's locales in the CLDR; empty if it has none.
    """
    try:
        code = Locale.parse(code).language
    except UnknownLocaleError:
        return ()
    likely = get_global("likely_subtags").get(code, "").split("_")
    others = [name.split("_")[1:] for name in locale_identifiers() if name.startswith(f"{code}_")]
    found = [part for parts in [likely, *others] for part in parts if len(part) == 4]
    found = [script for script in found if (code, script) not in INFORMAL]
    return tuple(dict.fromkeys(part for script in found for part in COMPOUND.get(script, script).split()))


def has_script(text: str, code: str) -> bool:
    """True if the text contains a letter of the language's scripts, or if these are unknown."""
    known = scripts(code)
    return not known or any(regex.search(rf"\p{{Script={script}}}", text) for script in known)


def says_something(text: str) -> bool:
    """True if the text contains a letter or a digit of any script."""
    return regex.search(r"[\p{L}\p{N}]", text) is not None


def is_word(text: str, hyphens: bool = False) -> bool:
    """True if the text has only letters, of any script; with `hyphens`, also hyphens between letters."""
    return (HYPHENATED if hyphens else WORD).fullmatch(text) is not None
