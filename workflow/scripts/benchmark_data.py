"""Bring one task's data into the form that the task reads: JSONL, one document a line."""

from pathlib import Path

from lexmerge.benchmarks.data_sets import pinned_documents
from lexmerge.benchmarks.documents import checked
from lexmerge.benchmarks.pins import pin
from lexmerge.benchmarks.tasks import read_task, shots
from lexmerge.benchmarks.toy import documents, solved_documents
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, read_tsv, sha256, write_jsonl
from lexmerge.run.job import job


def task_documents(source: str, path: str, task: str, split: str = "test") -> list[dict]:
    """A task's documents: `test`, which are asked, or `train`, the examples before a question.

    They are made from the toy glossary at `path`, or read from a data set's files there.
    """
    if source == "toy":
        made = documents if split == "test" else solved_documents
        return [document for document, _ in made(task, read_tsv(path).to_dict("records"))]
    if source == "pinned":
        return pinned_documents(task, split, path)
    file = Path(path) / (f"{task}.jsonl" if split == "test" else f"{task}.{split}.jsonl")
    if not file.is_file():
        raise StudyError(f"benchmarks: no {file}; it is to hold one document a line, for {task} to read")
    try:
        return read_jsonl(file)
    except ValueError as error:
        raise StudyError(f"{file}: a line of it is no JSON: {error}") from None


def check_written(task: str, split: str, file: str) -> None:
    """Compare what was written for the harness with the checksum in git, where one stands."""
    expected, found = pin(task).get("documents", {}).get(split, {}).get("sha256"), sha256(file)
    print(f"{task}, {split}: sha256 {found}, {'as pinned' if found == expected else 'none is pinned'}")
    if expected not in (None, found):
        raise StudyError(
            f"{task}: the {split} documents have the sha256 {found} and not {expected}, as pinned"
        )


if __name__ == "__main__":
    with job(snakemake.log[0]):
        task, params = snakemake.wildcards.task, snakemake.params
        definition = read_task(params.definition)
        for split, file in snakemake.output.items():
            wanted = split == "test" or shots(definition)
            rows = task_documents(params.source, params.path, task, split) if wanted else []
            if split == "train" and len(rows) < shots(definition):
                raise StudyError(f"{task} shows {shots(definition)} examples, and its data has {len(rows)}")
            write_jsonl(file, checked(task, definition, split, rows) if wanted else [])
            if wanted and params.source == "pinned":
                check_written(task, split, file)
