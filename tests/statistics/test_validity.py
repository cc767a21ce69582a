"""Cells that are not what they look like are found, and it is said why; those that are, are left alone."""

import pandas as pd
import pytest
from lexmerge.common.files import read_numbers, write_tsv
from lexmerge.statistics.validity import (
    caveats,
    of_definitions,
    of_judgements,
    of_parents,
    of_results,
    read_facts,
    reason,
    table,
)

DEFINITION = {
    "term": "t",
    "finish_reason": "stop",
    "flags": [],
    "prompt_language": "ja",
    "prompt_sha256": "p1",
    "input_sha256": "i1",
    "decoding": "greedy",
    "engine": "e",
}
JUDGEMENT = {"term": "t", "score": 5, "status": "scored", "judge_model": "gpt-1"}


def definitions(n: int, flagged: int = 0, flag: str = "truncated", **changed) -> list[dict]:
    rows = [DEFINITION | {"term": f"t{k}"} | changed for k in range(n)]
    return [row | ({"flags": [flag]} if k < flagged else {}) for k, row in enumerate(rows)]


def facts(**models) -> dict:
    """The checks of judge j from {model: (definitions, judgements)}."""
    return {
        ("judge", "j", model): of_definitions(written) | of_judgements(judged, "passed")
        for model, (written, judged) in models.items()
    }


def affected(found: dict, tolerance: float = 0.02) -> dict[tuple[str, str], str]:
    rows = table(found, "base", tolerance)
    return {(row.model, row.check): row.why for row in rows.itertuples() if row.affected}


SCORED = [JUDGEMENT] * 100


def test_end_tokens_are_recorded_and_no_reason_by_themselves():
    found = facts(base=(definitions(9), SCORED), merge=(definitions(9), SCORED))
    found["judge", "j", "base"] |= {"ends": "</s>"}
    found["judge", "j", "merge"] |= {"ends": "<|im_end|> </s>"}
    assert affected(found) == {}
    values = {row.model: row.value for row in table(found, "base", 0.02).itertuples() if row.check == "ends"}
    assert values == {"base": "</s>", "merge": "<|im_end|> </s>"}


def test_models_that_differ_in_nothing_are_left_alone():
    found = facts(base=(definitions(100, 30), SCORED), merge=(definitions(100, 30), SCORED))
    assert affected(found) == {}
    assert caveats(found, ("judge", "j"), "merge", "base", 0.02) == []


@pytest.mark.parametrize("flag", ["truncated", "empty", "echo", "wrong_language", "repetition"])
def test_a_model_that_has_more_of_something_odd_is_affected(flag):
    found = facts(base=(definitions(100, 1, flag), SCORED), merge=(definitions(100, 4, flag), SCORED))
    ((cell, why),) = affected(found).items()
    assert cell == ("merge", flag)
    assert why.endswith("merge 4.0%, base 1.0%")
    assert affected(found, tolerance=0.03) == {}
    # The other way round it is the base model whose scores are doubtful, and so is the comparison.
    found = facts(base=(definitions(100, 4, flag), SCORED), merge=(definitions(100, 1, flag), SCORED))
    assert list(affected(found)) == [("base", flag)]
    assert len(caveats(found, ("judge", "j"), "merge", "base", 0.02)) == 1


def test_the_least_is_that_of_the_models_asked_in_the_same_language():
    english = {"prompt_language": "en", "prompt_sha256": "p2", "input_sha256": "i2"}
    found = facts(
        base=(definitions(100, 4), SCORED),
        merge=(definitions(100, 5), SCORED),
        expert=(definitions(100, 0, **english), SCORED),
    )
    assert set(affected(found)) == {("expert", "language")}


def test_what_was_not_asked_is_no_part_of_the_shares():
    rows = definitions(4) + definitions(96, finish_reason="not_asked")
    rows[3] |= {"flags": ["empty"]}
    assert of_definitions(rows)["empty"] == 0.25
    judged = [JUDGEMENT, JUDGEMENT | {"score": None, "status": "refused"}]
    judged += [JUDGEMENT | {"score": None, "status": "no_translation"}] * 8
    assert of_judgements(judged, "passed")["unscored"] == 0.5


@pytest.mark.parametrize(
    ("changed", "check", "why"),
    [
        ({"prompt_sha256": "p2", "input_sha256": "i2"}, "prompt", "different prompt"),
        ({"input_sha256": "i2"}, "input", "another tokenizer or chat template"),
        ({"decoding": "temperature 0.7"}, "decoding", "(temperature 0.7, base greedy)"),
        ({"engine": "vllm"}, "engine", "different engine"),
        (
            {"prompt_language": "en", "prompt_sha256": "p2", "input_sha256": "i2"},
            "language",
            "language mismatch (en, base ja)",
        ),
    ],
)
def test_a_model_that_was_asked_in_another_way_is_affected_once(changed, check, why):
    found = facts(base=(definitions(9), SCORED), merge=(definitions(9, **changed), SCORED))
    ((cell, said),) = affected(found).items()
    assert cell == ("merge", check)
    assert why in said


def test_another_version_of_the_judge_and_one_that_fails_its_controls():
    newer = [JUDGEMENT | {"judge_model": "gpt-2"}]
    found = facts(base=(definitions(1), [JUDGEMENT]), merge=(definitions(1), newer))
    assert affected(found) == {("merge", "judge_model"): "different version of the judge"}
    failed = {key: value | {"controls": "failed"} for key, value in found.items()}
    why = "the judge has not passed its controls"
    assert affected(failed)["base", "controls"] == affected(failed)["merge", "controls"] == why
    assert caveats(failed, ("judge", "j"), "merge", "base", 0.02).count(why) == 1


def test_an_expert_that_is_its_own_reference():
    one, other = {"references": "the same texts"}, {"references": "other texts"}
    why = "the definitions of expert are the judge's references"
    assert reason("references", ("expert", one), ("base", other), 0.02) == why
    found = {("judge", "j", "expert"): one, ("judge", "j", "merge"): other}
    assert caveats(found, ("judge", "j"), "merge", "expert", 0.02) == [why]


def results(value, **changed) -> dict:
    return {
        "columns": ["quiz"],
        "groups": {},
        "results": {"quiz": {"acc,none": value}},
        "configs": {"quiz": {}},
        "n-samples": {"quiz": {"effective": 2, "original": 2}},
        "model_files": {"model.safetensors": "w", "tokenizer.json": "k"},
        "config": {"dtype": "float32"},
        "lm_eval_version": "0.4.13",
    } | changed


def sample(response, **changed) -> dict:
    return {"task": "quiz", "responses": [response], "doc_hash": "d", "prompt_hash": "q"} | changed


@pytest.mark.parametrize(
    ("changed", "samples", "check"),
    [
        ({"results": {"quiz": {"acc,none": None}}}, [sample([-1.0, False])] * 2, "number"),
        ({}, [sample([None, False]), sample([-1.0, False])], "not_a_number"),
        ({}, [sample([-1.0, False])], "documents"),
        ({}, [sample([-1.0, False], doc_hash="e")] * 2, "documents"),
        ({}, [sample([-1.0, False], prompt_hash="r")] * 2, "prompt"),
        ({"config": {"dtype": "bfloat16"}}, [sample([-1.0, False])] * 2, "harness"),
        ({"model_files": {"tokenizer.json": "other"}}, [sample([-1.0, False])] * 2, "tokenizer"),
    ],
)
def test_a_benchmark_that_was_run_in_another_way(changed, samples, check):
    same = of_results(results(0.5), [sample([-1.0, False])] * 2)["quiz_acc"]
    other = of_results(results(0.5, **changed), samples)["quiz_acc"]
    found = {("benchmark", "quiz_acc", "base"): same, ("benchmark", "quiz_acc", "merge"): other}
    assert check in {check for model, check in affected(found) if model == "merge"}
    assert not [model for model, _ in affected(found) if model == "base"]


def test_other_weights_alone_are_what_is_compared():
    one = of_results(results(0.5), [sample("a")])["quiz_acc"]
    other = of_results(
        results(0.5, model_files={"model.safetensors": "v", "tokenizer.json": "k"}), [sample("b")]
    )
    assert one == other["quiz_acc"]


def test_settings_beside_a_tokenizer_are_no_other_tokenizer():
    files = {"model.safetensors": "w", "tokenizer.json": "k", "tokenizer_config.json": "other"}
    same = of_results(results(0.5), [sample("a")])
    assert of_results(results(0.5, model_files=files), [sample("a")]) == same
    asked = {"config": {"chat_template": True}}
    assert of_results(results(0.5, model_files=files, **asked), [sample("a")]) != of_results(
        results(0.5, **asked), [sample("a")]
    )


def test_a_difference_of_the_tolerance_is_none():
    one, other = {"empty": 0.05}, {"empty": 0.03}
    assert reason("empty", ("m", one), ("n", other), 0.02) == ""
    assert reason("empty", ("m", one), ("n", other), 0.019) != ""


def test_substitutes_and_samples_are_written_down_and_grey_nothing_that_all_have():
    assert of_judgements([JUDGEMENT], "passed", "gpt-0")["substitute"] == "for gpt-0"
    assert of_judgements([JUDGEMENT], "passed")["substitute"] == "no"
    some = {"n-samples": {"quiz": {"effective": 2, "original": 5}}, "config": {"limit": 2}}
    sampled = of_results(results(0.5, **some), [sample("a")])["quiz_acc"]
    assert sampled["sampled"] == "first 2"
    assert affected({("benchmark", "q", m): sampled for m in ("base", "merge")}) == {}


def test_where_no_judge_answered_no_other_version_did():
    empty = JUDGEMENT | {"score": None, "status": "empty_definition", "judge_model": ""}
    found = facts(base=(definitions(1), [JUDGEMENT]), merge=(definitions(1), [empty]))
    assert ("merge", "judge_model") not in affected(found)


def test_empty_answers_of_what_is_generated():
    checks = of_results(results(0.5), [sample(" "), sample("yes")])["quiz_acc"]
    assert checks["empty"] == 0.5


def test_the_table_is_read_again_as_it_was(tmp_path):
    found = facts(base=(definitions(8, 1), SCORED), merge=(definitions(8), SCORED))
    write_tsv(tmp_path / "validity.tsv", table(found, "base", 0.02))
    read = read_facts(tmp_path / "validity.tsv")
    assert {key: dict(value) for key, value in read.items()} == found


def test_the_toy_studys_comparisons_carry_their_caveats(toy):
    comparisons = read_numbers(toy / "statistics/comparisons.tsv")
    judged = comparisons[(comparisons.kind == "judge") & (comparisons.baseline == "expert")]
    assert len(judged) == 12
    assert all("language mismatch (ja, expert en)" in said for said in judged.caveats)
    cells = pd.read_csv(toy / "tables/validity.tsv", sep="\t", keep_default_na=False)
    assert len(cells.drop_duplicates(["kind", "measure", "model"])) == 8 * (2 + 11)
    for row in cells[cells.check == "wrong_language"].itertuples():
        flags = read_numbers(toy / "tables/definition_flags.tsv").set_index("model")
        share = flags.wrong_language[row.model] / flags.n[row.model]
        assert float(row.value) == pytest.approx(share, abs=1e-4)
        least = 0 if row.model == "expert" else (flags.wrong_language / flags.n).drop("expert").min()
        assert (str(row.affected) == "True") == (share - least > 0.02)


def test_a_merge_whose_parents_compute_differently_is_affected_and_its_parents_are_not():
    found = facts(base=(definitions(9), SCORED), merge=(definitions(9), SCORED))
    found["judge", "j", "merge"] |= of_parents(["rope_theta is 1.0 in a, 2.0 in b"])
    why = "the parents of merge compute differently: rope_theta is 1.0 in a, 2.0 in b"
    assert affected(found) == {("merge", "parents"): why}
    assert caveats(found, ("judge", "j"), "merge", "base", 0.02) == [why]
    found["judge", "j", "merge"] |= of_parents([])
    assert affected(found) == {}
