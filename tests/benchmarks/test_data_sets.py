"""The benchmarks' data: each source's form, checksums, what is fetched, and what is refused."""

import json
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from benchmarks import evaluate, starter
from helpers import PROJECT
from lexmerge.benchmarks import data_sets, pins
from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.data_sources.pinned import check as check_written
from lexmerge.benchmarks.documents import checked
from lexmerge.benchmarks.results import limits
from lexmerge.benchmarks.suites import load_suite
from lexmerge.benchmarks.tasks import defined, leaves, read_task, shots
from lexmerge.benchmarks.toy import DOCUMENTS, MAKERS, SOLVED
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, sha256, write_json, write_jsonl
from test_tasks import SETTINGS

GLOSSARY = str(PROJECT / "resources/toy/glossary.tsv")
PASSAGE = {"id": "1", "title": "t", "score": "9.5"}


def task_documents(source, path, task, split="test"):
    return DATA_SOURCES[source].documents(task, split, path)


def read(reader: str, file: Path) -> list[dict]:
    return data_sets.READERS[reader]([file])


def test_pubmedqas_official_questions_in_order_of_their_ids(tmp_path):
    asked = {k: {"QUESTION": f"q{k}", "CONTEXTS": ["c"], "extra": 1} for k in ("10", "9", "8")}
    write_json(tmp_path / "a.json", asked)
    write_json(tmp_path / "b.json", {"10": "yes", "9": "maybe"})
    rows = data_sets.READERS["pubmedqa"]([tmp_path / "a.json", tmp_path / "b.json"])
    assert [(row["pmid"], row["QUESTION"], row["final_decision"]) for row in rows] == [
        ("9", "q9", "maybe"),
        ("10", "q10", "yes"),
    ]


def test_squads_form(tmp_path):
    answers = [{"text": "京都", "answer_start": 0}, {"text": "京都", "answer_start": 9}]
    question = {"id": "a1", "question": "どこ？", "answers": answers, "is_impossible": False}
    paragraphs = [{"context": "古都 [SEP] 京都。", "qas": [question, {**question, "id": "a2"}]}]
    write_json(tmp_path / "f.json", {"version": "1", "data": [{"title": "古都", "paragraphs": paragraphs}]})
    first = {"id": "a1", "title": "古都", "context": "古都 [SEP] 京都。", "question": "どこ？"}
    first["answers"] = {"text": ["京都", "京都"]}
    assert read("squad", tmp_path / "f.json") == [first, first | {"id": "a2"}]


def test_jaqket_keeps_five_passages_and_drops_what_none_of_them_answers(tmp_path):
    def row(qid: str, right: int) -> dict:
        passages = [{**PASSAGE, "text": f"p{i}", "has_answer": i == right} for i in range(8)]
        return {"qid": qid, "question": "q", "answers": ["a", "b"], "ctxs": passages}

    write_json(tmp_path / "f.json", [row("kept", 4), row("dropped", 5)])
    (found,) = read("jaqket", tmp_path / "f.json")
    assert found == {
        "qid": "kept",
        "question": "q",
        "ctxs": {"text": ["p0", "p1", "p2", "p3", "p4"]},
        "answers": {"text": ["a", "b"]},
    }


def test_tables_lines_and_lists(tmp_path):
    long = "長" * 200_000  # of one cell; Python's own limit is 131,072
    (tmp_path / "f.csv").write_text(f'id,text,summary\n1,"{long}\n二行",要約\n', encoding="utf-8")
    assert read("csv", tmp_path / "f.csv") == [{"id": "1", "text": f"{long}\n二行", "summary": "要約"}]
    rows = [{"a": "line\u2028separator"}, {"a": 2}]
    write_jsonl(tmp_path / "f.jsonl", rows)
    assert read("jsonl", tmp_path / "f.jsonl") == rows
    write_json(tmp_path / "f.json", rows)
    assert read("jsonl", tmp_path / "f.json") == rows


def test_jmedbenchs_rows_are_alike_whatever_their_metadata(tmp_path):
    row = {"sample_id": "1", "question": "q", "options": ["a", "b"], "answer_idx": 1, "n_options": 2}
    write_jsonl(
        tmp_path / "f", [row, row | {"metadata": {"source": "s"}}, row | {"metadata": {"context": "c"}}]
    )
    found = read("jmedbench", tmp_path / "f")
    assert [(r["context"], r["answer_idx"]) for r in found] == [("", 1), ("", 1), ("c", 1)]
    assert len({tuple(r) for r in found}) == 1
    pair = {"sample_id": "1", "premise": "p", "hypothesis": "h", "label": "4", "n_label": 6}
    write_jsonl(tmp_path / "g", [pair])
    assert read("jmedbench_sts", tmp_path / "g")[0]["label"] == 4


def test_every_task_of_the_pack_has_a_pinned_source():
    for suite in ("pubmedqa", "japanese_leaderboard", "jmedbench"):
        folder = str(PROJECT / "resources/benchmarks" / suite)
        for task in leaves(folder, defined(folder)):
            known = pins.pin(task)
            assert known["reader"] in data_sets.READERS
            assert {"licence", "source", "base", "folder"} <= known.keys()
            assert "/main" not in known["base"], "a branch moves"
            wanted = {"test", "train"} if shots(read_task(defined(folder)[task])) else {"test"}
            assert set(known["files"]) - {"search"} == wanted, "examples come from the training data"
    with pytest.raises(StudyError, match="has no source for 'pubmed'; did you mean 'pubmedqa'"):
        pins.pin("pubmed")


def test_pubmedqas_other_half_is_there_to_search_on(shared_data):
    reported, others = (
        data_sets.pinned_documents("pubmedqa", split, str(shared_data)) for split in ("test", "search")
    )
    assert len(others) == 500
    assert not {row["pmid"] for row in others} & {row["pmid"] for row in reported}
    assert {row["final_decision"] for row in others} == {"yes", "no", "maybe"}


@contextmanager
def serving(folder: Path):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def end_headers(self):
            if self.path.endswith("cut.json"):  # more is promised than is sent
                self._headers_buffer = [h.replace(b"Length: ", b"Length: 9") for h in self._headers_buffer]
            super().end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A data set of two documents on a server, and a folder of local copies that is empty."""
    write_jsonl(tmp_path / "remote/f.jsonl", [{"a": 1}, {"a": 2}])
    write_json(tmp_path / "remote/cut.json", [{"a": 1}])
    known = {"reader": "jsonl", "source": "s", "licence": "l", "folder": "quiz"}
    known["files"] = {"test": {"f.jsonl": sha256(tmp_path / "remote/f.jsonl")}}
    monkeypatch.setattr(pins, "pins", lambda: {"quiz": known})
    with serving(tmp_path / "remote") as url:
        known["base"] = url
        yield known


def test_what_is_not_here_is_fetched_once_and_checked(source, tmp_path):
    local = str(tmp_path / "local")
    assert task_documents("pinned", local, "quiz") == [{"a": 1}, {"a": 2}]
    (tmp_path / "remote/f.jsonl").unlink()
    assert task_documents("pinned", local, "quiz") == [{"a": 1}, {"a": 2}], "the copy stands in"
    (tmp_path / "local/quiz/f.jsonl").write_text('{"a": 3}\n')
    with pytest.raises(
        StudyError, match=r"quiz/f\.jsonl: the file's sha256 is .*, but .* expects .*; remove the file"
    ):
        task_documents("pinned", local, "quiz")


def test_a_file_without_a_checksum_is_used_and_what_it_is_is_said(source, tmp_path, capsys):
    source["files"]["test"]["f.jsonl"] = None
    assert len(task_documents("pinned", str(tmp_path / "local"), "quiz")) == 2
    assert "not checked, since resources/benchmarks/data.yaml has no sha256 for it; this file has " in (
        said := capsys.readouterr().out
    )
    assert sha256(tmp_path / "remote/f.jsonl") in said


def test_what_cannot_be_fetched_leaves_nothing_behind(source, tmp_path):
    local = tmp_path / "local"
    source["files"]["test"] = {"gone.jsonl": None}
    with pytest.raises(StudyError, match=r"cannot be fetched from .*gone\.jsonl \(HTTP 404\)"):
        task_documents("pinned", str(local), "quiz")
    source["files"]["test"] = {"cut.json": None}
    with pytest.raises(StudyError, match=r"the download ended after \d+ of 9\d+ bytes; run again"):
        task_documents("pinned", str(local), "quiz")
    assert [f for f in local.rglob("*") if f.is_file()] == []


def test_another_number_of_documents_or_another_form_is_refused(source, tmp_path):
    source["documents"] = {"test": {"n": 3}}
    with pytest.raises(StudyError, match=r"f\.jsonl: the file has 2 documents, but .* expects 3"):
        task_documents("pinned", str(tmp_path / "local"), "quiz")
    source["reader"] = "squad"
    with pytest.raises(
        StudyError, match=r"f\.jsonl: the file does not have the format of quiz's data \(JSONDecodeError"
    ):
        task_documents("pinned", str(tmp_path / "local"), "quiz")


def test_documents_that_come_out_differently_are_refused(source, tmp_path):
    source["documents"] = {"test": {"sha256": "0" * 64}}
    write_jsonl(tmp_path / "made.jsonl", [{"a": 1}])
    with pytest.raises(
        StudyError, match=r"the test documents of quiz have the sha256 .*, but .* expects 0+; remove"
    ):
        check_written("quiz", "test", tmp_path / "made.jsonl")


def test_a_host_that_does_not_answer_is_named_before_anything_runs(source, tmp_path):
    local = str(tmp_path / "local")
    assert pins.unreachable({"quiz": local}) == []
    source["base"] = "http://127.0.0.1:9"
    (said,) = pins.unreachable({"quiz": local})
    assert "http://127.0.0.1:9 does not answer" in said
    assert f"http://127.0.0.1:9/f.jsonl to {local}/quiz/f.jsonl" in said
    (tmp_path / "local/quiz").mkdir(parents=True)
    (tmp_path / "local/quiz/f.jsonl").write_text("{}")
    assert pins.unreachable({"quiz": local}) == [], "what is here needs no host"


def test_a_folder_of_ones_own(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "t.train.jsonl").write_text('{"a": 2}\n')
    assert task_documents("jsonl", str(tmp_path), "t") == [{"a": 1}]
    assert task_documents("jsonl", str(tmp_path), "t", "train") == [{"a": 2}]
    with pytest.raises(
        StudyError, match=r"u\.jsonl is missing; u needs this file, with one JSON document per line"
    ):
        task_documents("jsonl", str(tmp_path), "u")
    (tmp_path / "t.jsonl").write_text("{'a': 1}\n")
    with pytest.raises(StudyError, match=r"t\.jsonl has a line that is not JSON"):
        task_documents("jsonl", str(tmp_path), "t")


def test_faults_in_documents_are_named_the_first_of_them():
    definition = {"doc_to_text": "{{ q }}", "doc_to_choice": "{{ o }}", "doc_to_target": "a"}
    rows = [{"q": "?", "o": ["x", "y"], "a": 2}] * 7
    with pytest.raises(StudyError) as caught:
        checked("quiz", definition, "test", rows)
    said = str(caught.value).splitlines()
    assert said[0] == "benchmarks: quiz cannot use its test documents; correct them or the task's definition:"
    assert said[1] == "  - document 1: the answer 2 is not the index of one of its 2 options"
    assert (len(said), said[-1]) == (7, "  and 2 more")
    with pytest.raises(StudyError, match="- there are no documents"):
        checked("quiz", definition, "test", [])


@pytest.mark.parametrize("task", MAKERS)
def test_the_toy_documents_are_many_and_all_different(task):
    rows = task_documents("toy", GLOSSARY, task)
    assert len({json.dumps(row) for row in rows}) == len(rows) >= 4


@pytest.mark.parametrize("task", ["jaqket_v2", "jcommonsenseqa", "jsquad", "xlsum"])
def test_no_toy_example_is_asked(task):
    rows, examples = (task_documents("toy", GLOSSARY, task, split) for split in ("test", "train"))
    assert len({json.dumps(row) for row in examples}) == SOLVED
    assert [row for row in examples if row in rows] == []


def test_the_toy_answers_are_balanced_and_right():
    by_task = {task: task_documents("toy", GLOSSARY, task) for task in MAKERS}
    decisions = [row["final_decision"] for row in by_task["pubmedqa"]]
    assert {decisions.count(d) for d in ("yes", "no", "maybe")} == {10}
    for row in by_task["jcommonsenseqa"]:
        assert len({row[f"choice{i}"] for i in range(5)}) == 5
    for kind in (("medmcqa_jp", "igakuqa", "pubmedqa_jp"), ("crade", "rrtnm", "smdis")):
        for row in (row for name in kind for row in by_task[f"jmedbench_{name}"]):
            assert len(set(row["options"])) == len(row["options"]) in (3, 4)
    assert {row["label"] for row in by_task["jmedbench_sts"]} >= {0, 5}
    for row in by_task["jsquad"]:
        assert row["answers"]["text"][0] in row["context"]
    columns = [len(by_task[task]) for task in ("pubmedqa", "jsquad", "xlsum", "jmedbench_sts")]
    assert set(columns) == {DOCUMENTS}
    assert sum(len(by_task[f"jmedbench_{name}"]) for name in ("crade", "rrtnm", "smdis")) == DOCUMENTS


def test_the_official_questions_of_pubmedqa_and_jcommonsenseqa(shared_data, toy, tmp_path):
    """By a toy model, the first four of each. 276, 169 and 55 are PubMedQA's own counts."""
    for name, there in {
        "pubmedqa/ori_pqal.json": "pubmedqa/ori_pqal.json",
        "pubmedqa/test_ground_truth.json": "pubmedqa/test_ground_truth.json",
        "jcommonsenseqa/valid-v1.1.json": "jglue/jcommonsenseqa-valid-v1.3.json",
        "jcommonsenseqa/train-v1.1.json": "jglue/jcommonsenseqa-train-v1.3.json",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(shared_data / there)
    results, rows = {}, {}
    for task, suite in (("pubmedqa", "pubmedqa"), ("jcommonsenseqa", "japanese_leaderboard")):
        folder, data = str(PROJECT / "resources/benchmarks" / suite), {}
        for split in pins.pin(task)["files"]:
            data[split] = tmp_path / f"{task}.{split}.jsonl"
            write_jsonl(data[split], task_documents("pinned", str(tmp_path), task, split))
            check_written(task, split, data[split])
        rows[task] = read_jsonl(data["test"])
        settings = SETTINGS | {"device": "cpu", "limit": 4}
        model = str(toy / "models/expert")
        results[task], samples = evaluate(
            load_suite([task], folder, {task: data}),
            model,
            settings,
            "code",
            tmp_path / "kept",
            starter(model, settings, {"threads": 1}),
        )
        assert [row["doc_id"] for row in samples] == [0, 1, 2, 3]
    decisions = [row["final_decision"] for row in rows["pubmedqa"]]
    assert [decisions.count(d) for d in ("yes", "no", "maybe")] == [276, 169, 55]
    labels = [row["label"] for row in rows["jcommonsenseqa"]]
    assert [row["q_id"] for row in rows["jcommonsenseqa"]] == list(range(8939, 8939 + 1119))
    assert [labels.count(label) for label in range(5)] == [216, 237, 240, 228, 198]
    assert results["jcommonsenseqa"]["n-samples"]["jcommonsenseqa"] == {"original": 1119, "effective": 4}
    assert (results["jcommonsenseqa"]["n-shot"], results["pubmedqa"]["n-shot"]) == (
        {"jcommonsenseqa": 3},
        {"pubmedqa": 0},
    )
    assert limits(list(results.values())) == [
        f"{task}: only the first 4 documents of each task" for task in ("pubmedqa", "jcommonsenseqa")
    ]
