"""Interface of terminology formats; each file in `terminologies/` registers one."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexmerge.common.errors import StudyError
from lexmerge.common.registry import Registry

if TYPE_CHECKING:  # Snakemake reads this at every start
    import pandas as pd


@dataclass(frozen=True)
class Terminology:
    """The names of a terminology and their source.

    Attributes:
        names: A row for each name: the strings `name, semantic_tag, concept_id`; unknown values are empty.
        title: Title of the terminology.
        version: Its version, or `not stated`.
        files: A line for each file that was read, with its SHA-256; see `file_hashes`.
        remarks: Other notes for readers, one line each.
    """

    names: "pd.DataFrame"
    title: str
    version: str
    files: list[str]
    remarks: list[str] = field(default_factory=list)

    def notes(self, path: str) -> list[str]:
        """Lines of notes for the funnel table: title, version, path, hashes and remarks."""
        return [f"terminology: {self.title}, version {self.version}, {path}", *self.files, *self.remarks]


def all_files(path: Path) -> list[Path]:
    """The file at a path, or all files below it if it is a folder; empty if it does not exist."""
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


@dataclass(frozen=True)
class TerminologyFormat:
    """A format of terminologies.

    Attributes:
        read: Reads a terminology, given its path, the settings (`vocabulary.terminology` in the config) and
            the code of the source language. Raises a StudyError that names the file.
        files: Lists the files that `read` reads, given the path; the terms are chosen again if one changes.
        kinds: The kinds of names that it has, of those that `names` in the config may list.
        has_language_refset: True if names can be restricted to a language reference set.
    """

    read: Callable[[Path, dict[str, Any], str], Terminology]
    files: Callable[[Path], list[Path]] = all_files
    kinds: tuple[str, ...] = ("fully_specified", "preferred", "synonyms")
    has_language_refset: bool = False


TERMINOLOGY_FORMATS: Registry[TerminologyFormat] = Registry(
    "lexmerge.vocabulary.terminologies", TerminologyFormat
)


def read_terminology(settings: dict[str, Any], language: str) -> Terminology:
    """Read the terminology named in the config.

    Args:
        settings: `vocabulary.terminology` in the config.
        language: Code of the source language.

    Returns:
        The terminology, with names in Unicode normal form NFC.

    Raises:
        StudyError: If the path does not exist, or is not in the format.
    """
    source = Path(settings["path"])
    if not source.exists():
        raise StudyError(f"vocabulary.terminology.path: {source.absolute()} does not exist")
    found = TERMINOLOGY_FORMATS[settings["format"]].read(source, settings, language)
    found.names["name"] = [unicodedata.normalize("NFC", name) for name in found.names.name]
    return found


def file_hashes(files: list[Path]) -> list[str]:
    """A line for each file with its SHA-256, for the notes of the funnel table."""
    from lexmerge.common.files import sha256

    return [f"sha256 {sha256(file)} {file}" for file in files]
