"""Terminologies: the names that terms are chosen from. See `terminologies/`, one file a format."""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexmerge.common.errors import StudyError
from lexmerge.common.registry import Registry

if TYPE_CHECKING:  # Snakemake reads this at every start
    import pandas as pd


@dataclass(frozen=True)
class Terminology:
    """The names of a terminology and where they are from.

    Attributes:
        names: A row a name, all strings: `name, semantic_tag, concept_id`; unknown ones are empty.
        title: The terminology's title.
        version: Its version, or `not stated`.
        files: A line for each file that was read, with its SHA-256; see `file_hashes`.
        remarks: What else a reader must know, a line each.
    """

    names: "pd.DataFrame"
    title: str
    version: str
    files: list[str]
    remarks: list[str] = field(default_factory=list)

    def notes(self, path: str) -> list[str]:
        """The lines above the funnel: title, version, path, hashes and remarks."""
        return [f"terminology: {self.title}, version {self.version}, {path}", *self.files, *self.remarks]


def whole_file(path: Path) -> list[Path]:
    """The files of a terminology that is one file: that file, or none if it is absent."""
    return [path] if path.is_file() else []


def no_faults(settings: dict[str, Any]) -> Iterable[str]:
    """No faults, for formats that take all settings."""
    return []


@dataclass(frozen=True)
class TerminologyFormat:
    """A format of terminologies.

    Attributes:
        about: What the choice means, for the config reference.
        read: Reads a terminology from its path, `vocabulary.terminology` in the config, and the code of the
            source language. Raises a StudyError that names the file.
        files: The files that `read` reads, from the path; a change of any of them chooses the terms anew.
        faults: Settings that the format does not have, each as `<key>: <fault>`.
        has_language_refset: True if names can be restricted to a language reference set.
    """

    about: str
    read: Callable[[Path, dict[str, Any], str], Terminology]
    files: Callable[[Path], list[Path]] = whole_file
    faults: Callable[[dict[str, Any]], Iterable[str]] = no_faults
    has_language_refset: bool = False


TERMINOLOGY_FORMATS: Registry[TerminologyFormat] = Registry(
    "lexmerge.vocabulary.terminologies", TerminologyFormat
)


def read_terminology(settings: dict[str, Any], language: str) -> Terminology:
    """Read the terminology that the config names.

    Args:
        settings: `vocabulary.terminology` in the config.
        language: The code of the source language.

    Returns:
        The terminology, its names in Unicode's normal form NFC.

    Raises:
        StudyError: If there is nothing at the path, or it is not in the format.
    """
    source = Path(settings["path"])
    if not source.exists():
        raise StudyError(f"vocabulary.terminology.path: there is nothing at {source}")
    found = TERMINOLOGY_FORMATS[settings["format"]].read(source, settings, language)
    found.names["name"] = [unicodedata.normalize("NFC", name) for name in found.names.name]
    return found


def file_hashes(files: list[Path]) -> list[str]:
    """A line for each file with its SHA-256, for the notes above the funnel."""
    from lexmerge.common.files import sha256

    return [f"sha256 {sha256(file)} {file}" for file in files]
