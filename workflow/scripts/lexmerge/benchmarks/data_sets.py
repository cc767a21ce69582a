"""Read the benchmarks' published data sets from local files, which are fetched from their pinned source.

`pins` has the sources. Only data files are read: no code of a data set runs.
"""

import csv
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lexmerge.benchmarks.pins import PINNED, files, pin
from lexmerge.benchmarks.rows import Document
from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_file, read_jsonl, sha256

PASSAGES = 5  # passages for each question of JAQKET, as in the harness's data set


def pinned_documents(task: str, split: str, folder: str) -> list[Document]:
    """Read a split of a pinned task, and fetch the files that are missing.

    Args:
        task: The task's name.
        split: `test`, `train` or `search`.
        folder: The folder of the local files.

    Returns:
        The documents.

    Raises:
        StudyError: A file cannot be fetched, is not the pinned one, or has an unexpected form.
    """
    known = pin(task)
    reader = known.get("readers", {}).get(split, known["reader"])
    here = [local_file(file, url, checksum) for file, (url, checksum) in files(task, split, folder).items()]
    try:
        documents = READERS[reader](here)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        said = f"{type(error).__name__}: {error}"
        raise StudyError(
            f"{here[0].absolute()}: the file does not have the format of {task}'s data ({said}); remove the "
            "file and run again, to fetch it"
        ) from None
    expected = known.get("documents", {}).get(split, {}).get("n", len(documents))
    if len(documents) != expected:
        raise StudyError(
            f"{here[0].absolute()}: the file has {len(documents)} documents, but {PINNED} expects "
            f"{expected}; remove the file and run again, to fetch it"
        )
    return documents


def local_file(file: Path, url: str, checksum: str | None) -> Path:
    """Fetch a file if it is missing, and check it against its pin.

    Args:
        file: The local path.
        url: The pinned URL.
        checksum: The pinned SHA-256; None skips the check.

    Returns:
        The local path.

    Raises:
        StudyError: The file cannot be fetched, or has another SHA-256.
    """
    if not file.is_file():
        _fetch(url, file)
    found = sha256(file)
    if checksum is None:
        print(f"{file}: not checked, since {PINNED} has no sha256 for it; this file has {found}")
    elif found != checksum:
        raise StudyError(
            f"{file.absolute()}: the file's sha256 is {found}, but {PINNED} expects {checksum}; remove the "
            f"file and run again, to fetch it from {url}"
        )
    return file


def _fetch(url: str, file: Path) -> None:
    """Download a file."""
    print(f"fetching {url}")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, fresh_file(file) as part:
            with part.open("wb") as target:
                shutil.copyfileobj(answer, target)
            size = answer.headers.get("Content-Length")
            if size is not None and part.stat().st_size != int(size):
                raise StudyError(
                    f"{url}: the download ended after {part.stat().st_size} of {size} bytes; run again"
                )
    except OSError as error:
        said = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        raise StudyError(
            f"{file.absolute()} is missing and cannot be fetched from {url} ({said}); fetch it on a machine "
            "with network access and put it there"
        ) from None


def _pubmedqa(files: list[Path]) -> list[Document]:
    """Read PubMedQA's official 500 test questions, sorted by PMID."""
    asked, decided = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return [_of_pubmedqa(pmid, asked[pmid], decided[pmid]) for pmid in sorted(decided, key=int)]


def _pubmedqa_rest(files: list[Path]) -> list[Document]:
    """Read PubMedQA's labelled questions outside the test set: the official training folds."""
    asked, decided = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    rest = sorted(asked.keys() - decided.keys(), key=int)
    return [_of_pubmedqa(pmid, asked[pmid], asked[pmid]["final_decision"]) for pmid in rest]


def _of_pubmedqa(pmid: str, row: dict[str, Any], decision: str) -> Document:
    """Make one document of PubMedQA."""
    shown = {key: row[key] for key in ("QUESTION", "CONTEXTS")}
    return {"pmid": pmid, **shown, "final_decision": decision}


def _jsonl(files: list[Path]) -> list[Document]:
    """Read JSON with one document per line, or one list of documents."""
    text = files[0].read_text(encoding="utf-8")
    documents: list[Document] = json.loads(text) if text.lstrip().startswith("[") else read_jsonl(files[0])
    return documents


def _squad(files: list[Path]) -> list[Document]:
    """Read SQuAD's format: articles, their paragraphs, and the questions about each paragraph."""
    articles = json.loads(files[0].read_text(encoding="utf-8"))["data"]
    return [
        {
            "id": question["id"],
            "title": article["title"],
            "context": paragraph["context"],
            "question": question["question"],
            "answers": {"text": [answer["text"] for answer in question["answers"]]},
        }
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


def _jaqket(files: list[Path]) -> list[Document]:
    """Read JAQKET's questions with their first passages; skip questions whose answer is in none of these."""
    return [
        {
            "qid": row["qid"],
            "question": row["question"],
            "ctxs": {"text": [passage["text"] for passage in row["ctxs"][:PASSAGES]]},
            "answers": {"text": row["answers"]},
        }
        for row in json.loads(files[0].read_text(encoding="utf-8"))
        if any(passage["has_answer"] for passage in row["ctxs"][:PASSAGES])
    ]


def _csv(files: list[Path]) -> list[Document]:
    """Read a CSV file with a header."""
    with files[0].open(encoding="utf-8-sig", newline="") as lines:
        csv.field_size_limit(1 << 24)  # news texts exceed the default limit
        return list(csv.DictReader(lines))


def _jmedbench(files: list[Path]) -> list[Document]:
    """Read JMedBench's multiple-choice questions."""
    return [
        {
            "sample_id": row["sample_id"],
            "question": row["question"],
            "options": row["options"],
            "answer_idx": row["answer_idx"],
            "context": (row.get("metadata") or {}).get("context", ""),
        }
        for row in read_jsonl(files[0])
    ]


def _jmedbench_sts(files: list[Path]) -> list[Document]:
    """Read JMedBench's pairs of sentences with their similarity, 0 to 5."""
    fields = ("sample_id", "premise", "hypothesis")
    return [
        {**{field: row[field] for field in fields}, "label": int(row["label"])}
        for row in read_jsonl(files[0])
    ]


# The readers that a pin may name: from a split's local files to its documents.
READERS: dict[str, Callable[[list[Path]], list[Document]]] = {
    "pubmedqa": _pubmedqa,
    "pubmedqa_rest": _pubmedqa_rest,
    "jsonl": _jsonl,
    "squad": _squad,
    "jaqket": _jaqket,
    "csv": _csv,
    "jmedbench": _jmedbench,
    "jmedbench_sts": _jmedbench_sts,
}
