"""How far the judges agree with people, on the definitions that both scored, and people with each other."""

from itertools import combinations

import pandas as pd
from lexmerge.errors import StudyError
from lexmerge.files import read_jsonl, write_tsv
from lexmerge.jobs import job
from lexmerge.ratings import rating_id, read_ratings
from scipy.stats import spearmanr

COLUMNS = ["judge", "n", "mean_offset", "mean_absolute_difference", "spearman"]


def agreement(judge: str, pairs: list[tuple[float, float]]) -> dict:
    """One minus other, over (judge, people); a correlation only where both vary."""
    row = {"judge": judge, "n": len(pairs)}
    if not pairs:
        return row
    one, other = map(list, zip(*pairs, strict=True))
    differences = [a - b for a, b in pairs]
    varied = len(set(one)) > 1 and len(set(other)) > 1
    return row | {
        "mean_offset": round(sum(differences) / len(pairs), 4),
        "mean_absolute_difference": round(sum(map(abs, differences)) / len(pairs), 4),
        "spearman": round(float(spearmanr(one, other).statistic), 4) if varied else None,
    }


def table(scores: dict[str, dict[str, float]], ratings: dict[str, list[float]]) -> pd.DataFrame:
    """A row a judge, from {judge: {id: score}}; the last is of every two raters of one text."""
    people = {key: sum(given) / len(given) for key, given in ratings.items()}
    rows = [
        agreement(judge, [(mine[key], people[key]) for key in sorted(mine.keys() & people.keys())])
        for judge, mine in scores.items()
    ]
    pairs = [pair for given in ratings.values() for pair in combinations(given, 2)]
    return pd.DataFrame([*rows, agreement("people with each other", pairs)], columns=COLUMNS)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        texts = {
            model: {row["term"]: row["definition"] for row in read_jsonl(file)}
            for model, file in zip(params.models, given.definitions, strict=True)
        }
        scores: dict[str, dict[str, float]] = {}
        for (model, judge), file in zip(params.cells, given.judgements, strict=True):
            for row in read_jsonl(file):
                if row["score"] is not None:
                    key = rating_id(row["term"], texts[model][row["term"]])
                    scores.setdefault(judge, {})[key] = row["score"]
        ratings = read_ratings(params.ratings)
        known = {rating_id(term, text) for of_model in texts.values() for term, text in of_model.items()}
        if strange := sorted(ratings.keys() - known):
            raise StudyError(
                f"{params.ratings}: {len(strange)} ids are of no definition of this study: {strange[0]!r} ..."
            )
        write_tsv(snakemake.output[0], table(scores, ratings))
