"""What people would give on average, from what they rated and what a judge gave all."""

import numpy as np
import pytest
from asked_judge import REFERENCES
from lexmerge.common.errors import StudyError
from lexmerge.judgements.ratings import rating_id, read_ratings, sheet
from statistics_ratings import means, powered
from statistics_ratings import table as ratings_table

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


def test_the_sheet_for_raters_is_shuffled_and_names_no_model(tmp_path):
    definitions = [[row | {"definition": f"{row['term']} of {m}"} for row in REFERENCES] for m in "ab"]
    rows = sheet(definitions, REFERENCES, 20, 1)
    assert rows == sheet(definitions[::-1], REFERENCES, 20, 1)
    assert rows != sheet(definitions, REFERENCES, 20, 2)
    assert len({row["id"] for row in rows}) == 20
    assert set(rows[0]) == {"id", "term", "translation", "reference", "definition", "score"}
    assert [row["term"] for row in rows] != sorted(row["term"] for row in rows)
    mark = [REFERENCES[0] | {"definition": "。"}]
    assert sheet([REFERENCES, mark], REFERENCES, 20, 1) == [], "neither the references nor what says nothing"


def test_people_and_judges_are_compared_on_what_both_scored(tmp_path):
    file = tmp_path / "ratings.tsv"
    one, other = rating_id("a", "x"), rating_id("b", "y")
    file.write_text(f"id\trater\tscore\n{one}\tA\t4\n{one}\tB\t6\n{other}\tA\t9\n{other}\tB\t\n")
    ratings = read_ratings(str(file))
    assert ratings == {one: [4, 6], other: [9]}
    table = ratings_table({"j": {one: 6.0, other: 7.0, "unrated": 1.0}}, ratings).set_index("judge")
    # people: 5 and 9; the judge: 6 and 7
    assert (table.n["j"], table.mean_offset["j"], table.mean_absolute_difference["j"]) == (2, -0.5, 1.5)
    assert table.spearman["j"] == 1
    assert (table.n["between human raters"], table.mean_offset["between human raters"]) == (1, -2)
    file.write_text(f"id\tscore\n{one}\t11\n")
    with pytest.raises(StudyError, match="line 2: '11' is not a score from 0 to 10"):
        read_ratings(str(file))
