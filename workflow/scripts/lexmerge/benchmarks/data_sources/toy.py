"""Documents made from the toy study's glossary."""

from pathlib import Path

from lexmerge.benchmarks.data_source import DataSource
from lexmerge.benchmarks.rows import Document
from lexmerge.benchmarks.toy import GLOSSARY, MAKERS, documents_of_split
from lexmerge.common.shipped import shipped


def documents(task: str, split: str, path: str | None) -> list[Document]:
    """Make the documents of a split."""
    return documents_of_split(task, split)


def search_documents(task: str, path: str | None) -> tuple[list[Document] | None, str]:
    """Make documents about other words than those of the other splits."""
    return documents_of_split(task, "search"), GLOSSARY


REGISTERED = DataSource(
    documents=documents,
    files=lambda task, split, path: [Path(shipped(GLOSSARY))],
    search_documents=search_documents,
    tasks=lambda: MAKERS,
    test_documents=lambda task: 40,  # an estimate
)
