"""What moved across languages: counted by hand."""

import pandas as pd
import pytest
from lexmerge.common.files import read_jsonl, read_numbers
from lexmerge.statistics.transfer import groups, known_terms, letters, moved, table, where

TERMS = ["a", "b", "c", "d", "e", "f"]


def knows(known: str, not_known: str = "") -> dict[str, bool]:
    return dict.fromkeys(known, True) | dict.fromkeys(not_known, False)


def test_what_a_parent_has_no_score_of_is_neither_lost_nor_never_there():
    found = where(["a", "b"], knows("", "ab"), knows("", "ab"), [knows("", "a"), knows("a", "b")])
    assert (found["lost"], found["never"], found["unscored"]) == (1, 0, 1)


def test_a_parent_that_was_not_asked_in_its_place_leaves_the_cells_empty():
    """An expert that is asked in the target language alone."""
    scores = {("j", name, "target"): knows("a", "b") for name in ("e", "g", "m")}
    found = table(scores, [{"term": "a"}], ["e", "g", "m"], ["m"], {"expert": "e", "generalist": "g"})
    assert found.open.isna().all()
    assert found.held.isna().all()


def test_of_many_values_the_rarest_are_one_group():
    terms = [{"term": f"t{n}", "semantic_tag": f"tag{n % 25}" if n < 50 else "common"} for n in range(80)]
    found = {value: chosen for group, value, chosen in groups(terms) if group == "semantic_tag"}
    assert len(found) == 20
    assert len(found["common"]) == 30
    assert sum(map(len, found.values())) == 80
    assert len(found["all others"]) == 80 - 30 - 18 * 2


def test_each_term_is_known_in_one_place():
    """a in both, b in the source, c in the target; d, which a parent knew, is lost; e was never there."""
    source, target = knows("ab", "cde"), knows("ac", "bde")
    found = where(TERMS, source, target, [knows("d", "e"), knows("", "de")])
    assert found == {
        "n": 5, "both": 1, "only_source": 1, "only_target": 1, "lost": 1, "never": 1, "unscored": 1,
    }  # fmt: skip


def test_what_moved_is_what_only_the_expert_knew_and_the_merge_knows_in_the_target_language():
    """The expert knows a, b, c, d, e; the generalist d and f, and e is without a score of it.

    Open are a, b, c, of which the merge knows a; held are d and f, of which it knows f.
    """
    found = moved(TERMS, knows("af", "bcde"), knows("abcde", "f"), knows("df", "abc"))
    assert (found["open"], found["moved"], found["held"], found["kept"]) == (3, 1, 2, 1)
    assert found["kept_share"] == 0.5
    # Wilson (1927) for 1 of 3: (1 + z²/2) / (3 + z²) less and more z/(3 + z²) * sqrt(1 * 2 / 3 + z²/4)
    z = 1.959964
    centre, reach = (1 + z**2 / 2) / (3 + z**2), z / (3 + z**2) * (2 / 3 + z**2 / 4) ** 0.5
    assert found["ci_low"] == pytest.approx(centre - reach)
    assert found["ci_high"] == pytest.approx(centre + reach)


def test_without_terms_there_is_no_share_and_not_a_zero():
    found = moved(["a"], knows("a"), knows("", "a"), knows("a"))
    assert (found["open"], found["moved_share"], found["ci_low"]) == (0, None, None)


def test_a_term_without_a_score_is_neither_known_nor_not():
    rows = [{"term": "a", "score": 7}, {"term": "b", "score": 6}, {"term": "c", "score": None}]
    assert known_terms(rows, 7) == {"a": True, "b": False}


def test_terms_are_grouped_by_what_is_known_of_them():
    terms = [
        {"term": "gout", "corpus_count": "0", "semantic_tag": "disorder"},
        {"term": "nephritis", "corpus_count": "1", "semantic_tag": ""},
        {"term": "cardiomyopathy", "corpus_count": "10", "semantic_tag": "disorder"},
    ]
    found = {(group, value): chosen for group, value, chosen in groups(terms)}
    assert found["all", ""] == ["gout", "nephritis", "cardiomyopathy"]
    assert [value for group, value in found if group == "corpus_count"] == ["0", "1", "10"]
    assert found["semantic_tag", "disorder"] == ["gout", "cardiomyopathy"]
    assert [value for group, value in found if group == "letters"] == ["1-7", "8-10", "14+"]
    assert [letters("x" * n) for n in (7, 8, 10, 11, 13, 14)] == [
        "1-7",
        "8-10",
        "8-10",
        "11-13",
        "11-13",
        "14+",
    ]
    assert list(groups([{"term": "mine"}])) == [("all", "", ["mine"]), ("letters", "1-7", ["mine"])]


def test_models_that_were_asked_in_one_language_still_show_what_moved():
    scores = {
        ("j", "e", "source"): knows("ab"),
        ("j", "g", "target"): knows("", "ab"),
        ("j", "m", "target"): knows("a", "b"),
    }
    terms = [{"term": term} for term in "ab"]
    found = table(scores, terms, ["e", "g", "m"], ["m"], {"expert": "e", "generalist": "g"})
    whole = found[found.group == "all"].set_index("model")
    assert (whole.open["m"], whole.moved["m"]) == (2, 1)
    assert pd.isna(whole.both["m"])
    assert pd.isna(whole.open["e"]), "the expert was not asked in the target language"


def test_the_toy_study_counts_what_its_judgements_say(toy):
    found = read_numbers(toy / "statistics/transfer.tsv")
    whole = found[found.group == "all"].set_index(["judge", "model"])
    assert len(whole) == 16

    def known(folder, model):
        rows = read_jsonl(toy / f"{folder}judgements/chrf/{model}.jsonl")
        return {row["term"] for row in rows if row["score"] is not None and row["score"] >= 7}

    expert, generalist = known("", "expert"), known("", "generalist")
    merge = whole.loc["chrf", "task_arithmetic"]
    here, there = known("", "task_arithmetic"), known("transfer/", "task_arithmetic")
    rows = read_jsonl(toy / "judgements/chrf/task_arithmetic.jsonl")
    unscored = {row["term"] for row in rows if row["score"] is None}
    assert merge.moved == len((expert - generalist) & here)
    assert (merge.both, merge.only_source) == (len(here & there), len(there - here - unscored))
    assert whole.loc["chrf", "expert"].only_source > 60, "it knows medicine in English alone"
    assert whole.loc["chrf", "generalist"].only_target > 20
    by_count = found[(found.group == "corpus_count") & (found.judge == "chrf")]
    assert by_count.groupby("model").terms.sum().eq(66).all()
    asked = {row["prompt_language"] for row in read_jsonl(toy / "transfer/definitions/expert.jsonl")}
    assert asked == {"ja"}
