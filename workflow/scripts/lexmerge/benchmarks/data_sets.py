"""The benchmarks' data sets: their files, from a folder or their pinned source, as one document a line.

`lexmerge.pins` says where each comes from. Nothing but data is ever read: no code of a data set runs.
"""

import csv
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from lexmerge.benchmarks.pins import PINNED, files, pin
from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_file, read_jsonl, sha256

PASSAGES = 5  # of each question of JAQKET: as many as the harness's data set has


def pinned_documents(task: str, split: str, folder: str) -> list[dict]:
    """The documents of a task's split; files that `folder` does not hold are fetched into it."""
    known = pin(task)
    reader = known.get("readers", {}).get(split, known["reader"])
    here = [local_file(file, url, checksum) for file, (url, checksum) in files(task, split, folder).items()]
    try:
        documents = READERS[reader](here)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        said = f"{type(error).__name__}: {error}"
        raise StudyError(f"{here[0]}: not the form that {task} has ({said})") from None
    expected = known.get("documents", {}).get(split, {}).get("n", len(documents))
    if len(documents) != expected:
        raise StudyError(f"{here[0]}: {len(documents)} documents where {PINNED} says {expected}")
    return documents


def local_file(file: Path, url: str, checksum: str | None) -> Path:
    """The file where it is, or fetched to there; StudyError if it is not the one that is pinned."""
    if not file.is_file():
        _fetch(url, file)
    found = sha256(file)
    if checksum is None:
        print(f"{file}: not checked, since {PINNED} has no checksum of it; this one has {found}")
    elif found != checksum:
        raise StudyError(
            f"{file}: its sha256 is {found} and not {checksum}, as {PINNED} says; remove it, and it is "
            f"fetched anew from {url}"
        )
    return file


def _fetch(url: str, file: Path) -> None:
    print(f"fetching {url}")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, fresh_file(file) as part:
            with part.open("wb") as target:
                shutil.copyfileobj(answer, target)
            size = answer.headers.get("Content-Length")
            if size is not None and part.stat().st_size != int(size):
                raise StudyError(f"{url}: cut off after {part.stat().st_size} of {size} bytes; run again")
    except OSError as error:
        said = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        raise StudyError(
            f"no {file}, and it cannot be fetched from {url} ({said}): where there is a network fetch it, "
            "and put it there"
        ) from None


def _pubmedqa(files: list[Path]) -> list[dict]:
    """PubMedQA's official 500 test questions, in order of their PMIDs."""
    asked, decided = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return [_of_pubmedqa(pmid, asked[pmid], decided[pmid]) for pmid in sorted(decided, key=int)]


def _pubmedqa_rest(files: list[Path]) -> list[dict]:
    """The labelled questions that are not among the test's: the official folds for training."""
    asked, decided = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    rest = sorted(asked.keys() - decided.keys(), key=int)
    return [_of_pubmedqa(pmid, asked[pmid], asked[pmid]["final_decision"]) for pmid in rest]


def _of_pubmedqa(pmid: str, row: dict, decision: str) -> dict:
    shown = {key: row[key] for key in ("QUESTION", "CONTEXTS")}
    return {"pmid": pmid, **shown, "final_decision": decision}


def _jsonl(files: list[Path]) -> list[dict]:
    """One document a line, or one list of them."""
    text = files[0].read_text(encoding="utf-8")
    return json.loads(text) if text.lstrip().startswith("[") else read_jsonl(files[0])


def _squad(files: list[Path]) -> list[dict]:
    """SQuAD's form: articles with paragraphs with questions."""
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


def _jaqket(files: list[Path]) -> list[dict]:
    """Of each question the first passages; without those whose answer is in none of them."""
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


def _csv(files: list[Path]) -> list[dict]:
    with files[0].open(encoding="utf-8-sig", newline="") as lines:
        csv.field_size_limit(1 << 24)  # a news text is longer than the module's own limit
        return list(csv.DictReader(lines))


def _jmedbench(files: list[Path]) -> list[dict]:
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


def _jmedbench_sts(files: list[Path]) -> list[dict]:
    fields = ("sample_id", "premise", "hypothesis")
    return [
        {**{field: row[field] for field in fields}, "label": int(row["label"])}
        for row in read_jsonl(files[0])
    ]


READERS: dict[str, Callable[[list[Path]], list[dict]]] = {
    "pubmedqa": _pubmedqa,
    "pubmedqa_rest": _pubmedqa_rest,
    "jsonl": _jsonl,
    "squad": _squad,
    "jaqket": _jaqket,
    "csv": _csv,
    "jmedbench": _jmedbench,
    "jmedbench_sts": _jmedbench_sts,
}
