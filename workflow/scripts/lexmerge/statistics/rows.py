"""The rows of a comparison of two models, from the statistics to the report."""

from typing import TypedDict


class Paired(TypedDict):
    """A paired difference of two models on the same documents; see `measures.paired`.

    Attributes:
        n: Number of documents that both models have.
        mean_difference: Value of the first model minus that of the second.
        ci_low: Lower end of its 95 % bootstrap interval.
        ci_high: Upper end of the interval.
        p: Two-sided p of a permutation test.
    """

    n: int
    mean_difference: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None


class Comparison(TypedDict, total=False):
    """A row of statistics/comparisons.tsv: a merge compared with a parent by one measure.

    A statistic that is not defined is absent or None here, and an empty cell in the table.

    Attributes:
        kind: `judge` or `benchmark`.
        measure: The judge's name, or the column of the benchmark table.
        model: The merge.
        baseline: The parent.
        verdict: One of `verdicts.WORDS`.
        n: Number of terms or documents that both models have a score for.
        n_missing: Number of terms for which one of the two has no score.
        mean_difference: The merge's value minus the parent's, in points or as a difference of shares.
        ci_low: Lower end of its 95 % interval.
        ci_high: Upper end of the interval.
        worst_low: Lower bound of the difference for any values of the missing scores.
        worst_high: Upper bound.
        p: Two-sided p of a permutation test.
        p_holm: The same after Holm's correction over all comparisons by this measure.
        p_wilcoxon: Two-sided p of Wilcoxon's signed-rank test.
        p_mcnemar: Two-sided p of McNemar's exact test, for answers that are right or wrong.
        rank_biserial: Matched-pairs rank-biserial correlation, from -1 to 1.
        wins: Number of documents on which the merge scores higher.
        ties: Number of documents with equal scores.
        losses: Number of documents on which the merge scores lower.
        detectable: Smallest mean difference that a paired t-test detects with 80 % power.
        margin: Smallest difference that matters (`statistics.margins`).
        controls: The judge's result in its controls; empty for a benchmark.
        caveats: What speaks against the comparison, separated by "; ".
    """

    kind: str
    measure: str
    model: str
    baseline: str
    verdict: str | None
    n: int
    n_missing: int
    mean_difference: float | None
    ci_low: float | None
    ci_high: float | None
    worst_low: float
    worst_high: float
    p: float | None
    p_holm: float
    p_wilcoxon: float | None
    p_mcnemar: float | None
    rank_biserial: float | None
    wins: int
    ties: int
    losses: int
    detectable: float | None
    margin: float
    controls: str
    caveats: str
