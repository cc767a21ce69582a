"""What a paired comparison comes to: a test by ranks, an effect, what could have been found, and a word."""

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestPower

ALPHA, POWER = 0.05, 0.8
WORDS = ("better", "worse", "equivalent", "cannot tell")


def verdict(row: dict, margin: float) -> str | None:
    """In a word, what a comparison shows; None where nothing could be compared.

    `equivalent`: the whole 95 % interval lies within the margin, the smallest difference that matters. Else
    `better` or `worse`: the difference has a p below 0.05 after Holm's correction. Else `cannot tell`.
    """
    if row.get("mean_difference") is None:
        return None
    low, high, p = row.get("ci_low"), row.get("ci_high"), row.get("p_holm")
    if low is not None and high is not None and -margin < low and high < margin:
        return "equivalent"
    if p is not None and p < ALPHA:
        return "better" if row["mean_difference"] > 0 else "worse"
    return "cannot tell"


def by_ranks(differences: np.ndarray) -> dict:
    """Wilcoxon's signed-rank p, and the matched rank-biserial correlation, from -1 to 1.

    Differences of zero keep their ranks in the test (Pratt) and have none in the effect (Kerby 2014).
    """
    other = differences[differences != 0]
    if not len(other):
        return {"p_wilcoxon": None, "rank_biserial": None}
    ranks = stats.rankdata(np.abs(other))
    effect = (ranks[other > 0].sum() - ranks[other < 0].sum()) / ranks.sum()
    p = stats.wilcoxon(differences, zero_method="pratt").pvalue
    return {"p_wilcoxon": float(p), "rank_biserial": float(effect)}


def counts(differences: np.ndarray) -> dict:
    """On how many documents the merge has more, the same and less."""
    return {
        "wins": int((differences > 0).sum()),
        "ties": int((differences == 0).sum()),
        "losses": int((differences < 0).sum()),
    }


def exact_mcnemar(one: np.ndarray, other: np.ndarray) -> float | None:
    """The exact p of answers that are right or wrong; None of any other scores."""
    if not np.isin(np.concatenate([one, other]), (0, 1)).all():
        return None
    table = [[int(((one == a) & (other == b)).sum()) for b in (1, 0)] for a in (1, 0)]
    return float(mcnemar(table, exact=True).pvalue)


def detectable(differences: np.ndarray) -> float | None:
    """The smallest mean difference that a paired test of so many finds with 80 % power at 0.05."""
    spread = differences.std(ddof=1) if len(differences) > 1 else 0
    if not spread:
        return None
    effect = TTestPower().solve_power(nobs=len(differences), alpha=ALPHA, power=POWER)
    return np.asarray(effect).item() * float(spread)  # of many pairs it is an array with one number


def worst_case(
    one: dict[str, float | None], other: dict[str, float | None], low: float, high: float
) -> tuple[float, float]:
    """The bounds of the mean difference, whatever the missing scores between `low` and `high` would be."""

    def mean(ours: float, theirs: float) -> float:
        differences = [
            (ours if one[key] is None else one[key]) - (theirs if other[key] is None else other[key])
            for key in one.keys() & other.keys()
        ]
        return sum(differences) / len(differences)

    return mean(low, high), mean(high, low)
