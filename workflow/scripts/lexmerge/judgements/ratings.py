"""Ratings by people, joined with the judges' by what was rated: no list says which model wrote what."""

import hashlib
import random

from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_tsv
from lexmerge.common.languages import says_something

SHEET = ["id", "term", "translation", "reference", "definition", "score"]


def rating_id(term: str, definition: str) -> str:
    """The same for whoever wrote it: two models with one text are one definition to rate.

    It begins with a letter, so that no spreadsheet takes it for a number.
    """
    return "d" + hashlib.sha256(f"{term}\0{definition}".encode()).hexdigest()[:10]


def sheet(definitions: list[list[dict]], references: list[dict], sample: int, seed: int) -> list[dict]:
    """A blank sheet: as many terms of every model as `sample` allows, in a random order."""
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
        and row["definition"] != known.get(row["term"])  # who rates would know whose it is
    }
    chosen = random.Random(seed).sample(sorted(rows), min(sample, len(rows)))
    return [{"id": key} | {k: " ".join(v.split()) for k, v in rows[key].items()} for key in chosen]


def read_ratings(path: str) -> dict[str, list[float]]:
    """The scores of every definition by its id, one for each rater; what is blank was not rated."""
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
            raise StudyError(f"{path}: line {number}: {text!r} is no score from 0 to 10")
        ratings.setdefault(row["id"].strip(), []).append(score)
    return ratings
