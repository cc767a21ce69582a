"""Choose the documents of a task that a search is scored on: none of those that the tables report."""

import json
import random
from collections.abc import Iterable

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.documents import checked, fields_of
from lexmerge.benchmarks.tasks import read_task, shots
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, write_jsonl
from lexmerge.run.job import job


def chosen(
    documents: list[dict], reported: list[dict], count: int, seed: int, fields: set[str]
) -> list[dict]:
    """So many of the documents, drawn at random, and none that is reported too; in the order they had.

    Documents are the same where the `fields` are that their task reads, or all if it names none.
    """
    taken = {_text(document, fields) for document in reported}
    free = [document for document in documents if _text(document, fields) not in taken]
    if len(free) < count:
        raise StudyError(
            f"{len(free)} documents that the tables do not report, and not {count}: lower "
            "`search.documents`, bring others, or leave the task out of the objective"
        )
    # So that of two counts the smaller's documents are among the larger's.
    order = random.Random(seed).sample(range(len(free)), len(free))
    return [free[k] for k in sorted(order[:count])]


def _text(document: dict, fields: set[str]) -> str:
    return json.dumps({k: v for k, v in document.items() if not fields or k in fields}, sort_keys=True)


def split(
    documents: list[dict],
    reported: list[dict],
    solved: list[dict],
    count: int,
    seed: int,
    fields: Iterable[str] = (),
) -> tuple[list[dict], list[dict]]:
    """The documents to search on, and the examples that may stand before them: never one of themselves."""
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
                raise StudyError(f"{len(examples)} examples are left to show, of {shots(definition)}")
        except StudyError as error:
            raise StudyError(f"search: {task} ({origin}): {error}") from None
        print(f"{len(searched)} documents of {task} to search on, from {origin}; {len(examples)} to show")
        write_jsonl(snakemake.output.test, checked(task, definition, "search", searched))
        write_jsonl(snakemake.output.train, examples)
