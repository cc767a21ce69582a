"""The sources of benchmark documents: see `data_sources/`, one file for each."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexmerge.benchmarks.rows import Document
from lexmerge.common.registry import Registry


def no_files(task: str, split: str, path: str | None) -> list[Path]:
    """No files, for documents that cannot change."""
    return []


def _all_files(task: str, split: str, path: str | None) -> list[Path]:
    """All files below the suite's `data.path`, if it has one."""
    return sorted(file for file in Path(path).rglob("*") if file.is_file()) if path else []


def _nothing(task: str) -> None:
    return None


def _solved_examples(task: str, path: str | None) -> tuple[None, str]:
    return None, "the solved examples"


def _all_reachable(folders: dict[str, str]) -> list[str]:
    return []


@dataclass(frozen=True)
class DataSource:
    """A source of documents. A task has the splits `test`, the questions, and `train`, the solved examples.

    Attributes:
        documents: Reads the documents of a split. Takes the task's name, the split and the suite's
            `data.path`. None if the tasks' own definitions name the documents, which the harness fetches.
        files: Lists the local files that a split is made from, present or not; takes the same arguments. A
            change in one of them remakes the documents.
        identity: Returns anything else that a task's documents depend on as plain values, such as a pinned
            commit. Takes the task's name.
        search_documents: Reads the documents that a search may be scored on, which the tables never report.
            Takes the task's name and `data.path`. Returns the documents, or None to use the solved examples,
            and a description of their origin.
        tasks: Lists the tasks that the source has documents for; None if it is not limited to certain tasks.
        test_documents: Returns the number of a task's test documents, or None if it is not known yet.
        check: Raises a StudyError if the file written for a split is not as expected. Takes the task's name,
            the split and the file.
        unreachable: Lists, one line for each, the reasons why documents cannot be fetched. Takes `data.path`
            by task.
        takes_path: True if a suite may set `data.path`.
        needs_path: True if a suite must set it.
        default_path: The `data.path` of a suite that does not set it.
        fetches: True if the documents are fetched over the network.
    """

    documents: Callable[[str, str, str | None], list[Document]] | None = None
    files: Callable[[str, str, str | None], list[Path]] = _all_files
    identity: Callable[[str], Any] = _nothing
    search_documents: Callable[[str, str | None], tuple[list[Document] | None, str]] = _solved_examples
    tasks: Callable[[], Collection[str]] | None = None
    test_documents: Callable[[str], int | None] = _nothing
    check: Callable[[str, str, str], None] | None = None
    unreachable: Callable[[dict[str, str]], list[str]] = _all_reachable
    takes_path: bool = False
    needs_path: bool = False
    default_path: str | None = None
    fetches: bool = False


DATA_SOURCES: Registry[DataSource] = Registry("lexmerge.benchmarks.data_sources", DataSource)
