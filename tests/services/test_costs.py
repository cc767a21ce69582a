"""What asking a judge may cost is said before it is asked, and what it cost after it."""

import pytest
from helpers import PROJECT, study_of
from lexmerge.common.errors import StudyError
from lexmerge.services import costs
from lexmerge.services.providers.openai import SERVER as OPENAI
from tables_costs import spent


def study(**judging) -> dict:
    given = {
        "study": {"judges": ["paid", "own"]},
        "judges": {
            "paid": {"provider": "openai", "model": "gpt-4o-2024-08-06", "price": {"input": 2, "output": 10}},
            "own": {"provider": "openai", "model": "m", "base_url": "http://localhost:1/v1/"},
        },
        "judging": judging,
    }
    return study_of(given)


def test_the_estimate_counts_every_call_and_prices_it():
    rows = {row["what"]: row for row in costs.estimate(study(controls={"terms": 10, "repeats": 4}), 66)}
    assert rows["judge paid"]["calls"] == 2 * 66 * 8 + 10 * (3 + 4), "in both languages"
    expected = rows["judge paid"]["input_tokens"] * 2 / 1e6 + rows["judge paid"]["output_tokens"] * 10 / 1e6
    assert rows["judge paid"]["usd"] == round(expected, 2)
    assert rows["judge own"]["usd"] == 0


def test_prices_come_from_the_list_unless_the_config_has_them():
    listed = {"provider": "openai", "model": "gpt-4o-2024-08-06", "base_url": OPENAI, "mode": "now"}
    assert costs.usd_per_million(listed) == (2.5, 10)
    assert costs.usd_per_million(listed | {"mode": "batch"}) == (1.25, 5)
    assert costs.usd_per_million(listed | {"price": {"input": 1, "output": 2}}) == (1, 2)
    assert costs.usd_per_million(listed | {"model": "no-such"}) is None
    elsewhere = listed | {"base_url": "https://elsewhere/v1"}
    assert costs.usd_per_million(elsewhere | {"key_variable": "K"}) is None
    assert costs.usd_per_million(elsewhere) == (0, 0)
    gemini = {"provider": "gemini", "model": "gemini-1.5-pro-002", "base_url": None, "mode": "now"}
    assert costs.usd_per_million(gemini) == (2.5, 10)


def test_a_study_dearer_than_its_limit_asks_nothing(monkeypatch):
    monkeypatch.chdir(PROJECT)
    paid = {"provider": "openai", "model": "gpt-4o-2024-08-06"}

    def ask(most: float) -> None:
        given = {"study": {"judges": ["paid"]}, "judges": {"paid": paid}, "judging": {"max_cost": most}}
        costs.stop_if_too_expensive(study_of(given), "openai", 1782)

    ask(1000)
    with pytest.raises(
        StudyError, match=r"may cost \d+\.\d\d dollars .*max_cost .1.00.; no request was sent"
    ):
        ask(1)
    paid["model"] = "no-such"
    with pytest.raises(StudyError, match="no price is known for judge paid"):
        ask(1)


def test_what_a_judge_cost_is_the_sum_of_its_answers():
    rows = [{"asked": 2, "input_tokens": 600_000, "output_tokens": 100_000}] * 2
    paid = {"provider": "openai", "model": "m", "base_url": "x", "price": {"input": 1, "output": 3}}
    assert spent("j", paid, rows) == {
        "judge": "j",
        "calls": 4,
        "input_tokens": 1_200_000,
        "output_tokens": 200_000,
        "usd": 1.8,
    }


def test_controls_are_of_no_more_terms_than_there_are():
    """Of each term a reference, another's, an injection, and a definition as often as it is repeated."""
    study = {"judging": {"controls": {"terms": 20, "repeats": 5}}}
    assert costs.calls_of_controls(study, 1000) == 160
    assert costs.calls_of_controls(study, 3) == 24
