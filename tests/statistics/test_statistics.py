"""Paired comparisons and agreement, against numbers that others published or that follow by hand."""

import krippendorff
import numpy as np
import pytest
from figures_score_histograms import counts as bars_of
from figures_score_histograms import draw
from lexmerge.statistics.measures import Measure, _two_sided, interval, mean_interval, of_scores, paired
from lexmerge.statistics.verdicts import by_ranks, counts, detectable, exact_mcnemar, verdict, worst_case
from scipy import stats
from statistics_agreement import agreement, table
from statistics_comparisons import compare

MARGINS = {"judge": 0.25, "benchmark": 0.02}


def scores(values):
    return of_scores(dict(enumerate(values)))


def test_darwins_maize():
    """Fisher (1935, The Design of Experiments, section 21): 15 pairs, mean difference 314/15.

    Of the 32,768 ways to choose the signs, 1,726 give a sum at least as far from zero: p = 0.05267.
    """
    differences = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    row = paired(scores(differences), scores([0] * 15), seed=0)
    assert row["n"] == 15
    assert row["mean_difference"] == pytest.approx(314 / 15)
    assert row["p"] == pytest.approx(1726 / 32768, abs=0.007)  # 9,999 of the sign changes are drawn
    assert row["ci_low"] < 314 / 15 < row["ci_high"]


def test_only_what_both_scored_is_compared():
    row = paired(of_scores({"a": 5, "b": 9, "c": 1}), of_scores({"a": 3, "c": 1, "d": 10}), seed=0)
    assert (row["n"], row["mean_difference"]) == (2, 1.0)
    assert paired(of_scores({"a": 1}), of_scores({"b": 1}), seed=0) == {
        "n": 0,
        "mean_difference": None,
        "ci_low": None,
        "ci_high": None,
        "p": None,
    }


def test_differences_that_are_all_equal():
    same = paired(scores([1, 2, 3]), scores([1, 2, 3]), seed=0)
    assert (same["mean_difference"], same["ci_low"], same["ci_high"], same["p"]) == (0, 0, 0, 1)
    shifted = paired(scores([1] * 5), scores([0] * 5), seed=0)
    assert (shifted["mean_difference"], shifted["ci_low"], shifted["ci_high"]) == (1, 1, 1)
    assert shifted["p"] == pytest.approx(2 / 2**5), "all signs alike, one way or the other"
    single = paired(of_scores({"a": 1}), of_scores({"a": 0}), seed=0)
    assert (single["mean_difference"], single["ci_low"], single["p"]) == (1, None, None)


@pytest.mark.parametrize("draw_some", ["scores", "sparse answers"])
def test_intervals_hold_what_they_promise(draw_some):
    """Of 200 samples, about 95 % of the intervals hold the true mean."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        if draw_some == "scores":
            truth, values = 0.5, rng.normal(0.5, 2, 40)
        else:  # 30 documents; one model or the other alone is right on one in ten
            truth, values = 0, rng.choice([-1, 0, 1], 30, p=[0.05, 0.9, 0.05])
        row = paired(scores(values), scores([0] * len(values)), seed=1)
        held += row["ci_low"] <= truth <= row["ci_high"]
    assert 0.90 <= held / 200 <= 0.99


def test_holms_correction_is_within_one_measure():
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, 30)
    cells = {("judge", "j", "base"): scores(base)}
    for name, shift in (("good", 1.0), ("same", 0.0)):
        cells["judge", "j", name] = scores(base + shift + rng.normal(0, 1, 30))
    found = compare(cells, ["good", "same"], ["base"], 0, MARGINS, {}).set_index("model")
    assert found.p_holm["good"] == pytest.approx(2 * found.p["good"])
    assert found.p_holm["same"] == pytest.approx(found.p["same"])
    assert found.verdict["good"] == "better"
    assert found.verdict["same"] == "cannot tell"


def test_the_bca_interval_is_scipys():
    """scipy's own, on the differences; 24 of 30 differences are 0 and 6 are large: a skewed mean."""
    differences = np.array([0.0] * 24 + [3, 4, 5, 7, 8, 10])
    row = paired(scores(differences), scores([0] * 30), seed=3, bca=True)
    theirs = stats.bootstrap(
        (differences,), np.mean, n_resamples=99_999, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(theirs), abs=0.11)
    plain = paired(scores(differences), scores([0] * 30), seed=3)
    assert row["ci_low"] > plain["ci_low"] + 0.05, "the percentiles do not see the skew"


def test_signs_of_a_mean_over_tasks_count_each_task_alike():
    """Two tasks: one document with a difference of 2, two with 1 and -1. The mean is (2 + 0) / 2.

    Of the 8 signs, the sum of 1, 1/4 and -1/4 is at least 1 from zero in 6: those where the last two
    cancel or go with the first.
    """
    one = Measure({"a": {0: np.array([[2.0]])}, "b": {0: np.array([[1.0]]), 1: np.array([[-1.0]])}})
    zero = Measure({task: {k: 0 * v for k, v in part.items()} for task, part in one.parts.items()})
    row = paired(one, zero, seed=0)
    assert row["mean_difference"] == 1
    assert row["p"] == 6 / 8


def test_wilcoxons_own_example_and_the_rank_biserial_effect():
    """Wilcoxon (1945, Biometrics Bulletin 1) tests Darwin's maize: the ranks of the negative ones sum to 24.

    Of the 15 ranks, which sum to 120, 96 are positive: the effect is (96 - 24) / 120. The exact p, twice the
    1,351 of 32,768 ways to a sum of 24 or less, is in any table of the test: 0.0413 two-sided.
    """
    differences = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
    found = by_ranks(differences)
    assert found["rank_biserial"] == pytest.approx(72 / 120)
    assert found["p_wilcoxon"] == pytest.approx(0.0413, abs=0.0005)
    assert counts(differences) == {"wins": 13, "ties": 0, "losses": 2}
    assert by_ranks(np.zeros(5)) == {"p_wilcoxon": None, "rank_biserial": None}


def test_the_observed_is_one_of_the_random_ways_and_no_p_is_zero():
    """Nine random ways without a value are left out: none of the ten that are left is as far from zero."""
    assert _two_sided(np.full(10, 0.1), 5, 0, exact=False) == 1 / 11
    assert _two_sided(np.array([5, 0.1, -0.1, -5]), 5, 0, exact=True) == 2 / 4


def test_mcnemars_exact_p_by_hand():
    """Of 10 documents on which two models differ, one is right on 9: 2 (1 + 10) / 1,024."""
    one = np.array([1] * 9 + [0] + [1] * 20 + [0] * 5, dtype=float)
    other = np.array([0] * 9 + [1] + [1] * 20 + [0] * 5, dtype=float)
    assert exact_mcnemar(one, other) == pytest.approx(22 / 1024)
    assert exact_mcnemar(one * 0.5, other) is None, "no answers that are right or wrong"


@pytest.mark.parametrize("n", [200, 1782, 13_000])
def test_what_so_many_terms_can_find(n):
    """(1.960 + 0.842) standard errors; with a spread of 2.2 points the paper's 1,782 terms find 0.15."""
    assert detectable(np.tile([2.2, -2.2], n // 2)) == pytest.approx(2.8016 * 2.2 / np.sqrt(n), rel=0.01)
    assert detectable(np.array([1.0, 1.0])) is None


def test_missing_scores_have_bounds():
    """Terms a, b, c, d: differences 3, then 10 - 4 to 0 - 4, then 5 - 0 to 5 - 10, then 10 to -10."""
    one, other = {"a": 5, "b": None, "c": 5, "d": None}, {"a": 2, "b": 4, "c": None, "d": None}
    assert worst_case(one, other, 0, 10) == ((3 - 4 - 5 - 10) / 4, (3 + 6 + 5 + 10) / 4)


@pytest.mark.parametrize(
    ("difference", "low", "high", "p", "word"),
    [
        (1, 0.5, 1.5, 0.01, "better"),
        (-1, -1.5, -0.5, 0.01, "worse"),
        (0.1, -0.1, 0.2, 0.3, "equivalent"),
        (0.1, 0.05, 0.2, 0.001, "equivalent"),
        (0.1, -0.1, 0.3, 0.3, "cannot tell"),
        (1, 0.5, 1.5, 0.2, "cannot tell"),
        (1, None, None, None, "cannot tell"),
        (None, None, None, None, None),
    ],
)
def test_a_verdict_in_a_word(difference, low, high, p, word):
    row = {"mean_difference": difference, "ci_low": low, "ci_high": high, "p_holm": p}
    assert verdict(row, margin=0.25) == word


def simulated(shift: float, terms: int, studies: int) -> list[str]:
    """The verdicts of so many studies of six merges that differ from two baselines by `shift` in truth."""
    rng, words = np.random.default_rng(11), []
    for _ in range(studies):
        base = rng.normal(5, 3, terms)
        cells = {("judge", "j", name): scores(base + rng.normal(0, 1.5, terms)) for name in ("b", "c")}
        for k in range(6):
            cells["judge", "j", f"m{k}"] = scores(base + shift + rng.normal(0, 1.5, terms))
        found = compare(cells, [f"m{k}" for k in range(6)], ["b", "c"], 0, MARGINS, {})
        words.append(" ".join(found.verdict))
    return words


def test_without_a_difference_no_more_studies_than_stated_find_one():
    """In at most one study of twenty any of its twelve verdicts is wrong: of 60, 3, and 9 at the most."""
    wrong = sum("better" in words or "worse" in words for words in simulated(0.0, 40, 60))
    assert wrong <= 9


def test_a_difference_that_is_there_is_found():
    """A shift of a point among 60 terms, with pairs that differ by 2.1: 3.7 standard errors."""
    words = " ".join(simulated(1.0, 60, 20)).split()
    found = sum(word == "better" for word in words)
    assert found / (20 * 12) > 0.7
    assert "worse" not in words


def test_quadratic_kappa_and_offset_by_hand():
    # observed disagreement (0+1+0+1)/4; expected from the margins: mean of (i-j)^2 over all pairs
    one, other = [0, 10, 5, 5], [0, 9, 5, 6]
    expected = np.mean([(a - b) ** 2 for a in one for b in other])
    row = agreement(one, other)
    assert row["quadratic_kappa"] == pytest.approx(1 - 0.5 / expected)
    assert row["mean_offset"] == 0
    assert row["spearman"] == pytest.approx(
        0.9486833
    )  # ranks 1, 4, 2.5, 2.5 and 1, 4, 2, 3: 4.5/sqrt(4.5 * 5)


def test_agreement_of_a_judge_that_never_varies_is_undefined_and_not_zero():
    row = agreement([7, 7, 7], [1, 5, 9])
    assert (row["n"], row["spearman"], row["quadratic_kappa"]) == (3, None, None)
    pooled = table({("m", "a"): {"t": 7}, ("m", "b"): {"u": 7}})
    assert list(pooled.model) == ["m", "all"]
    assert list(pooled.n) == [0, 0]


def test_what_never_varied_is_not_certain():
    """Clopper and Pearson (1934): of 30 right answers the lower end is 0.025^(1/30), 0.884."""
    assert interval(scores([1] * 30), seed=0) == (1, pytest.approx(0.8843, abs=1e-4), 1)
    assert interval(scores([0] * 30), seed=0) == (0, 0, pytest.approx(0.1157, abs=1e-4))
    assert interval(scores([0.5] * 30), seed=0) == (0.5, 0.5, 0.5), "no share"
    assert mean_interval(np.array([10.0] * 30), seed=0) == (None, None)


def test_pairs_that_all_tie_are_equivalent_only_if_there_are_many():
    """The bound of 30 ties is 0.116 of accuracy, of 1,782 terms 0.0021 * 10 points."""
    for kind, n, word in (("benchmark", 30, "cannot tell"), ("benchmark", 300, "equivalent")):
        same = {(kind, "x", model): scores([1] * n) for model in "mb"}
        (row,) = compare(same, ["m"], ["b"], 0, MARGINS, {}).to_dict("records")
        assert row["verdict"] == word
        assert row["ci_high"] == -row["ci_low"] == pytest.approx(1 - 0.025 ** (1 / n), abs=1e-4)
    same = {("judge", "x", model): scores([7] * 1782) for model in "mb"}
    assert compare(same, ["m"], ["b"], 0, MARGINS, {}).ci_high.item() == pytest.approx(0.0207, abs=1e-4)


def test_a_comparison_that_cannot_be_made_is_a_row_too():
    found = compare({("benchmark", "x", "m"): scores([1, 0])}, ["m"], ["b"], 0, MARGINS, {})
    (row,) = found.to_dict("records")
    assert (row["model"], row["baseline"], row["n"]) == ("m", "b", 0)
    assert found[["verdict", "mean_difference", "p"]].isna().all(axis=None)


def test_scipys_bca_interval_is_ours():
    """scipy.stats.bootstrap of a mean, percentile and BCa, on skewed scores: the ends agree within chance."""
    values = np.random.default_rng(3).integers(0, 11, 400) ** 2 / 10
    ours = interval(scores(values), seed=1)[1:], mean_interval(values, seed=1)
    for method, ends in zip(("percentile", "BCa"), ours, strict=True):
        found = stats.bootstrap(
            (values,), np.mean, n_resamples=9999, method=method, rng=np.random.default_rng(2)
        )
        assert ends == pytest.approx(tuple(found.confidence_interval), abs=0.03)
    drawn = interval(scores(values + np.arange(400) * 1e-9), seed=1)[1:]  # now no two values are the same
    assert drawn == pytest.approx(ours[0], abs=0.03)


def test_krippendorffs_alpha_by_hand():
    """Two judges, two definitions, (2, 4) and (4, 4): the ordinal distance of 2 and 4 is (1/2 + 3/2)², 4.

    Observed: 2 of the 4 ordered pairs within a definition, 4 * 2 / 4. Expected: 2 * 1 * 3 of the 4 * 3
    ordered pairs of all, 4 * 6 / 12. So alpha is 1 - 2 / 2.
    """
    assert agreement([2, 4], [4, 4])["krippendorff_ordinal"] == pytest.approx(0)
    assert agreement([7, 7], [7, 7])["krippendorff_ordinal"] is None
    assert agreement([1, 9], [1, 9])["krippendorff_ordinal"] == pytest.approx(1)


def test_krippendorffs_own_example():
    """Krippendorff (2011, Computing Krippendorff's alpha-reliability), example D: ordinal alpha is 0.815."""
    nan = np.nan
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    ]
    assert krippendorff.alpha(observers, level_of_measurement="ordinal") == pytest.approx(0.815, abs=5e-4)


def test_judges_may_agree_in_the_ranks_of_the_models_and_in_no_score():
    cells = {
        (model, judge): {"t": low + shift, "u": low + shift}
        for model, low in (("m", 1), ("n", 3), ("o", 5))
        for judge, shift in (("a", 0), ("b", 4))
    }
    assert table(cells).set_index("model").systems_kendall["all"] == 1
    cells["m", "b"] = {"t": 10, "u": 10}  # b: 10, 7, 9, and a: 1, 3, 5: one pair alike, two not
    assert table(cells).set_index("model").systems_kendall["all"] == pytest.approx(-1 / 3, abs=1e-4)


def test_a_histogram_counts_each_score_and_no_missing_one():
    assert bars_of([0, 10, 10, None]) == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    figure = draw(["a_b"], {"j": "judge j"}, {("a_b", "j"): [0, 10, None]})
    bars = figure.axes[0].patches
    assert [bar.get_height() for bar in bars[:11]] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
