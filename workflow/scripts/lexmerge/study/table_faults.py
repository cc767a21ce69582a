"""Checks of the user's tables that exist already: their header and first rows, before any job reads them."""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from lexmerge.common.errors import StudyError, nearest
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.merges.recipes import expanded
from lexmerge.study.violations import place_of, shown

MOST_LINES = 20_000  # lines of a table that are read
MOST_LETTERS = 10_000_000  # in a line
MOST_FAULTS = 5  # in the rows of a table, before the others are only counted
SEPARATORS = {",": "commas", ";": "semicolons", "|": "vertical bars"}
NOT_TEXT = {
    b"PK\x03\x04": "a spreadsheet or zip file",
    b"\xd0\xcf\x11\xe0": "an Excel file",
    b"\x1f\x8b": "a gzip file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


class Table(NamedTuple):
    """The beginning of a table.

    Attributes:
        columns: The names in its header.
        rows: Its first rows by the numbers of their lines, each with its cells.
    """

    columns: list[str]
    rows: dict[int, list[str]]

    def cells(self, column: str) -> Iterator[tuple[int, str]]:
        """Yield the line and text of each cell of a column."""
        where = self.columns.index(column)
        return ((line, cells[where]) for line, cells in self.rows.items())


def table_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find tables that exist but cannot be used as the study asks.

    Args:
        config: A config laid over the toy study's, with grids of a bounded size.

    Yields:
        A line for each fault. Tables that do not exist are reported when a run starts, see `readiness`.
    """
    for place, path, needed, check in _tables(config):
        if not path or not Path(path).exists():
            continue
        where = Path(path).absolute()
        try:
            table = read_beginning(str(where), tuple(needed))
        except StudyError as error:
            yield f"{place}: {error}"
            continue
        faults = list(check(table))
        yield from (f"{place}: {where}{fault}" for fault in faults[:MOST_FAULTS])
        if len(faults) > MOST_FAULTS:
            yield f"{place}: {where} has {len(faults) - MOST_FAULTS} more such faults"


def _tables(config: dict[str, Any]) -> Iterator[tuple[str, str | None, list[str], Any]]:
    """The place, the path, the needed columns and a check of the cells of each table that the study uses."""
    vocabulary, translations = config["vocabulary"], config["translations"]
    if "terms" in vocabulary:
        yield "vocabulary.terms", vocabulary["terms"], ["term"], _term_faults
    elif vocabulary["terminology"]["format"] == "tsv":
        yield "vocabulary.terminology.path", vocabulary["terminology"]["path"], ["term"], _empty_faults
    columns = ["term", "translation"]
    if translations["provider"] == "table":
        yield "translations.path", translations["path"], columns, _translation_faults
    yield "translations.overrides", translations.get("overrides"), columns, _override_faults
    definitions = [f"definition_{language}" for language in sorted(config["study"]["languages"].values())]
    for name in config["study"]["judges"]:
        judge = config["judges"].get(name, {})
        if judge.get("provider") in LEXICAL_JUDGES and judge.get("against") == "gold":
            yield place_of(["judges", name, "gold"]), judge["gold"], ["term", *definitions], _empty_faults
    yield "judging.ratings", config.get("judging", {}).get("ratings"), ["id", "score"], _rating_faults
    published, models = config.get("published", {}), _tested(config)
    scores = ["model", "judge_model", "median", "mean", "std"]
    for key, needed in {"definition_scores": scores, "benchmarks": scores[:1]}.items():
        check = _PublishedFaults(tuple(needed[:2]), frozenset(models))
        yield f"published.{key}", published.get(key), needed, check


def _tested(config: dict[str, Any]) -> list[str]:
    """The models and merges under test."""
    study = config["study"]
    merges = {name: config["merges"][name] for name in study["merges"] if name in config["merges"]}
    return [*study["models"], *(point for name, merge in merges.items() for point in expanded(name, merge))]


@cache
def read_beginning(path: str, needed: tuple[str, ...]) -> Table:
    """Read the header and the first rows of a tab-separated table, as `common.files.read_tsv` understands it.

    Args:
        path: The absolute path of the file.
        needed: The columns that it must have.

    Returns:
        The table, with a cell for each column in every row.

    Raises:
        StudyError: It is no such table; the message names the file.
    """
    numbered = _lines(Path(path))
    line, header = next(numbered, (0, ""))
    if not line:
        raise StudyError(f"{path} is empty; it needs a first line with the {_columns(needed)}")
    columns = header.split("\t")
    _check_columns(path, columns, needed)
    rows = {}
    for line, text in numbered:
        cells = text.split("\t")
        if len(cells) > len(columns):
            raise StudyError(f"{path}: line {line} has {len(cells)} cells, but the header has {len(columns)}")
        if lacking := [name for name in needed if columns.index(name) >= len(cells)]:
            raise StudyError(f"{path}: line {line} has only {len(cells)} cells and none for {lacking[0]!r}")
        rows[line] = cells + [""] * (len(columns) - len(cells))
    return Table(columns, rows)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the numbers and texts of a table's first lines, without notes above the header and empty lines.

    Raises:
        StudyError: The file is a folder, or is not UTF-8 text.
    """
    if file.is_dir():
        raise StudyError(f"{file} is a folder; a table is needed")
    try:
        with file.open("rb") as opened:
            first = opened.read(4)
        for start, kind in NOT_TEXT.items():
            if first.startswith(start):
                raise StudyError(f"{file} is {kind}; save the table as tab-separated text (TSV) in UTF-8")
        with file.open(encoding="utf-8-sig") as opened:
            notes = True
            for number, line in enumerate(
                islice(iter(lambda: opened.readline(MOST_LETTERS), ""), MOST_LINES), 1
            ):
                notes = notes and line.startswith("#")
                if "\0" in line:
                    raise StudyError(f"{file}: line {number} has a NUL character; the file is not a table")
                if not notes and line.strip(" \n"):
                    yield number, line.rstrip("\n")
    except UnicodeDecodeError:
        raise StudyError(f"{file} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise StudyError(f"{file} cannot be read: {error.strerror}") from None


def _check_columns(path: str, columns: list[str], needed: Sequence[str]) -> None:
    """Raise a StudyError if the header is separated otherwise, or columns are missing or there twice."""
    missing = [name for name in needed if name not in columns]
    if missing and len(columns) == 1:
        for separator, what in SEPARATORS.items():
            if len(columns[0].split(separator)) > 1:
                name = what.removesuffix("s")
                raise StudyError(
                    f"{path} looks {name}-separated; save it as tab-separated (TSV), without quotes. "
                    f"It needs the {_columns(needed)}"
                )
    if missing and len(columns) == 1 and set(needed) <= set(columns[0].split()):
        raise StudyError(f"{path} has spaces between its columns; separate them by tabs")
    if missing and any(name.startswith('"') and name.endswith('"') for name in columns):
        raise StudyError(
            f"{path} has quotes around its cells; save it without quotes, which a TSV does not have"
        )
    if missing:
        raise StudyError(f"{path} has no column {missing[0]!r}; {_hint(missing[0], columns)}")
    if twice := next((name for name in columns if name and columns.count(name) > 1), None):
        raise StudyError(f"{path} has the column {twice!r} more than once; rename or remove one of them")


def _columns(names: Sequence[str]) -> str:
    """Names of columns with the noun before them."""
    return f"{'columns' if names[1:] else 'column'} {', '.join(names)}"


def _hint(name: str, columns: list[str]) -> str:
    """The columns that a table has, and the nearest one."""
    return nearest(name, [shown(c)[1:-1] for c in columns if c]).replace("allowed:", "its columns are")


def lookup_key(term: str) -> str:
    """A term as tables of terms and translations compare it: NFC, stripped, lower case."""
    return unicodedata.normalize("NFC", term).strip().lower()


def _empty_faults(table: Table) -> Iterator[str]:
    """A fault of a table without rows."""
    if not table.rows:
        yield " has no rows below its header"


def _term_faults(table: Table) -> Iterator[str]:
    """Faults of a list of terms: none, empty ones, or one twice."""
    yield from _empty_faults(table)
    known: dict[str, int] = {}
    for line, cell in table.cells("term"):
        term = lookup_key(cell)
        if not term:
            yield f": line {line} has no term"
        elif (other := known.setdefault(term, line)) != line:
            yield f": {shown(cell.strip())} is in lines {other} and {line}; remove one of them"


def _override_faults(table: Table) -> Iterator[str]:
    """Faults of translations: terms with two different ones."""
    known: dict[str, tuple[int, str]] = {}
    for (line, term), (_, cell) in zip(table.cells("term"), table.cells("translation"), strict=True):
        text = cell.strip()
        if not text:
            continue
        other, before = known.setdefault(lookup_key(term), (line, text))
        if before != text:
            yield f": {shown(term.strip())} has two translations, in lines {other} and {line}; keep one"


def _translation_faults(table: Table) -> Iterator[str]:
    """Faults of the only table of translations."""
    yield from _empty_faults(table)
    yield from _override_faults(table)


def _rating_faults(table: Table) -> Iterator[str]:
    """Faults of scores that people gave."""
    yield from _empty_faults(table)
    for line, cell in table.cells("score"):
        if cell.strip() and not 0 <= _number(cell, otherwise=-1.0) <= 10:
            yield f": line {line}: {shown(cell.strip())} is not a score from 0 to 10"


class _PublishedFaults(NamedTuple):
    """Check of a published table: its cells, and whether one of its models is under test."""

    words: tuple[str, ...]
    models: frozenset[str]

    def __call__(self, table: Table) -> Iterator[str]:
        for column in (name for name in table.columns if name and name not in self.words):
            for line, cell in table.cells(column):
                if cell and _number(cell, otherwise=None) is None:
                    yield f": line {line}: {shown(cell)} in the column {column!r} is not a number"
        if not self.models & {cell for _, cell in table.cells("model")}:
            known = ", ".join(sorted(self.models)[:20])
            yield f": none of its models is in the study, whose models are {known}"


def _number(text: str, otherwise: Any) -> Any:
    """The number that a cell holds, or another value."""
    try:
        return float(text)
    except ValueError:
        return otherwise
