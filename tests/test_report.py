"""The report's page: what was written by models is text on it, and what is missing is a dash."""

from report import number, render, spread, term_cards

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def test_a_hostile_definition_is_text(tmp_path):
    template = tmp_path / "t.j2"
    template.write_text(
        "{% for c in cards %}{% for a in c.answers %}{{ a.definition }}{% endfor %}{% endfor %}"
    )
    row = {"term": "t", "translation": HOSTILE, "definition": HOSTILE, "flags": ["echo"]}
    judged = {("m", "j"): [{"term": "t", "score": 1, "reason": HOSTILE, "status": "scored"}]}
    page = render(str(template), cards=term_cards({"m": [row]}, judged))
    assert "<script" not in page
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page


def test_a_missing_number_is_a_dash():
    assert (number(None), number(float("nan")), number(0), number(0.125, 1)) == ("–", "–", "0.00", "0.1")


def test_terms_are_spread_evenly():
    assert spread(list(range(10)), 4) == [0, 3, 6, 9]
    assert spread([1, 2], 24) == [1, 2]
