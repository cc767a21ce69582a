"""Bring one task's data into the form that the task reads: JSONL, one document a line."""

import json
from pathlib import Path

from lexmerge.errors import StudyError
from lexmerge.files import read_jsonl, read_tsv, write_jsonl
from lexmerge.jobs import job
from lexmerge.toy import documents


def pubmedqa(folder: str) -> list[dict]:
    """PubMedQA's official 500 test questions, from its repository's two files, in order of their PMIDs."""
    questions, truth = (Path(folder) / name for name in ("ori_pqal.json", "test_ground_truth.json"))
    for file in (questions, truth):
        if not file.is_file():
            raise StudyError(f"benchmarks: no {file}; PubMedQA's repository has it in data/")
    asked = json.loads(questions.read_text(encoding="utf-8"))
    decided = json.loads(truth.read_text(encoding="utf-8"))
    return [
        {
            "pmid": pmid,
            "QUESTION": asked[pmid]["QUESTION"],
            "CONTEXTS": asked[pmid]["CONTEXTS"],
            "final_decision": decided[pmid],
        }
        for pmid in sorted(decided, key=int)
    ]


def task_documents(source: str, path: str, task: str) -> list[dict]:
    """One task's documents: made from the toy glossary at `path`, or read from a data set's files there."""
    if source == "toy":
        return [document for document, _ in documents(task, read_tsv(path).to_dict("records"))]
    if source == "pubmedqa":
        return pubmedqa(path)
    file = Path(path) / f"{task}.jsonl"
    if not file.is_file():
        raise StudyError(f"benchmarks: no {file}; a folder of local copies holds one <task>.jsonl a task")
    return read_jsonl(file)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        rows = task_documents(snakemake.params.source, snakemake.params.path, snakemake.wildcards.task)
        write_jsonl(snakemake.output[0], rows)
