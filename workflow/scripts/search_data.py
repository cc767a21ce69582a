"""Choose the documents of a task that a search is scored on, without those that the tables report."""

import json
import random
from collections.abc import Iterable

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.documents import checked, fields_of
from lexmerge.benchmarks.rows import Document
from lexmerge.benchmarks.tasks import read_task, shots
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, write_jsonl
from lexmerge.run.job import job


def chosen(
    documents: list[Document], reported: list[Document], count: int, seed: int, fields: set[str]
) -> list[Document]:
    """Draw documents at random, without those that are reported.

    Args:
        documents: The documents to draw from.
        reported: The documents that the tables report.
        count: The number of documents to draw.
        seed: The seed of the draw; of two counts, the smaller draws a subset of the larger.
        fields: The fields by which documents are compared; empty for all fields.

    Returns:
        The drawn documents, in their original order.

    Raises:
        StudyError: There are fewer than `count` such documents.
    """
    taken = {_text(document, fields) for document in reported}
    free = [document for document in documents if _text(document, fields) not in taken]
    if len(free) < count:
        raise StudyError(
            f"only {len(free)} documents are not in the tables, fewer than {count}; lower "
            "`search.documents`, provide more documents, or leave the task out of the objective"
        )
    order = random.Random(seed).sample(range(len(free)), len(free))
    return [free[k] for k in sorted(order[:count])]


def _text(document: Document, fields: set[str]) -> str:
    """Serialise the fields by which documents are compared."""
    return json.dumps({k: v for k, v in document.items() if not fields or k in fields}, sort_keys=True)


def split(
    documents: list[Document],
    reported: list[Document],
    solved: list[Document],
    count: int,
    seed: int,
    fields: Iterable[str] = (),
) -> tuple[list[Document], list[Document]]:
    """Split documents into those to search on and the solved examples that may precede them.

    Args:
        documents: The documents to draw from.
        reported: The documents that the tables report.
        solved: The solved examples.
        count: The number of documents to search on.
        seed: The seed of the draw.
        fields: The fields by which documents are compared; empty for all fields.

    Returns:
        The documents to search on, and the solved examples that are not among them.

    Raises:
        StudyError: There are too few documents.
    """
    read = set(fields)
    searched = chosen(documents, reported, count, seed, read)
    asked = {_text(document, read) for document in searched}
    return searched, [example for example in solved if _text(example, read) not in asked]


if __name__ == "__main__":
    with job(snakemake.log[0]):
        params, task = snakemake.params, snakemake.wildcards.task
        definition = read_task(params.definition)
        reported, solved = (read_jsonl(file) for file in snakemake.input[:2])
        others, origin = DATA_SOURCES[params.source].search_documents(task, params.path)
        documents = solved if others is None else others
        try:
            searched, examples = split(
                documents, reported, solved, params.documents, params.seed, fields_of(definition)
            )
            if len(examples) < shots(definition):
                raise StudyError(
                    f"only {len(examples)} of {shots(definition)} few-shot examples are left; lower "
                    "`search.documents`"
                )
        except StudyError as error:
            raise StudyError(f"search: {task} ({origin}): {error}") from None
        print(
            f"{task}: {len(searched)} documents to search on, from {origin}; {len(examples)} solved examples"
        )
        write_jsonl(snakemake.output.test, checked(task, definition, "search", searched))
        write_jsonl(snakemake.output.train, examples)
