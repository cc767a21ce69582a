"""Agreement of judges with human raters and of raters with each other; prediction-powered mean ratings."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.judgements.ratings import rating_id, read_ratings
from lexmerge.run.job import job
from scipy.stats import norm, spearmanr

COLUMNS = ["judge", "n", "mean_offset", "mean_absolute_difference", "spearman"]
MEANS = [
    *("model", "judge", "n_rated", "people_mean", "n_judged", "judge_mean"),
    *("weight", "mean", "ci_low", "ci_high"),
]
FEWEST = 10  # minimum number of rated definitions for an interval


def agreement(judge: str, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """Agreement over pairs of scores.

    Args:
        judge: The judge's name, for the row.
        pairs: (judge's score, mean rating) of each definition; the offset is the first minus the second.

    Returns:
        A row with the columns `COLUMNS`; the correlation is None unless both sides vary.
    """
    row: dict[str, Any] = {"judge": judge, "n": len(pairs)}
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


def of_people(ratings: dict[str, list[float]]) -> dict[str, float]:
    """The mean rating of each definition, by its id."""
    return {key: sum(given) / len(given) for key, given in ratings.items()}


def table(scores: dict[str, dict[str, float]], ratings: dict[str, list[float]]) -> pd.DataFrame:
    """The table statistics/ratings.tsv.

    Args:
        scores: The judges' scores, by judge and id of the definition.
        ratings: The ratings of each definition, by its id.

    Returns:
        A row for each judge; the last row pools every two raters of one definition.
    """
    people = of_people(ratings)
    rows = [
        agreement(judge, [(mine[key], people[key]) for key in sorted(mine.keys() & people.keys())])
        for judge, mine in scores.items()
    ]
    pairs = [pair for given in ratings.values() for pair in combinations(given, 2)]
    return pd.DataFrame([*rows, agreement("between human raters", pairs)], columns=COLUMNS)


def powered(rated: list[tuple[float, float]], judged: list[float]) -> dict[str, Any]:
    """The prediction-powered mean rating with its 95 % interval.

    The mean rating is corrected by the difference of the judge's means on unrated and rated definitions,
    times a `weight` that minimises the variance (PPI++: Angelopoulos, Duchi, Zrnic 2023, arXiv 2311.01453).

    Args:
        rated: (mean rating, judge's score) of each rated definition.
        judged: The judge's scores of the unrated definitions.

    Returns:
        `n_rated`, `n_judged`, `people_mean` and `judge_mean`; with at least `FEWEST` rated definitions also
        the `weight`, 0 to 1 (0 with fewer than `FEWEST` unrated definitions, which leaves the plain mean
        rating), the `mean`, and its interval `ci_low` to `ci_high`.
    """
    row: dict[str, Any] = {"n_rated": len(rated), "n_judged": len(rated) + len(judged)}
    everything = [score for _, score in rated] + judged
    row["judge_mean"] = float(np.mean(everything)) if everything else None
    row["people_mean"] = float(np.mean([score for score, _ in rated])) if rated else None
    if len(rated) < FEWEST:
        return row
    people, judge = np.array(rated, dtype=float).T
    n, more = len(rated), len(judged)
    weight, mean, variance = 0.0, people.mean(), np.var(people, ddof=1) / n
    if more >= FEWEST and (spread := np.var(everything, ddof=1)):
        others = np.array(judged, dtype=float)
        weight = float(np.clip(np.cov(people, judge)[0, 1] / ((1 + n / more) * spread), 0, 1))
        mean += weight * (others.mean() - judge.mean())
        variance = np.var(people - weight * judge, ddof=1) / n + weight**2 * np.var(others, ddof=1) / more
    reach = norm.ppf(0.975) * np.sqrt(variance)
    return row | {"weight": weight, "mean": mean, "ci_low": mean - reach, "ci_high": mean + reach}


def means(scores: dict[tuple[str, str], dict[str, float]], ratings: dict[str, list[float]]) -> pd.DataFrame:
    """The table statistics/prediction_powered.tsv.

    Args:
        scores: The scores, by (model, judge) and id of the definition.
        ratings: The ratings of each definition, by its id.

    Returns:
        A row with the columns `MEANS` for each model and judge.
    """
    people = of_people(ratings)
    rows = [
        {"model": model, "judge": judge}
        | powered(
            [(people[key], score) for key, score in mine.items() if key in people],
            [score for key, score in mine.items() if key not in people],
        )
        for (model, judge), mine in scores.items()
    ]
    return pd.DataFrame(rows, columns=MEANS).round(4)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        texts = {
            model: {row["term"]: row["definition"] for row in read_jsonl(file)}
            for model, file in zip(params.models, given.definitions, strict=True)
        }
        by_model: dict[tuple[str, str], dict[str, float]] = {}
        for (model, judge), file in zip(params.cells, given.judgements, strict=True):
            for row in read_jsonl(file):
                if row["score"] is not None:
                    key = rating_id(row["term"], texts[model][row["term"]])
                    by_model.setdefault((model, judge), {})[key] = row["score"]
        scores: dict[str, dict[str, float]] = {}
        for (_, judge), given_by in by_model.items():
            scores.setdefault(judge, {}).update(given_by)
        ratings = read_ratings(params.ratings)
        if not ratings:
            raise StudyError(
                f"{Path(params.ratings).absolute()}: no row has a score; fill in the column `score`"
            )
        known = {rating_id(term, text) for of_model in texts.values() for term, text in of_model.items()}
        if strange := sorted(ratings.keys() - known):
            raise StudyError(
                f"{Path(params.ratings).absolute()}: the study has no definition with the id {strange[0]!r}"
                + (f" (nor with {len(strange) - 1} others of the table)" if len(strange) > 1 else "")
                + "; rate the sheet of this study"
            )
        write_tsv(snakemake.output.ratings, table(scores, ratings))
        write_tsv(snakemake.output.means, means(by_model, ratings))
