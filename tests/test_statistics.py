"""Paired comparisons and agreement, against numbers that others published or that follow by hand."""

import numpy as np
import pytest
from figures_score_histograms import counts, draw
from statistics_agreement import agreement, table
from statistics_comparisons import compare, paired


def scores(values):
    return dict(enumerate(values))


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
    row = paired({"a": 5, "b": 9, "c": 1}, {"a": 3, "c": 1, "d": 10}, seed=0)
    assert (row["n"], row["mean_difference"]) == (2, 1.0)
    assert paired({"a": 1}, {"b": 1}, seed=0) == {
        "n": 0,
        "mean_difference": None,
        "ci_low": None,
        "ci_high": None,
        "p": None,
    }


def test_no_difference_at_all_is_certain_and_a_constant_one_has_no_interval():
    same = paired(scores([1, 2, 3]), scores([1, 2, 3]), seed=0)
    assert (same["mean_difference"], same["ci_low"], same["ci_high"], same["p"]) == (0, 0, 0, 1)
    shifted = paired(scores([2, 3, 4]), scores([1, 2, 3]), seed=0)
    assert (shifted["mean_difference"], shifted["ci_low"], shifted["p"]) == (1, None, None)


def test_intervals_hold_what_they_promise():
    """Of 200 samples of 40 differences with true mean 0.5, about 95 % of the intervals hold it."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        row = paired(scores(rng.normal(0.5, 2, 40)), scores([0] * 40), seed=1)
        held += row["ci_low"] <= 0.5 <= row["ci_high"]
    assert 0.89 <= held / 200 <= 0.99


def test_holms_correction_is_within_one_measure():
    rng = np.random.default_rng(0)
    base = scores(rng.normal(0, 1, 30))
    cells = {("judge", "j", "base"): base}
    for name, shift in (("good", 1.0), ("same", 0.0)):
        cells["judge", "j", name] = {key: value + shift + rng.normal(0, 1) for key, value in base.items()}
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
