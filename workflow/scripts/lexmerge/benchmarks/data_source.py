"""Where the documents of a benchmark suite's tasks come from: see `data_sources/`, one file each."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexmerge.common.registry import Registry

Document = dict[str, Any]


def _no_files(task: str, split: str, path: str | None) -> list[Path]:
    return []


def _nothing(task: str) -> None:
    return None


def _solved_examples(task: str, path: str | None) -> tuple[None, str]:
    return None, "the solved examples"


def _all_reachable(folders: dict[str, str]) -> list[str]:
    return []


@dataclass(frozen=True)
class DataSource:
    """A source of documents. A task's splits are `test` (what is asked) and `train` (solved examples).

    Attributes:
        about: What the choice means, for the config reference.
        documents: Reads the documents of a task's split, from the task's name, the split and the suite's
            `data.path`. None if the tasks' own definitions bring the documents, which the harness fetches.
        files: The local files that the documents of a split are made from, which may be absent. A change of
            one makes the documents anew.
        identity: What else a task's documents depend on, as plain values: a pinned commit, say.
        search_documents: Documents that a search may be scored on, which the tables never report, from the
            task's name and `data.path`; None for the solved examples. With a text that says where from.
        tasks: The names of the tasks that it has documents of; None if it may have those of any.
        test_documents: How many test documents a task has, or None if that is not known yet.
        check: Stops with a StudyError if the file that was written for a task's split is not the right one.
        unreachable: Why documents that are to be fetched cannot be, a line each, for {task: data.path}.
        takes_path: True if a suite may name a `data.path`.
        needs_path: True if it must.
        default_path: The `data.path` of a suite that names none.
        fetches: True if documents are fetched from elsewhere.
    """

    about: str
    documents: Callable[[str, str, str | None], list[Document]] | None = None
    files: Callable[[str, str, str | None], list[Path]] = _no_files
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
