"""Paired comparisons and agreement, against numbers that others published or that follow by hand."""

import numpy as np
import pytest
from figures_score_histograms import counts, draw
from lexmerge.measures import of_scores, paired
from statistics_agreement import agreement, table
from statistics_comparisons import compare


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
    found = compare(cells, ["good", "same"], ["base"], seed=0).set_index("model")
    assert found.p_holm["good"] == pytest.approx(2 * found.p["good"])
    assert found.p_holm["same"] == pytest.approx(found.p["same"])


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


def test_a_histogram_counts_each_score_and_no_missing_one():
    assert counts([0, 10, 10, None]) == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    figure = draw(["a_b"], {"j": "judge j"}, {("a_b", "j"): [0, 10, None]})
    bars = figure.axes[0].patches
    assert [bar.get_height() for bar in bars[:11]] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
