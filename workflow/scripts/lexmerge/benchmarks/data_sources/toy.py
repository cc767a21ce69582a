"""Documents that are made from the toy study's glossary."""

from pathlib import Path

from lexmerge.benchmarks.data_source import DataSource, Document
from lexmerge.benchmarks.toy import GLOSSARY, MAKERS, documents_of_split


def documents(task: str, split: str, path: str | None) -> list[Document]:
    """Make a split from the glossary."""
    return documents_of_split(task, split)


def search_documents(task: str, path: str | None) -> tuple[list[Document] | None, str]:
    """Make documents about other words than those of the tables."""
    return documents_of_split(task, "search"), GLOSSARY


REGISTERED = DataSource(
    "made from the toy glossary",
    documents=documents,
    files=lambda task, split, path: [Path(GLOSSARY)],
    search_documents=search_documents,
    tasks=lambda: MAKERS,
    test_documents=lambda task: 40,  # about
)
