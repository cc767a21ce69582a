"""What people would give on average, from what they rated and what a judge gave all."""

import numpy as np
import pytest
from statistics_ratings import means, powered

PEOPLE = [8, 3, 6, 9, 2, 7, 5, 10, 4, 6, 1, 8]
JUDGE = [9, 5, 6, 10, 4, 7, 7, 10, 6, 7, 3, 8]
OTHERS = [7, 8, 5, 9, 6, 10, 4, 8, 7, 6, 9, 3, 8, 7, 5, 10, 6, 7, 9, 8]


def test_the_authors_own_package_gives_the_same():
    """ppi-python 0.2.3, which divides variances by n, gives 5.981, and 5.055 to 6.907."""
    found = powered(list(zip(PEOPLE, JUDGE, strict=True)), OTHERS)
    assert found["mean"] == pytest.approx(5.981, abs=0.03)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((5.055, 6.907), abs=0.07)
    assert found["people_mean"] == 69 / 12
    assert (found["n_rated"], found["n_judged"], found["judge_mean"]) == (12, 32, 7.0)


def test_a_judge_that_foretells_nothing_changes_nothing():
    found = powered([(person, 5) for person in PEOPLE], [5] * 20)
    assert (found["weight"], found["mean"]) == (0, 69 / 12)
    reach = 1.959964 * np.std(PEOPLE, ddof=1) / 12**0.5
    assert found["ci_high"] - found["mean"] == pytest.approx(reach)


def test_where_people_rated_all_it_is_their_own_mean():
    found = powered(list(zip(PEOPLE, JUDGE, strict=True)), [])
    assert (found["weight"], found["mean"]) == (0, 69 / 12)
    assert found["ci_low"] < 69 / 12 < found["ci_high"]


def test_of_too_few_there_is_no_interval():
    few = powered(list(zip(PEOPLE, JUDGE, strict=True))[:9], OTHERS)
    assert "mean" not in few
    assert few["people_mean"] == 54 / 9
    assert powered([], [])["judge_mean"] is None


def test_intervals_hold_the_truth_and_are_narrower_than_without_the_judge():
    """A judge two points too kind: about 95 % of 300 intervals hold the people's mean."""
    rng, held, widths = np.random.default_rng(5), 0, []
    for _ in range(300):
        truth = rng.normal(5, 2, 400)
        judge = truth + 2 + rng.normal(0, 0.8, 400)
        found = powered(list(zip(truth[:40], judge[:40], strict=True)), list(judge[40:]))
        held += found["ci_low"] <= 5 <= found["ci_high"]
        widths.append(
            (found["ci_high"] - found["ci_low"]) / (2 * 1.96 * np.std(truth[:40], ddof=1) / 40**0.5)
        )
    assert held / 300 > 0.91
    assert np.mean(widths) < 0.6


def test_ratings_go_to_the_model_whose_text_was_rated():
    scores = {("m", "j"): {f"d{k}": float(s) for k, s in enumerate(JUDGE + OTHERS)}, ("n", "j"): {"x": 1.0}}
    ratings = {f"d{k}": [person - 1.0, person + 1.0] for k, person in enumerate(PEOPLE)}
    rows = means(scores, ratings).set_index("model")
    assert (rows.n_rated["m"], rows.n_rated["n"]) == (12, 0)
    assert rows["mean"]["m"] == pytest.approx(5.98, abs=0.03)
    assert np.isnan(rows["mean"]["n"])
