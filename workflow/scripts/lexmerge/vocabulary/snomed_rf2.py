"""SNOMED CT releases in Release Format 2 (RF2), read from a folder or directly from the zip.

Columns follow the SNOMED CT Release File Specifications, sections 4.2 and 5.2. One or several releases may
have many rows of one id. The newest one counts, by `effectiveTime`, in whichever file it is; only then is it
asked whether it is active.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import pandas as pd

from lexmerge.common.errors import StudyError
from lexmerge.vocabulary.rf2_files import KINDS, ReleaseFile, files_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FULLY_SPECIFIED, SYNONYM = "900000000000003001", "900000000000013009"
REFSETS = {"us": "900000000000509007", "gb": "900000000000508004"}
PREFERRED = "900000000000548007"
NONE = 0  # instead of an SCTID
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

    def files(self, kind: str) -> list[ReleaseFile]:
        """Find the files of a kind.

        Args:
            kind: A key of `KINDS`.

        Raises:
            StudyError: If there is no such file.
        """
        found = files_of(self.members, kind, self.language)
        if not found:
            example = KINDS[kind][1].replace("LANG", self.language)
            raise StudyError(
                f"{self.path.absolute()}: the release has no {kind} (a file such as {example}); give the "
                "path of a complete RF2 release"
            )
        return found

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
    concepts, descriptions = release.files("concepts"), release.files("descriptions")
    _same_release(release, concepts, descriptions)
    active = _active_concepts(release)
    accepted = _accepted(release, REFSETS.get(refset, refset)) if refset else None
    names = _active_names(release, active, kinds != ["fully_specified"])
    if names.empty:
        raise StudyError(
            f"{release.path.absolute()}: no active concept of {_listed(concepts)} has an active name in "
            f"{_listed(descriptions)}; give the path of a release in which the two belong together"
        )
    full = names[names.full].sort_values(["time", "id"])
    split = [split_semantic_tag(term) for term in full.term]
    tags = dict(zip(full.conceptId, (tag for _, tag in split), strict=True))
    bare = dict(zip(full.id, (name for name, _ in split), strict=True))
    if accepted is not None:
        names = names[names.id.isin(list(accepted))]
        if names.empty:
            raise StudyError(
                f"{release.path.absolute()}: the language reference set {refset} accepts no name of the "
                "release; set another `language_refset`"
            )
    names = names[_of_kind(names, kinds, accepted or {})]
    rows = {
        "name": [bare.get(number, term) for number, term in zip(names.id, names.term, strict=True)],
        "semantic_tag": [tags.get(concept, "") for concept in names.conceptId],
        "concept_id": [str(concept) for concept in names.conceptId],
    }
    nameless = len(active) - len(tags)
    remarks = [f"active concepts without an active fully specified name: {nameless}"] if nameless else []
    return pd.DataFrame(rows, dtype=object), remarks


def _of_kind(names: pd.DataFrame, kinds: list[str], accepted: dict[int, str]) -> pd.Series:
    """Mask of the rows of these kinds; a preferred term is a synonym that the reference set prefers."""
    kept = pd.Series(False, index=names.index)
    if "fully_specified" in kinds:
        kept |= names.full
    if "synonyms" in kinds:
        kept |= ~names.full
    if "preferred" in kinds:
        kept |= ~names.full & (names.id.map(accepted) == PREFERRED)
    return kept


def _same_release(release: Release, concepts: list[ReleaseFile], descriptions: list[ReleaseFile]) -> None:
    """Raise a StudyError if the newest files of an edition's concepts and descriptions differ in date."""
    newest = [
        {f.edition: f for f in sorted(files, key=lambda f: f.date)} for files in (concepts, descriptions)
    ]
    for edition in newest[0].keys() & newest[1].keys():
        concept, description = (files[edition] for files in newest)
        if concept.date != description.date:
            raise StudyError(
                f"{release.path.absolute()}: {concept.path} and {description.path} are from different "
                "releases; give the path of complete releases, with both files of each"
            )


def _active_concepts(release: Release) -> pd.Series:
    """Ids of the active concepts."""
    parts = (
        pd.DataFrame({"id": _sctids(rows, "id", place), "time": _times(rows, place), "active": _active(rows)})
        for place, rows in _rows_of(release, "concepts", [])
    )
    concepts = _newest(release, "concepts", parts)
    if not concepts.active.any():
        raise StudyError(
            f"{release.path.absolute()}: {_listed(release.files('concepts'))} has no active concept; get the "
            "release again"
        )
    return concepts.id[concepts.active]


def _active_names(release: Release, concepts: pd.Series, synonyms: bool) -> pd.DataFrame:
    """Active fully specified names, and with `synonyms` also synonyms, of these concepts, sorted by id.

    Returns:
        The columns `id, time, conceptId, full, term`.
    """
    types = [FULLY_SPECIFIED, SYNONYM] if synonyms else [FULLY_SPECIFIED]

    def parts() -> Iterator[pd.DataFrame]:
        for place, rows in _rows_of(release, "descriptions", ["conceptId", "typeId", "term"]):
            concept = _sctids(rows, "conceptId", place)
            # A row that gives no name still hides the older rows of its id; its content takes no memory.
            named = _active(rows) & rows.typeId.isin(types) & concept.isin(concepts)
            yield pd.DataFrame(
                {
                    "id": _sctids(rows, "id", place),
                    "time": _times(rows, place),
                    "conceptId": concept.where(named, NONE),
                    "full": named & (rows.typeId == FULLY_SPECIFIED),
                    "term": rows.term.where(named, ""),
                }
            )

    found = _newest(release, "descriptions", parts())
    return found[found.conceptId != NONE].sort_values("id")


def _accepted(release: Release, refset: str) -> dict[int, str]:
    """Acceptability by id of the names that a language reference set accepts.

    Of several members for one name the newest counts, or of two equally new ones the one that prefers it.
    """
    kind = "language reference sets"

    def parts() -> Iterator[pd.DataFrame]:
        needed = ["refsetId", "referencedComponentId", "acceptabilityId"]
        for place, found in _rows_of(release, kind, needed):
            rows = found[found.refsetId == refset]
            active = _active(rows)
            yield pd.DataFrame(
                {
                    "id": rows.id,
                    "time": _times(rows, place),
                    "name": _sctids(rows, "referencedComponentId", place).where(active, NONE),
                    "acceptability": rows.acceptabilityId.where(active, ""),
                }
            )

    members = _newest(release, kind, parts())
    members = members[members.name != NONE]
    if members.empty:
        raise StudyError(
            f"{release.path.absolute()}: {_listed(release.files(kind))} has no language reference set "
            f"{refset}; set another `language_refset`"
        )
    members = members.assign(preferred=members.acceptability == PREFERRED).sort_values(["time", "preferred"])
    return dict(zip(members.name.to_list(), members.acceptability, strict=True))


def _newest(release: Release, kind: str, parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The newest row of each id, whatever the order of the rows.

    Args:
        release: The release, for messages.
        kind: A key of `KINDS`, for messages.
        parts: Rows with the columns `id` and `time` and those that are read.

    Raises:
        StudyError: If the newest rows of an id are equally old and differ.
    """
    waiting: list[pd.DataFrame] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting[1:])) > len(waiting[0]):  # at least half are new, so that few rows are moved
            waiting = [_without_older(pd.concat(waiting, ignore_index=True))]
    found = _without_older(pd.concat(waiting, ignore_index=True))
    if (twice := found.id.duplicated()).any():
        first = found[twice].sort_values("id").iloc[0]
        raise StudyError(
            f"{release.path.absolute()}: {_listed(release.files(kind))}: id {first.id} has different rows of "
            f"the same effectiveTime {str(first.time)[:8]}, so that none is the newest; remove the file that "
            "is wrong, or get the release again"
        )
    return found


def _without_older(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out rows that are older than another of their id, or equal to it."""
    several = rows.id.duplicated(keep=False)
    if not several.any():
        return rows
    versions = rows[several]
    newest = versions[versions.time == versions.groupby("id").time.transform("max")].drop_duplicates()
    return pd.concat([rows[~several], newest], ignore_index=True)


def _active(rows: pd.DataFrame) -> pd.Series:
    """Mask of the active rows."""
    return rows.active == "1"


def _sctids(rows: pd.DataFrame, column: str, place: str) -> pd.Series:
    """The SNOMED CT identifiers of a column, as numbers."""
    try:
        return rows[column].astype("int64")
    except (ValueError, OverflowError):
        wrong = next((text for text in rows[column] if not re.fullmatch(r"\d{1,18}", text)), "")
        raise StudyError(
            f"{place}: {column} {wrong!r} is not an SCTID, a number of up to 18 digits; get the release again"
        ) from None


def _times(rows: pd.DataFrame, place: str) -> pd.Series:
    """The times of rows as numbers that grow with time: year, month, day, hour, minute and second."""
    codes, texts = pd.factorize(rows.effectiveTime)
    matches = {text: re.fullmatch(r"(\d{8})(?:T(\d{6})Z?)?", text) for text in texts}
    if wrong := [text for text, match in matches.items() if match is None]:
        raise StudyError(
            f"{place}: effectiveTime {wrong[0]!r} is not a date such as 20260131, so that it is not known "
            "which row is the newest; take a published release"
        )
    numbers = [int(match[1]) * 10**6 + int(match[2] or 0) for match in matches.values() if match]
    return pd.Series(numbers, dtype="int64").take(codes).set_axis(rows.index)


def _listed(files: list[ReleaseFile]) -> str:
    """The paths of files, separated by commas."""
    return ", ".join(file.path for file in files)


def _rows_of(release: Release, kind: str, more: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of all files of a kind in chunks, each with its file for messages.

    Args:
        release: The release.
        kind: A key of `KINDS`.
        more: The needed columns besides `id`, `effectiveTime` and `active`.

    Raises:
        StudyError: If a file is damaged or incomplete, or none has rows, as a Delta may have none.
    """
    empty = True
    files = release.files(kind)
    for file in files:
        for rows in _rows(release, file.path, ["id", "effectiveTime", "active", *more]):
            yield f"{release.path.absolute()}: {file.path}", rows
            empty = False
    if empty:
        raise StudyError(
            f"{release.path.absolute()}: {_listed(files)} has no rows; it may be truncated. Get the release "
            "again"
        )


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
                if len(rows):
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
        line = self.stream.readline(-1 if size is None else size)
        self.last = line[-1:] or self.last
        return line


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
