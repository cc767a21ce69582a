"""The files of SNOMED CT releases in Release Format 2 (RF2), known by their names alone.

File names follow the SNOMED CT Release File Specifications, section 3.3.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

# Each kind of file: pattern of its name, and an example for errors. LANG is the code of the language.
NAME = r"(\w*?)(?:Snapshot|Full|Delta){}_(\w+)_(\d{{8}})\.txt"
LANGUAGE = r"-LANG(?:-[A-Za-z]+)?"
KINDS = {
    "concepts": (r"x?sct2_Concept_" + NAME.format(""), "sct2_Concept_Snapshot_INT_20260101.txt"),
    "descriptions": (
        r"x?sct2_Description_" + NAME.format(LANGUAGE),
        "sct2_Description_Snapshot-LANG_INT_20260101.txt",
    ),
    "language reference sets": (
        r"x?der2_cRefset_Language" + NAME.format(LANGUAGE),
        "der2_cRefset_LanguageSnapshot-LANG_INT_20260101.txt",
    ),
}
FORMS = ("Snapshot", "Full", "Delta")  # each has the newest rows of those after it


@dataclass(frozen=True)
class ReleaseFile:
    """A file of a release.

    Attributes:
        path: Its path in the folder or zip.
        edition: What its name has between form and date, such as `INT`, after its content's name if any.
        date: The release's date, YYYYMMDD.
    """

    path: str
    edition: str
    date: str


def files_of(paths: Iterable[str], kind: str, language: str) -> list[ReleaseFile]:
    """The files of a kind that have to be read, of one release or several.

    Args:
        paths: Paths in a folder or zip.
        kind: A key of `KINDS`.
        language: Code of the language of the descriptions.
    """
    pattern = re.compile(KINDS[kind][0].replace("LANG", language))
    named = {path: match for path in paths if (match := pattern.fullmatch(PurePosixPath(path).name))}
    kept = needed(path for path in named if "__MACOSX" not in path)
    return [ReleaseFile(path, f"{named[path][1]}{named[path][2]}", named[path][3]) for path in kept]


def needed(paths: Iterable[str]) -> list[str]:
    """Leave out the Full and Delta files whose newest rows are in a Snapshot of the same release, sorted."""
    best: dict[str, str] = {}
    for path in paths:
        release = re.sub("|".join(FORMS), "*", path)
        best[release] = min(best.get(release, path), path, key=_form)
    return sorted(best.values())


def _form(path: str) -> int:
    """The position in `FORMS` of the form that a file's name states."""
    name = PurePosixPath(path).name
    return next(number for number, form in enumerate(FORMS) if form in name)


def version_of(files: Iterable[ReleaseFile]) -> str:
    """The date of the release; if there are several, the newest of each edition after its name."""
    dates: dict[str, str] = {}
    for file in files:
        dates[file.edition] = max(file.date, dates.get(file.edition, ""))
    if len(set(dates.values())) == 1:
        return next(iter(dates.values()))
    return ", ".join(f"{edition} {date}" for edition, date in sorted(dates.items()))
