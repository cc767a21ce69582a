"""A search's history: what its budget buys, which candidate is the best, and what is said on the way."""

import pytest
import yaml
from lexmerge.search.history import best, front, winning_seed
from search import histories, interruption


def test_the_front_has_what_no_other_beats():
    fitness = [(1, 5), (2, 4), (2, 3), None, (3, 1), (0, 5), (2, 4)]
    assert front(fitness) == [0, 1, 4]


SEARCH = {
    "parameters": {"w": {"range": [0, 1], "blocks": 2}},
    "objectives": {"score": []},
    "sigma": 0.2,
    "population": 4,
    "budget": {"evaluations": 10},
}


def scored(values: list[dict], seconds: float = 1.0) -> list[dict]:
    return [
        {
            "status": "ok",
            "fitness": [-abs(v["w"][0] - 0.3)],
            "seconds": {"merge": seconds, "evaluation": 0.0},
        }
        for v in values
    ]


def last(search: dict, evaluate_all=scored, seed: int = 0) -> list[dict]:
    return list(histories(search, seed, evaluate_all))[-1]


def test_a_search_spends_its_budget_to_the_last_evaluation():
    """The start, two generations of four, and one more."""
    assert [row["generation"] for row in last(SEARCH)] == [0, 1, 1, 1, 1, 2, 2, 2, 2, 3]
    assert last(SEARCH)[0]["values"] == {"w": [0.5, 0.5]}


def test_a_search_ends_when_its_hours_are_over():
    """After the start and one generation five half hours are spent, which is more than two."""
    budget = {"budget": {"evaluations": 100, "hours": 2}}
    assert len(last(SEARCH | budget, lambda values: scored(values, 1800.0))) == 5


def test_a_larger_budget_goes_on_with_the_same_candidates():
    more = last(SEARCH | {"budget": {"evaluations": 30}})
    assert more[:9] == last(SEARCH)[:9]


def test_the_best_is_the_first_with_the_highest_fitness():
    ok = [{"status": "ok", "fitness": [value]} for value in (0.1, 0.4, 0.4)]
    failed = {"status": "failed", "fitness": None}
    assert best([failed, *ok]) is ok[1]
    assert best([failed]) is None
    assert winning_seed({3: ok[:1], 5: ok}) == 5


@pytest.mark.parametrize(("known", "named"), [([1, 1, 1, 0, 0], 8), ([1, 1, 0, 1, 0], None), ([0] * 5, 5)])
def test_the_message_names_a_budget_only_where_it_gives_the_best_so_far(known, named, tmp_path):
    """Five evaluations are done, the best of them last, or the last of those of the next generation."""
    search = {"parameters": {"w": {"range": [0, 1]}}, "population": 4}
    params = {"search": search, "folders": {}, "journal": str(tmp_path)}
    done = [{"status": "ok", "fitness": [n], "score": [n], "recipe": {"n": n}} for n in range(5)]
    answers = [
        {"status": "ok", "fitness": [5 + n], "score": [5 + n]} if k else None for n, k in enumerate(known)
    ]
    said = interruption(done, [({"n": 5 + n}, a) for n, a in enumerate(answers)], params, 0)
    assert (f"`budget: {{evaluations: {named}}}`" in said) if named else ("budget" not in said)
    best_of_all = max([n for n, k in enumerate(known) if k], default=-1) + 5
    assert yaml.safe_load((tmp_path / "best.0.yaml").read_text()) == {"n": best_of_all}
