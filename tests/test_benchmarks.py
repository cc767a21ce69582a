"""Benchmarks: the tasks' data and metrics by hand, and that lm-eval's numbers are those of the samples."""

import importlib.util
import json
import math
from pathlib import Path

import pytest
from benchmark_data import pubmedqa, task_documents
from benchmarks import strict
from lexmerge.errors import StudyError
from lexmerge.files import read_jsonl
from lexmerge.harness import column, metrics, sample_scores, size, title
from lexmerge.toy import DOCUMENTS, MAKERS
from tables_benchmarks import table

PROJECT = Path(__file__).parents[1]
GLOSSARY = str(PROJECT / "resources/toy/glossary.tsv")


def utils(suite: str):
    spec = importlib.util.spec_from_file_location(suite, PROJECT / f"resources/benchmarks/{suite}/utils.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pearson_of_the_likeliest_digit():
    sts = utils("jmedbench")
    scored = sts.likeliest_digit({"label": 4}, [(-3.0, False), (-1.0, True), (-2.0, False)])
    assert scored == {"pearson": (1.0, 4.0)}
    # x - 2 = -1, 0, 1 and y - 3 = -2, 1, 1: 3 / sqrt(2 * 6)
    assert sts.pearson([(1, 1), (2, 4), (3, 4)]) == pytest.approx(3 / math.sqrt(12))
    assert math.isnan(sts.pearson([(2, 1), (2, 4)])), "a constant prediction has no correlation"


def test_rouge_2_over_mecabs_words():
    leaderboard = utils("japanese_leaderboard")
    assert leaderboard.rouge2({"summary": "夜の空に光る点"}, [" 夜の空に光る点\n"]) == {"rouge2": 1.0}
    assert leaderboard.rouge2({"summary": "夜の空に光る点"}, ["犬"]) == {"rouge2": 0.0}
    # 夜 の 空 and 夜 の 月: one pair of two is shared, F = 1/2
    assert leaderboard.rouge2({"summary": "夜の空"}, ["夜の月"])["rouge2"] == pytest.approx(0.5)


def test_pubmedqas_official_questions_in_order_of_their_ids(tmp_path):
    (tmp_path / "ori_pqal.json").write_text(
        json.dumps({k: {"QUESTION": f"q{k}", "CONTEXTS": ["c"], "extra": 1} for k in ("10", "9", "8")})
    )
    (tmp_path / "test_ground_truth.json").write_text('{"10": "yes", "9": "maybe"}')
    assert [(row["pmid"], row["QUESTION"], row["final_decision"]) for row in pubmedqa(str(tmp_path))] == [
        ("9", "q9", "maybe"),
        ("10", "q10", "yes"),
    ]
    (tmp_path / "ori_pqal.json").unlink()
    with pytest.raises(StudyError, match=r"ori_pqal\.json"):
        pubmedqa(str(tmp_path))


def test_a_folder_of_local_copies(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n')
    assert task_documents("jsonl", str(tmp_path), "t") == [{"a": 1}]
    with pytest.raises(StudyError, match=r"no .*u\.jsonl; a folder of local copies"):
        task_documents("jsonl", str(tmp_path), "u")


@pytest.mark.parametrize("task", MAKERS)
def test_the_toy_documents_are_many_and_all_different(task):
    rows = task_documents("toy", GLOSSARY, task)
    assert len({json.dumps(row) for row in rows}) == DOCUMENTS


def test_the_toy_answers_are_balanced_and_right():
    by_task = {task: task_documents("toy", GLOSSARY, task) for task in MAKERS}
    decisions = [row["final_decision"] for row in by_task["pubmedqa"]]
    assert {decisions.count(d) for d in ("yes", "no", "maybe")} == {10}
    for row in by_task["jcommonsenseqa"]:
        assert len({row[f"choice{i}"] for i in range(5)}) == 5
    for row in by_task["jmedbench_mcqa"]:
        assert len(set(row["options"])) == 4
    assert {row["label"] for row in by_task["jmedbench_sts"]} >= {0, 5}
    for row in by_task["jsquad"]:
        assert row["answers"]["text"][0] in row["context"]


def test_results_are_strict_json():
    import numpy as np

    value = {"a": np.float64(0.5), "b": float("nan"), "c": (np.int64(1), None), 3: strict}
    assert strict(value) == {"a": 0.5, "b": None, "c": [1, None], "3": "strict"}
    json.dumps(strict(value), allow_nan=False)


RESULTS = {
    "results": {
        "sts": {"alias": "STS", "pearson,none": None, "pearson_stderr,none": "N/A"},
        "qa": {"alias": "QA", "acc,none": 0.25, "acc_stderr,none": 0.1},
    },
    "configs": {"sts": {"task_alias": "STS", "metadata": {"label": "Pearson"}}, "qa": {}},
    "n-samples": {"sts": {"original": 9, "effective": 4}, "qa": {"original": 4, "effective": 4}},
}


def test_a_correlation_that_is_not_defined_is_an_empty_cell_and_no_zero():
    assert metrics(RESULTS) == [("sts", "pearson", None), ("qa", "acc", 0.25)]
    made = table([("m", RESULTS)])
    assert list(made) == ["model", "sts_pearson", "qa_acc"]
    assert made.to_csv(index=False) == "model,sts_pearson,qa_acc\nm,,0.25\n"
    assert (title(RESULTS, "sts"), title(RESULTS, "qa"), size(RESULTS, "sts")) == ("STS Pearson", "qa", 4)


def test_a_sample_has_a_score_only_where_the_metric_is_its_own():
    samples = [
        {"task": "sts", "doc_id": 0, "pearson": [1.0, 2.0]},
        {"task": "qa", "doc_id": 0, "acc": 1.0},
        {"task": "qa", "doc_id": 1, "acc": 0.0},
    ]
    assert sample_scores(samples, "sts", "pearson") == {}
    assert sample_scores(samples, "qa", "acc") == {0: 1.0, 1: 0.0}


def test_lm_evals_means_are_those_of_the_samples(toy):
    for suite in ("pubmedqa", "japanese_leaderboard", "jmedbench"):
        results = json.loads((toy / f"benchmarks/{suite}/slerp.json").read_text(encoding="utf-8"))
        samples = read_jsonl(toy / f"benchmarks/{suite}/slerp.samples.jsonl")
        for task, metric, value in metrics(results):
            each = sample_scores(samples, task, metric)
            if metric != "pearson":
                assert len(each) == DOCUMENTS
                assert value == pytest.approx(sum(each.values()) / DOCUMENTS), column(task, metric)


def test_the_likeliest_answer_is_the_models_own(toy):
    """Log-likelihoods from lm-eval against a plain forward pass over prompt and answer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = (
        kind.from_pretrained(toy / "models/expert") for kind in (AutoTokenizer, AutoModelForCausalLM)
    )
    document = read_jsonl(toy / "benchmark_data/pubmedqa/pubmedqa.jsonl")[0]
    sample = read_jsonl(toy / "benchmarks/pubmedqa/expert.samples.jsonl")[0]
    prompt = f"Abstract: {document['CONTEXTS'][0]}\nQuestion: {document['QUESTION']}\nAnswer:"
    for choice, (likelihood, _) in zip(("yes", "no", "maybe"), sample["responses"], strict=True):
        start, whole = (tokenizer(text)["input_ids"] for text in (prompt, f"{prompt} {choice}"))
        with torch.inference_mode():
            logits = model.float()(torch.tensor([whole])).logits[0].log_softmax(-1)
        expected = sum(logits[i - 1, whole[i]].item() for i in range(len(start), len(whole)))
        assert likelihood == pytest.approx(expected, abs=1e-3)
