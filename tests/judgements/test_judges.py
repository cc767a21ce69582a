"""Lexical judges and their table: what is scored, what is not, and by which measure."""

import pytest
from lexmerge.common.errors import StudyError
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.judgements.lexical_judges.rouge import Words
from lexmerge.judgements.scoring import by_overlap, gold_from_references, gold_from_table, judge_all, score
from tables_definition_scores import summary


@pytest.mark.parametrize("name", ["chrf", "rouge"])
def test_the_same_text_is_ten_and_another_one_is_low(name):
    measure, signature = LEXICAL_JUDGES[name].measure()
    english = "inflammation of the kidneys"
    assert score(measure, signature, english, english).score == 10
    assert score(measure, signature, "海を渡る乗り物", english).score == 0
    same = score(measure, signature, "腎臓に起こる炎症", "腎臓に起こる炎症")
    assert (same.score, same.status) == (10, "scored")
    assert signature


def test_rouge_counts_words_and_characters_of_scripts_without_spaces():
    assert Words().tokenize("Vitamin C 不足") == ["vitamin", "c", "不", "足"]
    measure, _ = LEXICAL_JUDGES["rouge"].measure()
    # the longest common subsequence has 2 of 3 words and 2 of 4: F = 2 * (2/3 * 2/4) / (2/3 + 2/4) = 4/7
    assert measure("loss of bone", "loss of the memory") == pytest.approx(4 / 7)


def test_chrf_is_sacrebleus_and_says_so():
    from sacrebleu.metrics import CHRF

    measure, signature = LEXICAL_JUDGES["chrf"].measure()
    expected = CHRF().sentence_score("loss of bone", ["loss of bones"]).score / 100
    assert measure("loss of bone", "loss of bones") == pytest.approx(expected)
    assert signature.startswith("chrF2|nrefs:1|")
    assert "version:" in signature


def test_what_cannot_be_scored_has_a_status_and_no_score():
    measure, signature = LEXICAL_JUDGES["chrf"].measure()
    rows = [
        {"term": "a", "prompt_language": "en", "definition": "  ", "finish_reason": "stop"},
        {"term": "b", "prompt_language": "en", "definition": "text", "finish_reason": "stop"},
        {"term": "C", "prompt_language": "en", "definition": "text", "finish_reason": "stop"},
        {"term": "c", "prompt_language": "en", "definition": "", "finish_reason": "not_asked"},
    ]
    gold = {("a", "en"): "gold", ("c", "en"): "text", ("b", "ja"): "text"}
    judged = judge_all(rows, by_overlap(gold, measure, signature))
    assert [(row["score"], row["status"]) for row in judged] == [
        (None, "empty_definition"),
        (None, "no_reference"),
        (10, "scored"),
        (None, "no_translation"),
    ]


def test_a_missing_score_is_counted_and_is_not_a_zero():
    judged = [
        {"score": 10, "status": "scored"},
        {"score": 4, "status": "scored"},
        {"score": None, "status": "refused"},
        {"score": None, "status": "blocked"},
    ]
    assert summary("m", "j", judged, seed=0) == {
        "model": "m",
        "judge": "j",
        "median": 7.0,
        "mean": 7.0,
        "std": 4.2426,  # of a sample: sqrt(((10-7)^2 + (4-7)^2) / 1)
        "n": 2,
        "n_unscored": 2,
        "unscored": "1 blocked, 1 refused",
        "ci_low": 4.0,  # of two scores, every fourth mean that is drawn is one of them
        "ci_high": 10.0,
    }
    nothing = summary("m", "j", [{"score": None, "status": "refused"}], seed=0)
    assert (nothing["n"], nothing["ci_low"]) == (0, None)
    assert nothing["mean"] != nothing["mean"]  # NaN: an empty cell in the table


def test_gold_comes_from_a_table_or_from_the_experts_references(tmp_path):
    table = tmp_path / "gold.tsv"
    table.write_text("term\tdefinition_en\tdefinition_ja\nGout\tpainful\t\n", encoding="utf-8")
    assert gold_from_table(str(table), ["en", "ja"]) == {("gout", "en"): "painful"}
    with pytest.raises(StudyError, match="no column definition_fr"):
        gold_from_table(str(table), ["en", "fr"])
    references = [{"term": "gout", "definition": "painful"}]
    assert gold_from_references(references, ["ja"]) == {("gout", "ja"): "painful"}
