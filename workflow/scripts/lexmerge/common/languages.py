"""Languages by their codes: their English names, their scripts, and what a word is in any of them."""

import regex
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.localedata import locale_identifiers

LETTERS = r"[\p{L}\p{M}]"
WORD = regex.compile(rf"{LETTERS}+")
HYPHENATED = regex.compile(rf"{LETTERS}+(?:-{LETTERS}+)*")
# Unicode's scripts behind the codes that stand for several (ISO 15924).
COMPOUND = {"Jpan": "Hira Kana Hani", "Kore": "Hang Hani", "Hans": "Hani", "Hant": "Hani"}
# Of messages and of spelling out, and not of terminology.
INFORMAL = (("hi", "Latn"), ("kok", "Latn"), ("zh", "Latn"))


def name(code: str) -> str:
    """`Japanese` for `ja`, from the Unicode CLDR; a code that it does not know is its own name."""
    try:
        return Locale.parse(code).english_name
    except UnknownLocaleError:
        return code


def scripts(code: str) -> tuple[str, ...]:
    """The scripts that a language is written in, as far as the CLDR has locales of them; none if unknown."""
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
    """Does the text have at least one letter of the language's script? Yes, where that is not known."""
    known = scripts(code)
    return not known or any(regex.search(rf"\p{{Script={script}}}", text) for script in known)


def says_something(text: str) -> bool:
    """Is there a letter or digit in it?"""
    return regex.search(r"[\p{L}\p{N}]", text) is not None


def is_word(text: str, hyphens: bool = False) -> bool:
    """Letters only, of any script; with `hyphens`, also such words joined by hyphens."""
    return (HYPHENATED if hyphens else WORD).fullmatch(text) is not None
