"""Checks of the files of prompts: their text, their placeholders, and the line of their version."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from lexmerge.common.prompts import VERSION, read_prompt
from lexmerge.study.paths import looked_at
from lexmerge.study.violations import shown

DEFINITION = ("term",)
TRANSLATION = ("term", "semantic_tag", "source_language", "target_language")
JUDGEMENT = (*TRANSLATION[:1], "translation", "reference", "definition", *TRANSLATION[2:])
VERSION_LINE = re.compile(r"\s*#+ *version\b.*", re.I)


def prompt_faults(
    place: str, path: str, known: Iterable[str] = DEFINITION, needed: Iterable[str] = ("term",)
) -> Iterator[str]:
    """Check the file of a prompt.

    Args:
        place: The config key with its path, for the messages.
        path: The file.
        known: The placeholders that are filled in; none if the text is used as it is.
        needed: Those of them that it must have.

    Yields:
        A line for each fault.
    """
    file = Path(path).absolute()
    if not file.is_file():
        yield f"{place}: there is no file {looked_at(path)}"
        return
    try:
        written, text = file.read_text(encoding="utf-8-sig"), read_prompt(file)
    except UnicodeDecodeError as error:
        yield f"{place}: {file} is not UTF-8 text ({error.reason}); save it as UTF-8"
        return
    except OSError as error:
        yield f"{place}: {file} cannot be read: {error.strerror}"
        return
    if not text.strip():
        yield f"{place}: {file} is empty"
        return
    yield from (f"{place}: {file}{fault}" for fault in _placeholder_faults(text, list(known), list(needed)))
    yield from (f"{place}: {file}{fault}" for fault in _version_faults(written))


def _placeholder_faults(text: str, known: list[str], needed: list[str]) -> Iterator[str]:
    """Faults of the placeholders in a prompt: those that are missing, and those that are misspelt."""
    used = list(dict.fromkeys(re.findall(r"\{\s*(\w+)\s*\}", text)))
    all_known = ", ".join(f"{{{name}}}" for name in known)
    missing = [name for name in needed if f"{{{name}}}" not in text]
    for name in missing:
        yield f" has no placeholder {{{name}}}; the placeholders of this prompt are {all_known}"
    for name in used if known else []:
        if f"{{{name}}}" in text and name in known:
            continue
        if near := get_close_matches(name.lower(), known, n=1, cutoff=0.75):
            yield f": {{{name}}} is not filled in; did you mean {{{near[0]}}}?"


def _version_faults(written: str) -> Iterator[str]:
    """A fault of a line that looks like the prompt's version but would be sent as a part of its text."""
    body = written[found.end() :] if (found := VERSION.match(written)) else written
    for line in body.splitlines()[:5]:
        if VERSION_LINE.fullmatch(line):
            yield (
                f": the line {shown(line.strip())} would be a part of the prompt; a version, which the "
                "results name, is the first line, written as `# version: 2`"
            )
