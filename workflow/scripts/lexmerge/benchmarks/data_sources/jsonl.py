"""Documents in files of the user's, one JSON document a line."""

from pathlib import Path

from lexmerge.benchmarks.data_source import DataSource, Document
from lexmerge.common.errors import StudyError


def file_of(task: str, split: str, path: str | None) -> Path:
    """`<task>.jsonl` for the test split, `<task>.<split>.jsonl` for any other."""
    return Path(path or ".") / (f"{task}.jsonl" if split == "test" else f"{task}.{split}.jsonl")


def files(task: str, split: str, path: str | None) -> list[Path]:
    """The one file of a split."""
    return [file_of(task, split, path)]


def documents(task: str, split: str, path: str | None) -> list[Document]:
    """Read a split; a StudyError names the file that is absent or the line that is no JSON."""
    file = file_of(task, split, path)
    if not file.is_file():
        raise StudyError(f"benchmarks: no {file}; it is to hold one document a line, for {task} to read")
    return _read(file)


def search_documents(task: str, path: str | None) -> tuple[list[Document] | None, str]:
    """Read `<task>.search.jsonl`, or leave a search to the solved examples if there is none."""
    file = file_of(task, "search", path)
    if not file.is_file():
        return None, f"the solved examples, since there is no {file}"
    return _read(file), str(file)


def _read(file: Path) -> list[Document]:
    from lexmerge.common.files import read_jsonl

    try:
        return read_jsonl(file)
    except ValueError as error:
        raise StudyError(f"{file}: a line of it is no JSON: {error}") from None


REGISTERED = DataSource(
    "a folder of yours with one `<task>.jsonl` each, and `<task>.train.jsonl` for solved examples",
    documents=documents,
    files=files,
    search_documents=search_documents,
    takes_path=True,
    needs_path=True,
)
