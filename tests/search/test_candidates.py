"""What a candidate is worth: of the harness's numbers, that which the objective names."""

import math
from types import SimpleNamespace

import pytest
from lexmerge.common.errors import StudyError
from lexmerge.search.candidates import Part, _among_options, mean_gold, value_of
from lexmerge.search.live_model import Unusable


def test_the_probability_of_the_right_answer_is_that_among_the_options():
    """exp(-1) / (exp(-1) + exp(-2) + exp(-2)) for one right answer, and the rest for the two others."""
    sample = {"resps": [[(-1.0, True)], [(-2.0, False)], [(-2.0, False)]], "target": 0, "doc": {}}
    share = math.exp(-1) / (math.exp(-1) + 2 * math.exp(-2))
    sample["resps"] += [[(-0.1, False)]] * 3  # as of a metric that asks for the options without the question
    task = SimpleNamespace(doc_to_choice=lambda doc: ["yes", "no", "maybe"])
    assert _among_options(task, sample) == pytest.approx(math.log(share))
    other = sample | {"target": ["no", "maybe"]}
    assert _among_options(task, other) == pytest.approx(math.log(1 - share))


def test_of_a_text_that_is_to_be_written_a_characters_probability_counts():
    task = SimpleNamespace(
        task_name="t", OUTPUT_TYPE="generate_until", config=SimpleNamespace(target_delimiter="")
    )
    lm = SimpleNamespace(loglikelihood=lambda requests, disable_tqdm: [(-6.0, False), (-2.0, True)])
    samples = [
        {"doc_id": n, "doc": {}, "target": target, "arguments": [("asked", {})]}
        for n, target in enumerate((["傘立て", "傘"], "傘"))
    ]
    assert mean_gold(lm, task, {"samples": {"t": samples}}) == (-6.0 / 3 - 2.0) / 2


def test_a_metric_goes_by_its_name_or_by_name_and_filter():
    values = {"acc,none": 0.5, "acc_stderr,none": 0.1, "f1,a": 0.2, "f1,b": 0.3, "bad,none": None}
    assert value_of(values, Part("t", "acc", 1)) == 0.5
    assert value_of(values, Part("t", "f1,b", 1)) == 0.3
    with pytest.raises(StudyError, match="has several metrics f1; name one of these, with its filter: "):
        value_of(values, Part("t", "f1", 1))
    with pytest.raises(
        StudyError,
        match=r"has no metric .*; name one of these, with its filter: acc,none, bad,none, f1,a, f1,b",
    ):
        value_of(values, Part("t", "em", 1))
    with pytest.raises(Unusable, match="t bad is not a number"):
        value_of(values, Part("t", "bad", 1))
