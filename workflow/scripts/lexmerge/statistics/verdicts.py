"""What a paired comparison shows: rank tests, effect sizes, the detectable difference, and a verdict."""

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestPower

ALPHA, POWER = 0.05, 0.8
WORDS = ("better", "worse", "equivalent", "cannot tell")


def verdict(row: dict, margin: float) -> str | None:
    """Give the verdict on a comparison.

    Args:
        row: The comparison, with `mean_difference`, `ci_low`, `ci_high` and `p_holm`.
        margin: The smallest difference that matters.

    Returns:
        `equivalent`: the whole 95 % interval lies within the margin. Else `better` or `worse`: the difference
        has a p below 0.05 after Holm's correction. Else `cannot tell`. None when nothing could be compared.
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
    """Test paired differences by their ranks.

    Differences of zero keep their ranks in the test (Pratt) and have none in the effect (Kerby 2014).

    Args:
        differences: A vector of paired differences.

    Returns:
        Wilcoxon's signed-rank `p_wilcoxon`, and the matched `rank_biserial` correlation, from -1 to 1; None
        when all differences are zero.
    """
    other = differences[differences != 0]
    if not len(other):
        return {"p_wilcoxon": None, "rank_biserial": None}
    ranks = stats.rankdata(np.abs(other))
    effect = (ranks[other > 0].sum() - ranks[other < 0].sum()) / ranks.sum()
    p = stats.wilcoxon(differences, zero_method="pratt").pvalue
    return {"p_wilcoxon": float(p), "rank_biserial": float(effect)}


def counts(differences: np.ndarray) -> dict:
    """Count the documents on which the merge has more (wins), the same (ties) and less (losses).

    Args:
        differences: A vector of paired differences, the merge's minus the baseline's.

    Returns:
        The three counts.
    """
    return {
        "wins": int((differences > 0).sum()),
        "ties": int((differences == 0).sum()),
        "losses": int((differences < 0).sum()),
    }


def exact_mcnemar(one: np.ndarray, other: np.ndarray) -> float | None:
    """Compute McNemar's exact p of paired answers that are right or wrong.

    Args:
        one: The scores of the one model, a document each.
        other: The scores of the other, in the same order.

    Returns:
        The two-sided p; None when a score is neither 0 nor 1.
    """
    if not np.isin(np.concatenate([one, other]), (0, 1)).all():
        return None
    table = [[int(((one == a) & (other == b)).sum()) for b in (1, 0)] for a in (1, 0)]
    return float(mcnemar(table, exact=True).pvalue)


def detectable(differences: np.ndarray) -> float | None:
    """Compute the smallest mean difference that a paired t-test detects with 80 % power at 0.05.

    Args:
        differences: A vector of paired differences, whose number and spread count.

    Returns:
        The difference, in the unit of the scores; None when the differences do not vary.
    """
    spread = differences.std(ddof=1) if len(differences) > 1 else 0
    if not spread:
        return None
    effect = TTestPower().solve_power(nobs=len(differences), alpha=ALPHA, power=POWER)
    return np.asarray(effect).item() * float(spread)  # of many pairs it is an array with one number


def worst_case(
    one: dict[str, float | None], other: dict[str, float | None], low: float, high: float
) -> tuple[float, float]:
    """Bound the mean difference for any values of the missing scores.

    Args:
        one: The scores of the one model, by term; None is a missing one.
        other: The scores of the other model.
        low: The lowest score of the scale.
        high: The highest score of the scale.

    Returns:
        The lower and the upper bound.
    """

    def mean(ours: float, theirs: float) -> float:
        differences = [
            (ours if one[key] is None else one[key]) - (theirs if other[key] is None else other[key])
            for key in one.keys() & other.keys()
        ]
        return sum(differences) / len(differences)

    return mean(low, high), mean(high, low)
