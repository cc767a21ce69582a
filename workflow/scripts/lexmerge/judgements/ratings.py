"""Ratings by people. Their ids are hashes of the rated text, so no list of models and texts is needed."""

import hashlib
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_tsv
from lexmerge.common.languages import says_something

SHEET = ["id", "term", "translation", "reference", "definition", "score"]


def rating_id(term: str, definition: str) -> str:
    """Id of a definition, which does not depend on the model: identical texts are rated once.

    It begins with a letter, so that spreadsheets do not treat it as a number.
    """
    return "d" + hashlib.sha256(f"{term}\0{definition}".encode()).hexdigest()[:10]


def sheet(
    definitions: Iterable[Iterable[Mapping[str, Any]]],
    references: Iterable[Mapping[str, Any]],
    sample: int,
    seed: int,
) -> list[dict[str, str]]:
    """Make a blank sheet: a random sample of the models' definitions in random order.

    Args:
        definitions: Rows of `definitions/<model>.jsonl` for each model.
        references: Rows of `references/<expert>.jsonl`.
        sample: Maximum number of definitions.
        seed: Seed of the sample.

    Returns:
        Rows with the columns `SHEET` and an empty score, without empty definitions.
    """
    known = {row["term"]: row["definition"] for row in references}
    rows = {
        rating_id(row["term"], row["definition"]): {
            "term": row["term"],
            "translation": row["translation"],
            "reference": known.get(row["term"], ""),
            "definition": row["definition"],
            "score": "",
        }
        for of_model in definitions
        for row in of_model
        if row["finish_reason"] != "not_asked"
        and says_something(row["definition"])
        and row["definition"] != known.get(row["term"])  # a rater would recognise the expert's text
    }
    chosen = random.Random(seed).sample(sorted(rows), min(sample, len(rows)))
    return [{"id": key} | {k: " ".join(v.split()) for k, v in rows[key].items()} for key in chosen]


def read_ratings(path: str) -> dict[str, list[float]]:
    """Read a table of ratings.

    Args:
        path: The TSV file with the columns `id` and `score`; rows with a blank score are skipped.

    Returns:
        The scores of each definition by id, one for each rater.

    Raises:
        StudyError: If a column is missing or a score is not a number from 0 to 10.
    """
    ratings: dict[str, list[float]] = {}
    for number, row in enumerate(read_tsv(path, ["id", "score"]).to_dict("records"), 2):
        text = row["score"].strip()
        if not text:
            continue
        try:
            score = float(text)
        except ValueError:
            score = -1.0
        if not 0 <= score <= 10:
            raise StudyError(f"{Path(path).absolute()}: line {number}: {text!r} is not a score from 0 to 10")
        ratings.setdefault(row["id"].strip(), []).append(score)
    return ratings
