"""SNOMED CT releases in Release Format 2 (RF2), read from a folder or directly from the zip.

File names and columns follow the SNOMED CT Release File Specifications, sections 3.3, 4.2 and 5.2.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import pandas as pd

from lexmerge.common.errors import StudyError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FULLY_SPECIFIED, SYNONYM = "900000000000003001", "900000000000013009"
REFSETS = {"us": "900000000000509007", "gb": "900000000000508004"}
PREFERRED = "900000000000548007"
# Each kind of file: pattern of its name, and an example for errors. LANG is the code of the language.
FILES = {
    "concepts": (r"x?sct2_Concept_\w*Snapshot_\w+_(\d{8})\.txt", "sct2_Concept_Snapshot_INT_20260101.txt"),
    "descriptions": (
        r"x?sct2_Description_\w*Snapshot-LANG(?:-[A-Za-z]+)?_\w+_(\d{8})\.txt",
        "sct2_Description_Snapshot-LANG_INT_20260101.txt",
    ),
    "language reference sets": (
        r"x?der2_cRefset_Language\w*Snapshot-LANG(?:-[A-Za-z]+)?_\w+_(\d{8})\.txt",
        "der2_cRefset_LanguageSnapshot-LANG_INT_20260101.txt",
    ),
}
CHUNK = 200_000  # lines read at a time, to limit memory
LARGEST, DENSEST = 16 * 2**30, 100  # maximum bytes of a file in a zip, and maximum compression ratio


def split_semantic_tag(name: str) -> tuple[str, str]:
    """Split a fully specified name such as `Nephritis (disorder)` into name and tag (`""` if it has none)."""
    match = re.fullmatch(r"(.*\S)\s+\(([^()]+)\)", name.strip())
    return (match[1], match[2]) if match else (name.strip(), "")


class Release:
    """A release in a folder or a zip.

    Args:
        path: The folder or zip.
        language: Code of the language of the descriptions.

    Raises:
        StudyError: If the path is neither a folder nor a valid zip.
    """

    def __init__(self, path: str | Path, language: str):
        self.path, self.language = Path(path), language
        self.zip = None if self.path.is_dir() else _open_zip(self.path)
        self.members = sorted(self.zip.namelist() if self.zip else _files_below(self.path))

    def find(self, kind: str) -> tuple[str, str]:
        """Find the file of a kind.

        Args:
            kind: A key of `FILES`.

        Returns:
            Its path in the release, and its date (YYYYMMDD).

        Raises:
            StudyError: If there is no such file, or more than one.
        """
        pattern, example = (text.replace("LANG", self.language) for text in FILES[kind])
        named = [(m, re.fullmatch(pattern, PurePosixPath(m).name)) for m in self.members]
        found = [(member, match[1]) for member, match in named if match and "__MACOSX" not in member]
        if not found:
            raise StudyError(
                f"{self.path.absolute()}: the release has no {kind} (a file such as {example}); give the "
                "path of a complete RF2 release with Snapshot files"
            )
        if len(found) > 1:
            several = ", ".join(member for member, _ in found)
            raise StudyError(
                f"{self.path.absolute()}: several files of {kind}: {several}; give the path of a single "
                "release"
            )
        return found[0]

    @contextmanager
    def open(self, member: str) -> Iterator[IO[bytes]]:
        """Open a file for reading bytes; `zipfile` enforces the stated size and the CRC of a member."""
        try:
            with self.zip.open(member) if self.zip else (self.path / member).open("rb") as file:
                yield file
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise StudyError(
                f"{self.path.absolute()}: {member} is damaged ({error}); get the release again"
            ) from None
        except (NotImplementedError, RuntimeError) as error:  # unsupported compression, or a password
            raise StudyError(
                f"{self.path.absolute()}: {member} cannot be unpacked ({error}); unpack it by hand"
            ) from None


def read_names(release: Release, kinds: list[str], refset: str | None) -> tuple[pd.DataFrame, list[str]]:
    """Read the active names of active concepts.

    Args:
        release: The release.
        kinds: Any of `fully_specified`, `preferred` and `synonyms`.
        refset: Language reference set (`us`, `gb` or an SCTID) whose accepted names are read; None for all.

    Returns:
        Names with the columns `name, semantic_tag, concept_id`, and remarks on the release. The tag of a
        synonym is that of its concept's fully specified name.

    Raises:
        StudyError: If a file is missing or damaged, or no name is left.
    """
    (concepts, date), (descriptions, other) = release.find("concepts"), release.find("descriptions")
    if date != other:
        raise StudyError(
            f"{release.path.absolute()}: {concepts} and {descriptions} are from different releases; give the "
            "path of a single release"
        )
    active = _active_concepts(release, concepts)
    accepted = _accepted(release, REFSETS.get(refset, refset)) if refset else None
    names = pd.concat(_active_names(release, descriptions, active, kinds != ["fully_specified"]))
    if names.empty:
        raise StudyError(
            f"{release.path.absolute()}: no active concept of {concepts} has an active name in "
            f"{descriptions}; give the path of a release in which the two belong together"
        )
    full = names[names.typeId == FULLY_SPECIFIED]
    split = [split_semantic_tag(term) for term in full.term]
    tags = dict(zip(full.conceptId, (tag for _, tag in split), strict=True))
    bare = dict(zip(full.id, (name for name, _ in split), strict=True))
    if accepted is not None:
        names = names[[number in accepted for number in names.id]]
        if names.empty:
            raise StudyError(
                f"{release.path.absolute()}: the language reference set {refset} accepts no name of the "
                "release; set another `language_refset`"
            )
    names = names[_of_kind(names, kinds, accepted or {})]
    rows = {
        "name": [bare.get(number, term) for number, term in zip(names.id, names.term, strict=True)],
        "semantic_tag": [tags.get(concept, "") for concept in names.conceptId],
        "concept_id": names.conceptId.to_list(),
    }
    nameless = len(active) - len(tags)
    remarks = [f"active concepts without an active fully specified name: {nameless}"] if nameless else []
    return pd.DataFrame(rows, dtype=object), remarks


def _of_kind(names: pd.DataFrame, kinds: list[str], accepted: dict[str, str]) -> pd.Series:
    """Mask of the rows of these kinds; a preferred term is a synonym that the reference set prefers."""
    kept = pd.Series(False, index=names.index)
    if "fully_specified" in kinds:
        kept |= names.typeId == FULLY_SPECIFIED
    if "synonyms" in kinds:
        kept |= names.typeId == SYNONYM
    if "preferred" in kinds:
        kept |= (names.typeId == SYNONYM) & (names.id.map(accepted) == PREFERRED)
    return kept


def _active_concepts(release: Release, member: str) -> set[str]:
    """Ids of the active concepts."""
    active: set[str] = set()
    for rows in _rows(release, member, ["id", "active"]):
        active.update(rows.id[rows.active == "1"])
    if not active:
        raise StudyError(f"{release.path.absolute()}: {member} has no active concept; get the release again")
    return active


def _active_names(release: Release, member: str, concepts: set[str], synonyms: bool) -> list[pd.DataFrame]:
    """Active fully specified names, and with `synonyms` also synonyms, of these concepts, in chunks."""
    types = [FULLY_SPECIFIED, SYNONYM] if synonyms else [FULLY_SPECIFIED]
    found = []
    for rows in _rows(release, member, ["id", "active", "conceptId", "typeId", "term"]):
        rows = rows[(rows.active == "1") & rows.typeId.isin(types)]
        found.append(rows[[concept in concepts for concept in rows.conceptId]])
    return found


def _accepted(release: Release, refset: str) -> dict[str, str]:
    """Acceptability by id of the names that a language reference set accepts."""
    member, _ = release.find("language reference sets")
    needed = ["active", "refsetId", "referencedComponentId", "acceptabilityId"]
    accepted: dict[str, str] = {}
    for rows in _rows(release, member, needed):
        rows = rows[(rows.active == "1") & (rows.refsetId == refset)]
        accepted.update(zip(rows.referencedComponentId, rows.acceptabilityId, strict=True))
    if not accepted:
        raise StudyError(
            f"{release.path.absolute()}: {member} has no language reference set {refset}; set another "
            "`language_refset`"
        )
    return accepted


def _rows(release: Release, member: str, needed: list[str]) -> Iterator[pd.DataFrame]:
    """Yield the needed columns in chunks; a StudyError if the file is damaged or incomplete."""
    place = f"{release.path.absolute()}: {member}"
    with release.open(member) as file:
        tail = _Tail(file)
        header = tail.readline().decode("utf-8-sig", "replace").rstrip("\r\n").split("\t")
        if len(set(header)) < len(header):
            raise StudyError(
                f"{place} is not an RF2 file: its header repeats a column. Check its line ends, or get the "
                "release again"
            )
        if missing := [column for column in needed if column not in header]:
            raise StudyError(f"{place} has no column {', '.join(missing)}; it has {', '.join(header)}")
        last = header[-1]
        seen = 1
        try:
            chunks = pd.read_csv(
                io.BufferedReader(tail),
                sep="\t",
                names=header,
                dtype=str,
                quoting=csv.QUOTE_NONE,
                keep_default_na=False,
                encoding="utf-8",
                chunksize=CHUNK,
            )
            for rows in chunks:
                short = (rows[last] == "").to_numpy()
                if short.any():
                    line = seen + 1 + int(short.argmax())
                    raise StudyError(
                        f"{place} has fewer than {len(header)} columns in line {line}; it may be truncated. "
                        "Get the release again"
                    )
                if not isinstance(rows.index, pd.RangeIndex):  # pandas uses a surplus cell as index
                    raise StudyError(
                        f"{place} has more than {len(header)} columns in line {seen + 1}; get the release "
                        "again"
                    )
                seen += len(rows)
                yield rows[needed]
        except UnicodeDecodeError as error:
            raise StudyError(
                f"{place} is not UTF-8 ({error.reason}), which RF2 requires; get the release again"
            ) from None
        except pd.errors.ParserError as error:
            raise StudyError(
                f"{place} is not a table with {len(header)} columns ({str(error).strip()}); "
                "get the release again"
            ) from None
        if seen == 1:
            raise StudyError(f"{place} has no rows; it may be truncated. Get the release again")
        if tail.last != b"\n":
            raise StudyError(f"{place} ends in the middle of a line; it is truncated. Get the release again")


class _Tail(io.RawIOBase):
    """A stream that remembers the last byte read, which shows whether the last line is complete."""

    def __init__(self, stream: IO[bytes]):
        self.stream, self.last = stream, b"\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self.stream.read(len(view))
        self.last = data[-1:] or self.last
        view[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1) -> bytes:
        return self.stream.readline(-1 if size is None else size)


def _open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip, unless a member has an unsafe path or an implausible size."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise StudyError(
            f"{path.absolute()} is neither a folder nor a readable zip ({error}); get the release again"
        ) from None
    for member in archive.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or re.match("[A-Za-z]:", member.filename):
            raise StudyError(
                f"{path.absolute()} is not a release: its member {member.filename!r} lies outside of the "
                "archive"
            )
        dense = member.file_size > DENSEST * max(member.compress_size, 1) and member.file_size > 2**20
        if dense or member.file_size > LARGEST:
            raise StudyError(
                f"{path.absolute()} is not a release: {member.filename} would unpack from "
                f"{member.compress_size:,} to {member.file_size:,} bytes"
            )
    return archive


def _files_below(folder: Path) -> list[str]:
    """Relative paths of the .txt files below a folder."""
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*.txt") if file.is_file()]
