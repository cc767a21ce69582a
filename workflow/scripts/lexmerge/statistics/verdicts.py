"""Statistics of a paired comparison: rank and McNemar tests, effect size, detectable difference, verdict."""

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.power import TTestPower

from lexmerge.statistics.rows import Comparison

ALPHA, POWER = 0.05, 0.8
WORDS = ("better", "worse", "equivalent", "cannot tell")


def verdict(row: Comparison, margin: float) -> str | None:
    """The verdict on a comparison.

    Args:
        row: The comparison, with `mean_difference`, `ci_low`, `ci_high` and `p_holm`.
        margin: The smallest difference that matters.

    Returns:
        `equivalent` if the whole 95 % interval lies within the margin; otherwise `better` or `worse` if
        `p_holm` is below 0.05; otherwise `cannot tell`. None if there is no difference to judge.
    """
    difference = row.get("mean_difference")
    if difference is None:
        return None
    low, high, p = row.get("ci_low"), row.get("ci_high"), row.get("p_holm")
    if low is not None and high is not None and -margin < low and high < margin:
        return "equivalent"
    if p is not None and p < ALPHA:
        return "better" if difference > 0 else "worse"
    return "cannot tell"


def by_ranks(differences: np.ndarray) -> dict[str, float | None]:
    """Wilcoxon's signed-rank test and its effect size.

    Zero differences keep their ranks in the test (Pratt 1959) and are left out of the effect (Kerby 2014).

    Args:
        differences: Paired differences, shape (documents,).

    Returns:
        The two-sided `p_wilcoxon`, and the matched-pairs `rank_biserial` correlation, from -1 to 1; both are
        None when all differences are zero.
    """
    other = differences[differences != 0]
    if not len(other):
        return {"p_wilcoxon": None, "rank_biserial": None}
    ranks = stats.rankdata(np.abs(other))
    effect = (ranks[other > 0].sum() - ranks[other < 0].sum()) / ranks.sum()
    p = stats.wilcoxon(differences, zero_method="pratt").pvalue
    return {"p_wilcoxon": float(p), "rank_biserial": float(effect)}


def counts(differences: np.ndarray) -> dict[str, int]:
    """Count positive, zero and negative differences.

    Args:
        differences: Paired differences, the merge's score minus the parent's, shape (documents,).

    Returns:
        The numbers of `wins`, `ties` and `losses` of the merge.
    """
    return {
        "wins": int((differences > 0).sum()),
        "ties": int((differences == 0).sum()),
        "losses": int((differences < 0).sum()),
    }


def exact_mcnemar(one: np.ndarray, other: np.ndarray) -> float | None:
    """McNemar's exact test for paired answers that are right or wrong.

    Args:
        one: The scores of the first model, 0 or 1, shape (documents,).
        other: The scores of the second model, in the same order.

    Returns:
        The two-sided p; None when a score is neither 0 nor 1.
    """
    if not np.isin(np.concatenate([one, other]), (0, 1)).all():
        return None
    table = [[int(((one == a) & (other == b)).sum()) for b in (1, 0)] for a in (1, 0)]
    return float(mcnemar(table, exact=True).pvalue)


def detectable(differences: np.ndarray) -> float | None:
    """The smallest mean difference that a paired t-test detects with 80 % power at the level 0.05.

    Args:
        differences: Paired differences, shape (documents,); only their number and spread are used.

    Returns:
        The difference, in the unit of the scores; None when the differences do not vary.
    """
    spread = differences.std(ddof=1) if len(differences) > 1 else 0
    if not spread:
        return None
    effect = TTestPower().solve_power(nobs=len(differences), alpha=ALPHA, power=POWER)
    return float(np.asarray(effect).item() * float(spread))  # for large samples an array with one number


def worst_case(
    one: dict[str, float | None], other: dict[str, float | None], low: float, high: float
) -> tuple[float, float]:
    """Bounds of the mean difference (one minus other) for any values of the missing scores.

    Args:
        one: The scores of the first model by term; None if missing.
        other: The scores of the second model.
        low: The lowest score of the scale.
        high: The highest score of the scale.

    Returns:
        The lower and the upper bound.
    """

    def filled(score: float | None, value: float) -> float:
        return value if score is None else score

    def mean(ours: float, theirs: float) -> float:
        shared = one.keys() & other.keys()
        differences = [filled(one[key], ours) - filled(other[key], theirs) for key in shared]
        return sum(differences) / len(differences)

    return mean(low, high), mean(high, low)
