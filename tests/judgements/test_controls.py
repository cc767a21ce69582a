"""Controls: judgements whose right score is known, and what a judge that errs in them is called."""

import json
from collections import Counter

import pandas as pd
import pytest
from asked_judge import KEY, REFERENCES, judge, said
from helpers import PROJECT
from lexmerge.common.files import write_tsv
from lexmerge.common.prompts import read_prompt
from lexmerge.judgements.control_questions import control_questions, judge_controls
from lexmerge.judgements.control_results import controls_of
from lexmerge.judgements.scoring import by_model
from servers.chat_server import Reply, serving
from tables_controls import outcome

INJECTION = read_prompt(PROJECT / "resources/prompts/injection.ja.txt")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)


REAL = [row | {"definition": f"real {row['term']}", "prompt_language": "ja"} for row in REFERENCES]


def test_the_controls_are_a_seeded_sample_with_known_right_scores():
    rows = control_questions(REFERENCES, REAL, INJECTION, 10, 3, 1)
    assert rows == control_questions(REFERENCES, REAL, INJECTION, 10, 3, 1)
    assert rows != control_questions(REFERENCES, REAL, INJECTION, 10, 3, 2)
    kinds = Counter(row["control"] for row in rows)
    assert kinds == {"reference": 10, "injection": 10, "empty": 10, "other_term": 10, "repeat": 30}
    known = {row["term"]: row["definition"] for row in REFERENCES}
    assert all(row["definition"] == known[row["term"]] for row in rows if row["control"] == "reference")
    others = [row for row in rows if row["control"] == "other_term"]
    assert all(row["definition"] != known[row["term"]] for row in others)
    assert len(control_questions(REFERENCES[:2], REAL, INJECTION, 10, 2, 1)) == 2 * 4 + 2 * 2, (
        "a study smaller than the sample"
    )


@pytest.mark.parametrize(
    ("gullible", "passed"),
    [
        (None, {"reference": True, "other_term": True, "injection": True, "empty": True}),
        ("injection", {"reference": True, "other_term": True, "injection": False, "empty": True}),
        ("other_term", {"reference": True, "other_term": False, "injection": True, "empty": True}),
        ("reference", {"reference": False, "other_term": True, "injection": True, "empty": True}),
    ],
)
def test_a_judge_that_errs_in_a_control_fails_it(tmp_path, gullible, passed):
    """The stand-in judge knows the right score, but for the kind that it falls for."""

    def reply(body):
        text = body["messages"][1]["content"].splitlines()
        reference, definition = (json.loads(line.partition(": ")[2]) for line in text[2:])
        if definition == INJECTION:
            return Reply(said(10 if gullible == "injection" else 0))
        if definition.startswith("real"):
            return Reply(said(5))
        right = definition == reference
        kind = "reference" if right else "other_term"
        return Reply(said(10 if right != (gullible == kind) else 0))

    with serving(reply) as server:
        rows = judge_controls(
            control_questions(REFERENCES, REAL, INJECTION, 5, 3, 1),
            by_model(judge(server.url, tmp_path / "c.jsonl"), REFERENCES),
        )
    found = {row["control"]: row["passed"] for row in outcome("j", rows, 3, 7)}
    assert found == passed | {"repeat": None}


def test_a_judges_noise_is_the_spread_of_one_definitions_scores():
    rows = [
        {"control": "repeat", "term": "a", "score": 4},
        {"control": "repeat", "term": "a", "score": 8},  # a standard deviation of 2
        {"control": "repeat", "term": "b", "score": 5},
        {"control": "repeat", "term": "b", "score": 5},
        {"control": "repeat", "term": "b", "score": None},
    ]
    noise = outcome("j", rows, 3, 7)[-1]
    assert (noise["n"], noise["n_scored"], noise["mean"], noise["worst"]) == (5, 4, 1.0, 2.0)
    nothing = outcome("j", [{"control": "reference", "term": "a", "score": None}], 3, 7)[0]
    assert nothing["passed"] is False, "a control without a score is not passed"
    few = [{"control": "reference", "term": "a", "score": score} for score in (10, None, None)]
    assert outcome("j", few, 3, 7)[0]["passed"] is False, "nor one of which most has none"


def test_a_judge_without_controls_is_untested(tmp_path):
    for rows, expected in (
        ([], "untested"),
        ([{"control": "reference", "term": "a", "score": 1}], "failed"),
        ([{"control": "reference", "term": "a", "score": 9}], "untested"),
        (
            [
                {"control": "reference", "term": "a", "score": 9},
                {"control": "other_term", "term": "a", "score": 0},
            ],
            "passed",
        ),
    ):
        write_tsv(tmp_path / "c.tsv", pd.DataFrame(outcome("j", rows, 3, 7)))
        assert controls_of(str(tmp_path / "c.tsv")) == {"j": expected}
