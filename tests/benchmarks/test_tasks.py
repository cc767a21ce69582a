"""The task pack: every prompt to the letter, every score by hand, and the same as the harness's own tasks."""

import importlib.util
import json
import math
from hashlib import sha256
from pathlib import Path

import pytest
from benchmarks import evaluate
from helpers import PROJECT
from lexmerge.benchmarks.documents import ask, document_faults, fields_of
from lexmerge.benchmarks.results import metrics
from lexmerge.benchmarks.suites import load_suite
from lexmerge.benchmarks.tasks import defined, definition_files, leaves, read_task, shots
from lexmerge.benchmarks.toy import MAKERS, documents, solved_documents
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_tsv, write_json, write_jsonl
from lexmerge.study.task_faults import data_faults

PACK = PROJECT / "resources/benchmarks"
GLOSSARY = read_tsv(PROJECT / "resources/toy/glossary.tsv").to_dict("records")
SETTINGS = {
    "backend": "hf",
    "batch_size": 8,
    "chat_template": False,
    "dtype": "float32",
    "max_length": 2048,
    "share_prefix": True,
}
INSTRUCTION = (
    "以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。要求を適切に満たす応答を書きなさい。\n\n"
)
EXTRACT = "### 指示：\n与えられた文脈から、質問に対する答えを抜き出してください。\n\n### 入力：\n"
SUMMARY = "### 指示：\n与えられたニュース記事を要約してください。\n\n### 入力：\nニュース記事："
MCQA = ["medmcqa_jp", "usmleqa_jp", "medqa_jp", "mmlu_medical_jp", "jmmlu_medical", "igakuqa"]
DC = ["crade", "rrtnm", "smdis"]
FILES = {
    name: file
    for suite in ("pubmedqa", "japanese_leaderboard", "jmedbench")
    for name, file in defined(str(PACK / suite)).items()
}


def utils(suite: str):
    spec = importlib.util.spec_from_file_location(suite, PACK / suite / "utils.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def quiz(question: str, options: list[str], answer: int) -> dict:
    return {"question": question, "options": options, "answer_idx": answer, "context": "文書"}


# Two or three documents of each task. The stand-in for a model below likes the shortest answer best, and
# says 京都 to everything; what it scores follows by hand.
PASSAGES = {"text": ["京都は古都である。", "東京は首都である。"]}
TINY = {
    "pubmedqa": [
        {"QUESTION": "Does it?", "CONTEXTS": ["One.", "Two."], "final_decision": "no"},
        {"QUESTION": "Does it not?", "CONTEXTS": ["Three."], "final_decision": "maybe"},
    ],
    "jaqket_v2": [
        {"question": "古都は？", "ctxs": PASSAGES, "answers": {"text": ["京都", "京都市"]}},
        {"question": "首都は？", "ctxs": PASSAGES, "answers": {"text": ["東京", "東京都"]}},
    ],
    "jcommonsenseqa": [
        {
            "question": "空にあるのは？",
            **{f"choice{i}": "海川山月谷道"[i] * (1 + (i != 3)) for i in range(5)},
            "label": 3,
        },
        {"question": "水は？", **{f"choice{i}": "ああああ"[i:] or "い" for i in range(5)}, "label": 0},
    ],
    "jsquad": [
        {
            "question": "古都は？",
            "context": "都市 [SEP] 京都は古都。",
            "answers": {"text": ["京の都", " 京都"]},
        },
        {"question": "首都は？", "context": "都市 [SEP] 東京は首都。", "answers": {"text": ["東京"]}},
        {"question": "寺の多い所は？", "context": "寺 [SEP] 京都。", "answers": {"text": ["京都"]}},
    ],
    "xwinograd": [
        {"sentence1": " 猫が寝た。", "sentence2": "猫が木の上で寝た。 ", "answer": "1"},
        {"sentence1": "犬は走った。", "sentence2": "犬は遠くまで走った。", "answer": "2"},
    ],
    "xlsum": [
        {"text": "京都の話。", "summary": "京都"},
        {"text": "東京の話。", "summary": "東京の話"},
    ],
    **{
        f"jmedbench_{name}": [quiz("どれか。", ["肝", "腎臓"], 0), quiz("何か。", ["胃", "大腸"], 1)]
        for name in (*MCQA, "pubmedqa_jp", *DC)
    },
    "jmedbench_sts": [
        {"premise": "猫がいる。", "hypothesis": "犬がいる。", "label": 3},
        {"premise": "雨だ。", "hypothesis": "雨です。", "label": 5},
        {"premise": "山。", "hypothesis": "魚。", "label": 0},
    ],
}
EXPECTED = {
    "pubmedqa_acc": 1 / 2,  # "no" is the shortest
    "jaqket_v2_exact_match": 1 / 2,
    "jaqket_v2_exact_match_any": 1 / 2,
    "jcommonsenseqa_acc": 1 / 2,  # 月 alone is of one letter; then い, the fifth, and not the first
    "jsquad_exact_match": 1 / 3,
    "jsquad_exact_match_any": 2 / 3,  # 京都 is the second right answer of the first question
    "xwinograd_acc": 1 / 2,
    "xlsum_rouge2": 0.0,  # 京都 is one word, which has no pair of words to share
    "jmedbench_mcqa_acc": 1 / 2,
    "jmedbench_dc_acc": 1 / 2,
    "jmedbench_sts_pearson": None,  # all digits are as short as the first: predictions that never differ
}


class ShortestAnswer:
    """A stand-in for a model, of a kind that lm-eval takes; it keeps every prompt that it is shown."""

    def __new__(cls):
        from lm_eval.api.model import LM

        class Model(LM):
            def __init__(self):
                super().__init__()
                self.prompts = []

            def loglikelihood(self, requests):
                self.prompts += [request.args[0] for request in requests]
                return [(-float(len(request.args[1])), False) for request in requests]

            def generate_until(self, requests):
                self.prompts += [request.args[0] for request in requests]
                assert {json.dumps(r.args[1]["until"]) for r in requests} == {json.dumps(["\n\n"])}
                return [" 京都\n" for _ in requests]

            def loglikelihood_rolling(self, requests):
                raise NotImplementedError

        return Model()


def suite_of(suite: str, names: list[str], folder: Path):
    """A suite of the pack on the tiny documents."""
    data: dict[str, dict[str, Path]] = {}
    for task in leaves(str(PACK / suite), names):
        write_jsonl(folder / task / "test.jsonl", TINY[task])
        data[task] = {"test": folder / task / "test.jsonl"}
        if shots(read_task(FILES[task])):
            rows = [document for document, _ in solved_documents(task, GLOSSARY)]
            write_jsonl(folder / task / "train.jsonl", rows)
            data[task]["train"] = folder / task / "train.jsonl"
    return load_suite(names, str(PACK / suite), data)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """All nine columns on the tiny documents: (column -> value, samples, prompts)."""
    folder = tmp_path_factory.mktemp("tiny")
    write_json(folder / "model/config.json", {})
    found, samples, model = {}, [], ShortestAnswer()
    for suite, names in (
        ("pubmedqa", ["pubmedqa"]),
        ("japanese_leaderboard", ["jaqket_v2", "jcommonsenseqa", "jsquad", "xwinograd", "xlsum"]),
        ("jmedbench", ["jmedbench_mcqa", "jmedbench_dc", "jmedbench_sts"]),
    ):
        loaded = suite_of(suite, names, folder / suite)
        results, rows = evaluate(
            loaded, str(folder / "model"), SETTINGS, "code", folder / "kept", lambda _: model
        )
        found |= {f"{name}_{metric}": value for name, metric, value in metrics(results)}
        samples += rows
    return found, samples, model.prompts


def test_the_nine_columns_have_the_scores_that_follow_by_hand(ran):
    assert ran[0] == pytest.approx(EXPECTED)


def test_each_of_jmedbenchs_documents_is_asked_with_four_prompts(ran):
    asked = [row for row in ran[1] if row["task"] == "jmedbench_igakuqa"]
    assert [(row["document"], row["template"]) for row in asked] == [
        (document, name) for document in (0, 1) for name in ("minimal", "standard", "english", "instructed")
    ]
    assert len({row["prompt_hash"] for row in asked}) == 8


def test_the_prompts_are_these_to_the_letter(ran):
    prompts = ran[2]
    assert "Abstract: One.\nTwo.\nQuestion: Does it?\nAnswer:" in prompts
    assert "" in prompts, "XWinograd's sentences have nothing before them"
    ends = {
        f"{EXTRACT}文脈：京都は古都である。\n東京は首都である。\n質問：首都は？\n\n### 応答：": 1,
        f"{EXTRACT}文脈：京都は古都。\n質問：古都は？\n\n### 応答：": 2,
        f"{SUMMARY}京都の話。\n\n### 応答：": 1,
        "### 指示：\n出力は以下から選択してください：\n- 海海\n- 川川\n- 山山\n- 月\n- 谷谷\n\n"
        "### 入力：\n空にあるのは？\n\n### 応答：": 3,
    }
    for end, examples in ends.items():
        (prompt,) = {prompt for prompt in prompts if prompt.endswith(end)}
        assert prompt.startswith(INSTRUCTION)
        assert prompt.count("### 指示：") == examples + 1, "as many solved examples as the harness has"
    options = "A. 肝\nB. 腎臓"
    for prompt in (
        "どれか。\n",
        f"質問：どれか。\n{options}\n答え：",
        f"Question: どれか。\n{options}\nAnswer: ",
        "要旨：文書\n質問：どれか。\n答え：",
        "Abstract: 文書\nQuestion: どれか。\nAnswer: ",
        "文書\nどれか。\n",
        f"文脈：文書\n質問：どれか。\n{options}\n答え：",
        f"Context: 文書\nQuestion: どれか。\n{options}\nAnswer: ",
        "雨だ。\n雨です。\n",
        "テキスト1：雨だ。\nテキスト2：雨です。\n類似度 (0-5)：",
        "Text 1: 雨だ。\nText 2: 雨です。\nSemantic Text Similarity (0-5): ",
    ):
        assert prompt in prompts


PROMPT_HASHES = {
    "pubmedqa": "43d50118c9ab",
    "jaqket_v2": "4f8a62a23094",
    "jcommonsenseqa": "fe2850d090cb",
    "jsquad": "817fd4d74f6b",
    "xwinograd": "3b7546ed79e3",
    "xlsum": "01b0705f77d1",
    "jmedbench_medmcqa_jp": "f28bfa69b679",
    "jmedbench_usmleqa_jp": "f28bfa69b679",
    "jmedbench_medqa_jp": "f28bfa69b679",
    "jmedbench_mmlu_medical_jp": "f28bfa69b679",
    "jmedbench_jmmlu_medical": "f28bfa69b679",
    "jmedbench_igakuqa": "f28bfa69b679",
    "jmedbench_pubmedqa_jp": "4c4d90a0ca87",
    "jmedbench_crade": "24f63acfec03",
    "jmedbench_rrtnm": "24f63acfec03",
    "jmedbench_smdis": "24f63acfec03",
    "jmedbench_sts": "906d52288696",
}


def test_a_prompt_that_changes_is_seen(ran):
    """If this is meant, raise the version in the task's metadata: its scores compare with no older ones."""
    hashes: dict[str, str] = {}
    for row in ran[1]:
        hashes[row["task"]] = hashes.get(row["task"], "") + row["prompt_hash"]
    assert {task: sha256(text.encode()).hexdigest()[:12] for task, text in hashes.items()} == PROMPT_HASHES


@pytest.mark.parametrize("task", MAKERS)
def test_the_toy_models_are_taught_the_prompts_that_the_harness_asks(task, tmp_path):
    """`ask` needs no harness; what it makes is what the harness makes of the same document and examples."""
    solved = solved_documents(task, GLOSSARY)
    write_jsonl(tmp_path / "test.jsonl", [document for document, _ in documents(task, GLOSSARY)])
    write_jsonl(tmp_path / "train.jsonl", [document for document, _ in solved])
    count = shots(read_task(FILES[task]))
    splits = ("test", "train") if count else ("test",)
    data = {task: {split: tmp_path / f"{split}.jsonl" for split in splits}}
    loaded = load_suite([task], str(FILES[task].parent), data).tasks[task]
    document, answer = documents(task, GLOSSARY)[3]
    if count:  # the harness draws its examples: let it draw these
        loaded.sampler.sample = lambda n, **_: [loaded.fewshot_docs()[i] for i in range(n)]
    ours = ask(FILES[task], document, answer, solved[:count])
    theirs = list(loaded.test_docs())[3 * len(ours) : 4 * len(ours)]
    for (prompt, right), row in zip(ours, theirs, strict=True):
        context = loaded.fewshot_context(row, num_fewshot=count)
        assert prompt == context.rstrip(" ")
        assert right == context[len(prompt) :] + loaded.config.target_delimiter + answer


def test_pearson_is_the_mean_over_the_prompts():
    sts = utils("jmedbench")
    scored = sts.likeliest_digit({"label": 4, "template": "t"}, [(-3.0, False), (-1.0, True), (-2.0, False)])
    assert scored == {"pearson": ("t", 1.0, 4.0)}
    # x - 2 = -1, 0, 1 and y - 3 = -2, 1, 1: 3 / sqrt(2 * 6)
    one = [("a", 1, 1), ("a", 2, 4), ("a", 3, 4)]
    assert sts.pearson(one) == pytest.approx(3 / math.sqrt(12))
    other = [("b", 3, 1), ("b", 2, 4), ("b", 1, 4)]
    assert sts.pearson(one + other) == pytest.approx(0)
    assert math.isnan(sts.pearson([*one, ("b", 2, 1), ("b", 2, 4)])), "a constant prediction has none"


def test_exact_match_against_the_first_right_answer_and_against_any():
    exact = utils("japanese_leaderboard").exact_match
    doc = {"answers": {"text": ["日本国", " 日本"]}}
    assert exact(doc, ["日本国 "]) == {"exact_match": 1.0, "exact_match_any": 1.0}
    assert exact(doc, ["日本"]) == {"exact_match": 0.0, "exact_match_any": 1.0}
    assert exact(doc, ["日本の"]) == {"exact_match": 0.0, "exact_match_any": 0.0}
    assert exact(doc, [""]) == {"exact_match": 0.0, "exact_match_any": 0.0}


def test_rouge_2_over_mecabs_words():
    rouge2 = utils("japanese_leaderboard").rouge2
    assert rouge2({"summary": "夜の空に光る点"}, [" 夜の空に光る点\n"]) == {"rouge2": 1.0}
    assert rouge2({"summary": "夜の空に光る点"}, ["犬"]) == {"rouge2": 0.0}
    # 夜 の 空 and 夜 の 月: one pair of two is shared, F = 1/2
    assert rouge2({"summary": "夜の空"}, ["夜の月"])["rouge2"] == pytest.approx(0.5)
    assert rouge2({"summary": "ＡＢＣの空🎉"}, ["ABCの空"]) == {"rouge2": 1.0}, "one width, and no emoji"


def test_rouge_2_cleans_texts_as_the_harness_does():
    from lm_eval.tasks.japanese_leaderboard.ja_leaderboard_xlsum import MecabTokenizer

    theirs, ours = MecabTokenizer(), utils("japanese_leaderboard").Words()
    for text in ("ＡＢＣ　１２３ｶﾞ", "夜〜〜の  空ー−", "旗🇯🇵と✂と🎉と👍🏽", "a\nb\tc", ""):
        assert ours.tokenize(text) == theirs.tokenize(text)


def test_what_a_task_reads_of_a_document_is_known_without_the_harness():
    assert fields_of(read_task(FILES["jsquad"])) == ["context", "question", "answers"]
    assert fields_of(read_task(FILES["jmedbench_crade"])) == ["context", "question", "options", "answer_idx"]
    for task, rows in TINY.items():
        assert document_faults(read_task(FILES[task]), rows) == []


@pytest.mark.parametrize(
    ("task", "change", "said"),
    [
        ("jsquad", {"context": None}, "document 2 has no context"),
        ("jsquad", {"answers": {"text": []}}, "document 2: "),
        ("jcommonsenseqa", {"label": 5}, "document 2: the answer 5 is not the index of one of its 5 options"),
        (
            "jcommonsenseqa",
            {"label": -1},
            "document 2: the answer -1 is not the index of one of its 5 options",
        ),
        ("pubmedqa", {"final_decision": "Yes"}, "document 2: the answer 'Yes' is not one of its options"),
        ("xwinograd", {"answer": "3"}, "document 2: the answer 2 is not the index of one of its 2 options"),
        ("xwinograd", {"answer": ""}, "document 2: the answer -1 is not the index of one of its 2 options"),
        ("pubmedqa", {"CONTEXTS": 3}, "document 2: TypeError: 'int' object is not iterable"),
        (
            "jmedbench_igakuqa",
            {"answer_idx": 2},
            "document 2: the answer 2 is not the index of one of its 2 options",
        ),
        ("jmedbench_igakuqa", {"options": ["胃"]}, "document 2: its options are not a list of two or more"),
        ("jmedbench_sts", {"label": 6}, "document 2: the answer 6 is not the index of one of its 6 options"),
        ("jmedbench_sts", {"premise": None}, "document 2 has no premise"),
    ],
)
def test_a_document_that_cannot_be_asked_is_named(task, change, said):
    rows = [TINY[task][0], TINY[task][1] | change]
    (fault,) = document_faults(read_task(FILES[task]), rows)
    assert said in fault
    assert document_faults(read_task(FILES[task]), []) == ["there are no documents"]


def test_what_a_definition_may_do_is_no_fault():
    """Labels that are booleans, lists of answers, fields that may be absent, the harness's own filter."""
    definition = {
        "doc_to_text": "{% if hint is defined %}{{ hint }}{% endif %}{{ q | regex_replace('a', 'b') }}",
        "doc_to_choice": ["no", "yes"],
    }
    assert document_faults({**definition, "doc_to_target": "label"}, [{"q": "a", "label": True}]) == []
    assert document_faults({**definition, "doc_to_target": "label"}, [{"q": "a", "label": [0, 1]}]) == []
    made = {"process_docs": "!function utils.f", "doc_to_text": "{{ query }}", "doc_to_target": "gold"}
    assert document_faults(made, [{"ctx": "a"}]) == [], "what a function makes is not known before it runs"
    assert document_faults(definition, ["a"]) == ["document 1 is not a mapping of fields: 'a'"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataset_path": "org/name"}, "dataset_path: json"),
        ({"validation_split": "validation"}, "no `validation_split`"),
        ({"training_split": "train"}, "no `num_fewshot`"),
        ({"num_fewshot": 2, "fewshot_split": "dev"}, "`fewshot_split: train`"),
        ({"task": "my/quiz"}, "a / in its name"),
    ],
)
def test_a_definition_that_cannot_read_the_documents_is_named(change, said):
    sound = {"task": "quiz", "dataset_path": "json", "test_split": "test"}
    assert data_faults(sound) == []
    (fault,) = data_faults(sound | change)
    assert said in fault


def test_a_definition_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.yaml").write_text("task: [\n")
    with pytest.raises(StudyError, match=r"a\.yaml: the task definition cannot be read"):
        leaves(str(tmp_path), ["a"])
    (tmp_path / "b").mkdir()
    (tmp_path / "b/b.yaml").write_text("include: nowhere.yaml\ntask: b\n")
    with pytest.raises(StudyError, match=r"nowhere\.yaml: the task definition cannot be read"):
        leaves(str(tmp_path / "b"), ["b"])
    (tmp_path / "c").mkdir()
    (tmp_path / "c/c.yaml").write_text("group: c\ntask: [{task: d, num_fewshot: 3}]\n")
    with pytest.raises(StudyError, match=r"c\.yaml: a group's `task` must be a list of names"):
        leaves(str(tmp_path / "c"), ["c"])
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop/a.yaml").write_text("include: a.yaml\ntask: a\n")
    with pytest.raises(StudyError, match=r"a\.yaml: the file includes itself"):
        leaves(str(tmp_path / "loop"), ["a"])
    (tmp_path / "twice").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"twice/{name}.yaml").write_text("task: a\n")
    with pytest.raises(StudyError, match=r"b\.yaml: 'a' is also defined in .*a\.yaml"):
        leaves(str(tmp_path / "twice"), ["a"])
    with pytest.raises(StudyError, match=r"there is no folder /.*/nowhere of task definitions"):
        leaves("nowhere", ["a"])
    (tmp_path / "d").mkdir()
    (tmp_path / "d/d.yaml").write_text("group: d\ntask: [e]\n")
    (tmp_path / "d/e.yaml").write_text("group: e\ntask: [d]\n")
    with pytest.raises(StudyError, match=r"d\.yaml: the group 'd' contains itself"):
        leaves(str(tmp_path / "d"), ["d"])


STOCK = {
    "pubmedqa": ("pubmedqa", "pubmedqa"),
    "jaqket_v2": ("japanese_leaderboard", "ja_leaderboard_jaqket_v2"),
    "jcommonsenseqa": ("japanese_leaderboard", "ja_leaderboard_jcommonsenseqa"),
    "jsquad": ("japanese_leaderboard", "ja_leaderboard_jsquad"),
    "xwinograd": ("japanese_leaderboard", "ja_leaderboard_xwinograd"),
    "xlsum": ("japanese_leaderboard", "ja_leaderboard_xlsum"),
}


@pytest.mark.parametrize("task", STOCK)
def test_the_harnesss_own_task_gives_the_same_for_every_document(task, toy, tmp_path):
    """Its definition on our documents: the same prompts, likelihoods, answers and scores."""
    import lm_eval
    from benchmarks import starter
    from lexmerge.benchmarks.suites import SEEDS

    folder, name = STOCK[task]
    data = toy / f"benchmark_data/{folder}/{task}"
    files = {"train": data / "train.jsonl", "validation": data / "test.jsonl", "test": data / "test.jsonl"}
    if not files["train"].stat().st_size:
        files["train"] = files["test"]  # the harness wants one, and draws nothing from it
    files = {split: str(file) for split, file in files.items()}
    own = Path(lm_eval.__file__).parent / "tasks" / folder
    replaced = {
        "task": name,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files},
    }
    model = starter(str(toy / "models/generalist"), SETTINGS | {"device": "cpu"}, {"threads": 1})("hf")
    theirs = lm_eval.simple_evaluate(
        model=model,
        tasks=[{"group": "own", "task": [replaced]}],
        task_manager=lm_eval.tasks.TaskManager(include_path=str(own), include_defaults=False),
        bootstrap_iters=0,
        **SEEDS,
    )
    ours = [json.loads(line) for line in (toy / f"benchmarks/{folder}/generalist.samples.jsonl").open()]
    ours = [row for row in ours if row["task"] == task]
    assert len(ours) == len(theirs["samples"][name]) == 30
    for row, sample in zip(ours, sorted(theirs["samples"][name], key=lambda s: s["doc_id"]), strict=True):
        assert row["prompt_hash"] == sample["prompt_hash"]
        for said, expected in zip(row["responses"], sample["filtered_resps"], strict=True):
            if isinstance(said, list):
                assert said[0] == pytest.approx(float(expected[0]), abs=1e-4)
            else:
                assert said == expected
        if "exact_match" in row:
            assert row["exact_match"] == sample["exact_match"]
    if task == "xlsum":  # the harness takes the middle of a bootstrap, and we the mean
        mean = sum(row["rouge2"] for row in ours) / len(ours)
        assert theirs["results"][name]["rouge2,whitespaces"] == pytest.approx(mean, abs=0.01)


@pytest.fixture
def quiz(tmp_path):
    """A folder with the task `quiz`, all that it reads, and files that it does not."""
    (tmp_path / "quiz.yaml").write_text(
        "task: quiz\ninclude: base.yaml\nprocess_docs: !function helpers.kept\n"
    )
    (tmp_path / "base.yaml").write_text("dataset_path: json\n")
    (tmp_path / "helpers.py").write_text("from words.core import WORDS\n\ndef kept(docs):\n    return docs\n")
    (tmp_path / "words").mkdir()
    (tmp_path / "words/core.py").write_text("WORDS = []\n")
    for other in ("test.py", "notes.txt"):
        (tmp_path / other).write_text("")
    (tmp_path / "other.yaml").write_text("task: other\n")
    return tmp_path


def test_a_task_depends_on_the_files_that_it_mentions_and_on_no_others(quiz):
    found = {file.removeprefix(f"{quiz}/") for file in definition_files(str(quiz), ["quiz"])}
    assert found == {"quiz.yaml", "base.yaml", "helpers.py", "words/core.py"}


@pytest.mark.parametrize("call", ["Path(__file__).parent.glob('*.lst')", "open(f'words_{language}.txt')"])
def test_a_task_whose_module_reads_files_depends_on_the_whole_folder(quiz, call):
    (quiz / "helpers.py").write_text(f"FILES = {call}\n")
    assert len(definition_files(str(quiz), ["quiz"])) == 7
