"""Your own files, with one JSON document per line."""

from pathlib import Path

from lexmerge.benchmarks.data_source import DataSource
from lexmerge.benchmarks.rows import Document
from lexmerge.common.errors import StudyError


def file_of(task: str, split: str, path: str | None) -> Path:
    """Name the file of a split: `<task>.jsonl` for `test`, `<task>.<split>.jsonl` for any other."""
    return Path(path or ".") / (f"{task}.jsonl" if split == "test" else f"{task}.{split}.jsonl")


def files(task: str, split: str, path: str | None) -> list[Path]:
    """List the file of a split."""
    return [file_of(task, split, path)]


def documents(task: str, split: str, path: str | None) -> list[Document]:
    """Read a split; raises a StudyError if the file is missing or is not JSONL."""
    file = file_of(task, split, path)
    if not file.is_file():
        raise StudyError(
            f"benchmarks: {file.absolute()} is missing; {task} needs this file, with one JSON document per "
            "line"
        )
    return _read(file)


def search_documents(task: str, path: str | None) -> tuple[list[Document] | None, str]:
    """Read `<task>.search.jsonl`; None, for the solved examples, if there is no such file."""
    file = file_of(task, "search", path)
    if not file.is_file():
        return None, f"the solved examples, since there is no {file}"
    return _read(file), str(file)


def _read(file: Path) -> list[Document]:
    """Read JSONL; raises a StudyError for a line that is not JSON."""
    from lexmerge.common.files import read_jsonl

    try:
        return read_jsonl(file)
    except ValueError as error:
        raise StudyError(
            f"benchmarks: {file.absolute()} has a line that is not JSON ({error}); write one JSON document "
            "per line"
        ) from None


REGISTERED = DataSource(
    documents=documents,
    files=files,
    search_documents=search_documents,
    takes_path=True,
    needs_path=True,
)
