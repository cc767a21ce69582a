"""Benchmark runs: what is kept, what is never shared, and that every number is that of its samples."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks import evaluate
from helpers import PROJECT
from lexmerge.benchmarks.results import column, limits, metrics, size, tasks_of, title
from lexmerge.benchmarks.suites import columns, load_suite, strict
from lexmerge.benchmarks.toy import DOCUMENTS
from lexmerge.common.files import read_jsonl, read_numbers, write_json, write_jsonl
from lexmerge.statistics.measures import Measure, interval, of_samples, of_scores, paired, part_of
from tables_benchmark_scores import rows as score_rows
from tables_benchmarks import table
from test_tasks import SETTINGS, ShortestAnswer

SUITES = ("pubmedqa", "japanese_leaderboard", "jmedbench")
TASK = """
task: %s
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
num_fewshot: 0
output_type: multiple_choice
doc_to_text: "{{ q }}"
doc_to_choice: ["yes", "no"]
doc_to_target: "{{ a }}"
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


@pytest.fixture
def mine(tmp_path):
    """A folder of one's own: two tasks that bring their data, a group of them, and two models."""
    right = {"x?": "no", "y?": "yes", "z?": "no"}
    write_jsonl(tmp_path / "d.jsonl", [{"q": question, "a": answer} for question, answer in right.items()])
    write_jsonl(tmp_path / "e.jsonl", [{"q": "x?", "a": "yes"}])
    for name, data in (("one", "d"), ("two", "e")):
        (tmp_path / f"tasks/{name}.yaml").parent.mkdir(exist_ok=True)
        (tmp_path / f"tasks/{name}.yaml").write_text(TASK % (name, tmp_path / f"{data}.jsonl"))
    (tmp_path / "tasks/both.yaml").write_text(
        "group: both\ntask: [one, two]\naggregate_metric_list: [{metric: acc, weight_by_size: true}]\n"
    )
    (tmp_path / "tasks/loose.yaml").write_text("group: loose\ntask: [one, two]\n")
    write_json(tmp_path / "a/config.json", {"weights": 1})
    write_json(tmp_path / "b/config.json", {"weights": 2})
    return tmp_path


def run(mine: Path, names: list[str], model: str = "a", start=lambda _: ShortestAnswer(), **settings):
    suite = load_suite(names, str(mine / "tasks"), {})
    return evaluate(suite, str(mine / model), SETTINGS | settings, "code", mine / "kept", start)


def never(backend: str):
    raise AssertionError("the model was loaded again")


def test_tasks_of_ones_own_with_their_own_data(mine):
    results, samples = run(mine, ["both"])
    # "no" is the shorter answer: 2 of 3, and 0 of 1
    assert results["groups"]["both"]["acc,none"] == pytest.approx(2 / 4), "weighted by size"
    assert list(metrics(results)) == [("both", "acc", pytest.approx(1 / 2))]
    assert (tasks_of(results, "both"), size(results, "both")) == (["one", "two"], 4)
    assert [(row["task"], row["document"], row["acc"]) for row in samples] == [
        *(("one", 0, 1.0), ("one", 1, 0.0), ("one", 2, 1.0), ("two", 0, 0.0)),
    ]
    assert interval(of_samples(results, samples, "both", "acc"), seed=0)[0] == pytest.approx(2 / 4)
    assert str(mine) not in json.dumps(results), "nothing of this machine"


def test_a_group_without_a_mean_stands_in_the_table_as_its_tasks(mine):
    assert columns(load_suite(["loose"], str(mine / "tasks"), {})) == ["one", "two"]
    (mine / "tasks/outer.yaml").write_text("group: outer\ntask: [loose]\n")
    assert columns(load_suite(["outer"], str(mine / "tasks"), {})) == ["one", "two"]
    for name in ("one", "two"):
        with (mine / f"tasks/{name}.yaml").open("a") as file:
            file.write("tag: some\n")
    assert columns(load_suite(["some"], str(mine / "tasks"), {})) == ["one", "two"]


def test_a_metric_by_two_filters_is_two_columns(mine):
    filters = (
        "filter_list:\n"
        "  - {name: first, filter: [{function: take_first}]}\n"
        "  - {name: again, filter: [{function: take_first}]}\n"
    )
    with (mine / "tasks/one.yaml").open("a") as file:
        file.write(filters)
    results, samples = run(mine, ["one"])
    found = [(column(name, metric), value) for name, metric, value in metrics(results)]
    assert found == [("one_acc_first", pytest.approx(2 / 3)), ("one_acc_again", pytest.approx(2 / 3))]
    measure = of_samples(results, samples, "one", "acc,first")
    assert (measure.size(), interval(measure, 0)[0]) == (3, pytest.approx(2 / 3))
    assert title(results, "one", "acc,first") == "one acc first"


def test_a_field_of_the_users_is_no_number_of_a_document(mine):
    rows = [{"q": "x?", "a": "no", "document": "the same text"}] * 2 + [
        {"q": "y?", "a": "yes", "document": ""}
    ]
    write_jsonl(mine / "d.jsonl", rows)
    _, samples = run(mine, ["one"])
    assert [row["document"] for row in samples] == [0, 1, 2]


def test_a_crash_loses_one_task_and_nothing_is_run_twice(mine):
    class Crashes:
        calls = 0

        def __new__(cls):
            model = ShortestAnswer()
            answer = model.loglikelihood

            def loglikelihood(requests):
                cls.calls += 1
                if cls.calls == 2:
                    raise RuntimeError("CUDA out of memory")
                return answer(requests)

            model.loglikelihood = loglikelihood
            return model

    with pytest.raises(RuntimeError, match="out of memory"):
        run(mine, ["one", "two"], start=lambda _: Crashes())
    (done,) = (mine / "kept").iterdir()
    assert done.name.startswith("one.")
    results, _ = run(mine, ["one", "two"], start=lambda _: Crashes())
    assert Crashes.calls == 3, "the first task's answers were kept"
    assert run(mine, ["one", "two"], start=never)[0] == results


def test_two_models_never_share_a_score(mine):
    first, _ = run(mine, ["one"], "a")
    started = []
    second, _ = run(mine, ["one"], "b", lambda backend: (started.append(backend), ShortestAnswer())[1])
    assert started == ["hf"]
    assert first["model_files"] != second["model_files"]
    assert len(list((mine / "kept").iterdir())) == 2


def test_what_a_result_depends_on_runs_it_again(mine):
    run(mine, ["one"])
    with pytest.raises(AssertionError, match="loaded again"):
        run(mine, ["one"], limit=2, start=never)
    with pytest.raises(AssertionError, match="loaded again"):
        run(mine, ["one"], dtype="bfloat16", start=never)
    (mine / "tasks/deep").mkdir()
    (mine / "tasks/deep/utils.py").write_text("LABEL = 1\n")
    with pytest.raises(AssertionError, match="loaded again"):
        run(mine, ["one"], start=never)
    run(mine, ["one"])
    write_jsonl(mine / "d.jsonl", [{"q": "other?", "a": "no"}])
    with pytest.raises(AssertionError, match="loaded again"):
        run(mine, ["one"], start=never)
    file = mine / "tasks/one.yaml"
    file.write_text(file.read_text().replace("{{ q }}", "Q: {{ q }}"))
    with pytest.raises(AssertionError, match="loaded again"):
        run(mine, ["one"], start=never)


def test_a_word_list_that_a_task_mentions_runs_it_again(mine):
    file, words = mine / "tasks/one.yaml", mine / "tasks/words.txt"
    file.write_text(f"{file.read_text()}\n# words.txt\n")
    words.write_text("a\n")
    run(mine, ["one"])
    run(mine, ["one"], start=never)
    words.write_text("b\n")
    with pytest.raises(AssertionError, match="loaded again"):
        run(mine, ["one"], start=never)


def test_a_limit_is_of_documents_and_is_said(mine):
    results, samples = run(mine, ["both"], limit=2)
    assert [(row["task"], row["document"]) for row in samples] == [("one", 0), ("one", 1), ("two", 0)]
    assert limits([results]) == ["both: only the first 2 documents of each task"]
    assert limits([run(mine, ["both"], limit=9)[0]]) == [], "which is all of them"
    assert {row["limit"] for row in score_rows("m", results, samples, 0)} == {2}


def test_only_what_is_generated_is_vllms(mine):
    started = []
    run(mine, ["one"], backend="vllm", start=lambda b: (started.append(b), ShortestAnswer())[1])
    assert started == ["hf"]


def test_results_are_strict_json():
    value = {"a": np.float64(0.5), "b": float("nan"), "c": (np.int64(1), None), 3: strict}
    assert strict(value) == {"a": 0.5, "b": None, "c": [1, None], "3": "strict"}
    json.dumps(strict(value), allow_nan=False)


RESULTS = {
    "config": {},
    "columns": ["sts", "qa"],
    "groups": {},
    "results": {
        "sts": {"alias": "STS", "pearson,none": None, "pearson_stderr,none": "N/A"},
        "qa": {"alias": "QA", "acc,none": 0.25, "acc_stderr,none": 0.1},
    },
    "configs": {
        "sts": {"task_alias": "STS", "metadata": {"labels": {"pearson": "Pearson"}, "prompts": ["a", "b"]}},
        "qa": {},
    },
    "n-samples": {"sts": {"original": 18, "effective": 8}, "qa": {"original": 4, "effective": 4}},
}


def test_a_correlation_that_is_not_defined_is_an_empty_cell_and_no_zero():
    assert list(metrics(RESULTS)) == [("sts", "pearson", None), ("qa", "acc", 0.25)]
    made = table([("m", RESULTS)])
    assert list(made) == ["model", "sts_pearson", "qa_acc"]
    assert made.to_csv(index=False) == "model,sts_pearson,qa_acc\nm,,0.25\n"
    assert (title(RESULTS, "sts", "pearson"), title(RESULTS, "qa", "acc")) == ("STS Pearson", "qa acc")
    assert (size(RESULTS, "sts"), size(RESULTS, "qa")) == (4, 4)
    assert of_samples(RESULTS, [], "sts", "pearson") is None


def test_lm_evals_numbers_are_those_of_the_samples(toy):
    for suite in SUITES:
        results = json.loads((toy / f"benchmarks/{suite}/slerp.json").read_text(encoding="utf-8"))
        samples = read_jsonl(toy / f"benchmarks/{suite}/slerp.samples.jsonl")
        for name, metric, value in metrics(results):
            measure = of_samples(results, samples, name, metric)
            assert interval(measure, 0)[0] == pytest.approx(value), column(name, metric)
            assert measure.size() == size(results, name) == DOCUMENTS


def test_the_table_of_scores_says_what_each_column_is_made_of(toy):
    scores = read_numbers(toy / "tables/benchmark_scores.tsv")
    whole = scores[scores.task.isna()]
    columns = read_numbers(toy / "tables/benchmarks.tsv").set_index("model").stack()
    for row in whole[whole.value.notna()].itertuples():
        assert columns[row.model, row.column] == row.value
        assert row.ci_low <= row.value <= row.ci_high
    mcqa = scores[(scores.model == "slerp") & (scores.column == "jmedbench_mcqa_acc")]
    tasks = mcqa[mcqa.task.notna() & mcqa.prompt.isna()]
    assert len(tasks) == 7
    assert tasks.value.mean() == pytest.approx(mcqa.value.iloc[0], abs=1e-4), "each data set counts alike"
    prompts = mcqa[mcqa.task == "jmedbench_igakuqa"]
    assert list(prompts.prompt.fillna("")) == ["", "minimal", "standard", "english", "instructed"]
    assert prompts.value[1:].mean() == pytest.approx(prompts.value.iloc[0], abs=1e-4)


def test_the_likeliest_answer_is_the_models_own(toy):
    """Log-likelihoods from lm-eval against a plain forward pass over prompt and answer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = (
        kind.from_pretrained(toy / "models/expert") for kind in (AutoTokenizer, AutoModelForCausalLM)
    )
    document = read_jsonl(toy / "benchmark_data/pubmedqa/pubmedqa/test.jsonl")[0]
    sample = read_jsonl(toy / "benchmarks/pubmedqa/expert.samples.jsonl")[0]
    prompt = f"Abstract: {document['CONTEXTS'][0]}\nQuestion: {document['QUESTION']}\nAnswer:"
    for choice, (likelihood, _) in zip(("yes", "no", "maybe"), sample["responses"], strict=True):
        start, whole = (tokenizer(text)["input_ids"] for text in (prompt, f"{prompt} {choice}"))
        with torch.inference_mode():
            logits = model.float()(torch.tensor([whole])).logits[0].log_softmax(-1)
        expected = sum(logits[i - 1, whole[i]].item() for i in range(len(start), len(whole)))
        assert likelihood == pytest.approx(expected, abs=1e-3)


def tiny(kind: str, **settings) -> dict:
    """A random model of a kind, and its tokenizer, as arguments of lm-eval's back ends."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = AutoConfig.for_model(kind, vocab_size=60, num_hidden_layers=3, **sizes, **settings)
    words = Tokenizer(models.WordLevel({"<s>": 0, **{f"w{i}": i for i in range(1, 60)}}, unk_token="<s>"))
    return {
        "pretrained": AutoModelForCausalLM.from_config(config).eval(),
        "tokenizer": PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="<s>"),
        "softmax_dtype": "float32",
        "batch_size": 7,
        "max_length": 40,
    }


@pytest.mark.parametrize(
    ("kind", "settings", "shares"),
    [("llama", {}, True), ("mistral", {"sliding_window": 8}, False), ("qwen2", {}, True)],
    ids=["full attention", "a sliding window", "another model"],
)
def test_what_options_share_is_computed_once_and_changes_nothing(kind, settings, shares, monkeypatch):
    """Questions and options of many lengths, one that is too long for the model, one asked twice."""
    import random

    from lexmerge.benchmarks.shared_prefix import HFLM, SharedPrefixLM

    drawn = random.Random(1)

    def tokens(low: int, high: int) -> list[int]:
        return [drawn.randrange(1, 60) for _ in range(drawn.randint(low, high))]

    contexts = [tokens(1, 30) for _ in range(40)] + [tokens(39, 39)]
    asked = [(("", ""), context, tokens(1, 6)) for context in contexts for _ in range(4)]
    asked += asked[:4]
    drawn.shuffle(asked)
    model = tiny(kind, **settings)
    theirs = HFLM(**model)._loglikelihood_tokens(asked, disable_tqdm=True)
    scored = []
    score = SharedPrefixLM._score
    monkeypatch.setattr(SharedPrefixLM, "_score", lambda *a: (scored.append(found := score(*a)), found)[1])
    ours = SharedPrefixLM(**model)._loglikelihood_tokens(asked, disable_tqdm=True)
    assert [likelihood for likelihood, _ in ours] == pytest.approx([s for s, _ in theirs], abs=1e-4)
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    shared = sum(len(found) for found in scored if found)
    assert (shared > len(asked) / 4) == shares
    assert shared < len(asked), "short questions with long options are left to the harness"
    assert all(len(found) <= 8 for found in scored if found), (
        "no more rows than a batch has, or one question's"
    )


def correlation(pairs) -> Measure:
    return Measure({"sts": {i: np.array([pair], dtype=float) for i, pair in enumerate(pairs)}})


def test_a_correlations_interval_is_fishers():
    """Of 400 pairs with r = 0.6, against Fisher's z: tanh(atanh(r) ± 1.96 / sqrt(n - 3))."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    y = 0.6 * x + 0.8 * rng.normal(size=400)
    value, low, high = interval(correlation(zip(x, y, strict=True)), seed=0)
    r = np.corrcoef(x, y)[0, 1]
    assert value == pytest.approx(r)
    expected = np.tanh(np.arctanh(r) + np.array([-1.96, 1.96]) / np.sqrt(397))
    assert (low, high) == pytest.approx(tuple(expected), abs=0.015)


def test_a_difference_of_correlations_is_tested_by_exchanging_the_models():
    rng = np.random.default_rng(4)
    label = rng.normal(size=200)
    good, same, bad = (label * k + rng.normal(size=200) for k in (2, 2, 0))
    measures = [correlation(zip(x, label, strict=True)) for x in (good, same, bad)]
    worse = paired(measures[0], measures[2], seed=0)
    assert worse["mean_difference"] > 0.6 and worse["ci_low"] > 0.5 and worse["p"] < 0.001
    alike = paired(measures[0], measures[1], seed=0)
    assert alike["ci_low"] < 0 < alike["ci_high"] and alike["p"] > 0.05


def test_where_a_correlation_is_not_defined_it_proves_nothing():
    """Two models that nearly always say the same digit: most exchanges leave one of them constant."""
    label = np.arange(12.0)
    one, other = np.zeros(12), np.zeros(12)
    one[3], other[7] = 1, 1
    found = paired(
        correlation(zip(one, label, strict=True)), correlation(zip(other, label, strict=True)), seed=0
    )
    assert found["mean_difference"] < 0
    assert found["p"] is None or found["p"] > 0.4


def test_samples_that_are_no_numbers_have_no_interval():
    for value in ({"a": 1}, "text", ["a", "b", "c"], [0.5, 1.0]):
        assert (
            part_of([{"task": "t", "document": 0, "template": "", "filter": "", "m": value}], "t", "m") == {}
        )


def test_a_mean_over_tasks_is_resampled_within_each():
    """The standard error of (mean a + mean b) / 2 is half the root of the summed squares of theirs."""
    rng = np.random.default_rng(5)
    parts = {"a": rng.normal(0, 1, 400), "b": rng.normal(5, 3, 100)}
    measure = Measure(
        {name: {i: np.array([[v]]) for i, v in enumerate(values)} for name, values in parts.items()}
    )
    value, low, high = interval(measure, seed=0)
    assert value == pytest.approx((parts["a"].mean() + parts["b"].mean()) / 2)
    error = np.sqrt(sum(v.var() / len(v) for v in parts.values())) / 2
    assert (high - low) == pytest.approx(2 * 1.96 * error, rel=0.05)
    by_size = interval(Measure(measure.parts, by_size=True), seed=0)[0]
    assert by_size == pytest.approx(np.concatenate(list(parts.values())).mean())


def test_documents_are_resampled_with_all_their_prompts():
    """Four prompts that agree tell no more than one: as if each document had been asked once."""
    rng = np.random.default_rng(6)
    values = rng.integers(0, 2, 100).astype(float)
    once = interval(of_scores(dict(enumerate(values))), seed=0)
    four = Measure({"": {i: np.full((4, 1), value) for i, value in enumerate(values)}})
    assert interval(four, seed=0) == pytest.approx(once)


def test_a_metric_that_is_no_mean_of_the_samples_has_no_interval():
    results = RESULTS | {"columns": ["qa"]}
    samples = [{"task": "qa", "document": i, "template": "", "acc": 1.0} for i in range(4)]
    assert of_samples(results, samples, "qa", "acc") is None, "lm-eval says 0.25"
    scores = pd.DataFrame(score_rows("m", results, samples, 0))
    assert scores.value.to_list() == [0.25]
    assert scores.ci_low.isna().all()


def test_the_papers_numbers_are_of_the_models_and_columns_that_we_have(toy):
    import yaml

    study = yaml.safe_load((PROJECT / "config/paper.yaml").read_text(encoding="utf-8"))
    models = {*study["study"]["models"], *study["study"]["merges"]}
    benchmarks = read_numbers(PROJECT / "resources/paper/benchmarks.tsv")
    scores = read_numbers(PROJECT / "resources/paper/definition_scores.tsv")
    assert set(benchmarks.model) == set(scores.model) == models
    assert set(scores.judge_model) <= {judge["model"] for judge in study["judges"].values()}
    assert set(scores.judge_model) == {
        study["judges"][j].get("substitute_for") for j in study["study"]["judges"]
    }
    assert (
        set(benchmarks) <= set(read_numbers(toy / "tables/benchmarks.tsv")) and len(benchmarks.columns) == 10
    )
    assert benchmarks.set_index("model").jmedbench_mcqa_acc["dare_ties"] == 0.336
    assert scores.set_index(["judge_model", "model"])["mean"]["gpt-4o-2024-08-06", "slerp"] == 5.64
