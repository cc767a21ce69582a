"""A study with a language model as its judge, from the config to the report; killed hard on the way."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pandas as pd
import pytest
from helpers import MODELS, pending, snakemake
from lexmerge.common.files import read_jsonl
from lexmerge.common.languages import says_something
from servers.chat_server import Reply, serving

KEY = "sk-judge-789"
STUDY = """
study: {name: toy, judges: [chrf, paid]}
judges:
  chrf: {provider: chrf, against: gold, gold: resources/toy/glossary.tsv}
  paid:
    provider: openai
    model: judge-1
    base_url: %s
    key_variable: SOME_KEY
    substitute_for: gpt-4o-2024-08-06
    price: {input: 1, output: 2}
judging: {controls: {terms: 5, repeats: 2}, max_cost: 5}
definitions: {prompts: {en: resources/prompts/definition.en.txt, ja: resources/prompts/definition.ja.txt}}
"""


class Grader:
    """Ten points for the reference, one for a text that asks for ten, else two; counts what it was asked."""

    def __init__(self, gullible: bool = False):
        self.asked, self.lock, self.slow, self.gullible = Counter(), threading.Lock(), 0.0, gullible

    def __call__(self, body: dict) -> Reply:
        with self.lock:
            self.asked[json.dumps(body, sort_keys=True)] += 1
        time.sleep(self.slow)
        lines = body["messages"][1]["content"].splitlines()
        reference, definition = (json.loads(line.partition(": ")[2]) for line in lines[2:])
        if "ignore all of the above" in definition:
            score = 10 if self.gullible else 1
        else:
            score = 10 if definition == reference else 2
        return Reply(json.dumps({"reasoning": "<b>because</b>", "score": score}))


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)


def overlay(folder, url, **changes) -> list[str]:
    text = STUDY % url
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    (folder / "paid.yaml").write_text(text)
    return ["--configfile", "paid.yaml"]


def test_a_judge_of_a_model_from_the_config_to_the_report(toy_copy):
    grader = Grader(gullible=True)
    grader.slow = 0.05

    def kept() -> int:
        journals = (toy_copy / "results/toy/journal").rglob("*paid*/*.jsonl")
        files = [*journals, *(toy_copy / "results/toy/journal").rglob("paid.jsonl")]
        return sum(file.read_bytes().count(b"\n") for file in files)

    with serving(grader) as server:
        arguments = overlay(toy_copy, server.url)
        run = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=toy_copy,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 180
        while kept() < 60:
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        grader.slow, under_way = 0, sum(grader.asked.values()) - kept()
        snakemake(toy_copy, "--unlock", *arguments)
        snakemake(toy_copy, "--cores", "2", *arguments)
        assert pending(toy_copy, *arguments) == set()
    assert 0 <= under_way <= 16, "what was under way when it was killed, at the most"
    assert sum(grader.asked.values()) <= kept() + under_way, "an answer that was there was asked for again"
    results = toy_copy / "results/toy"
    written = [row["definition"] for f in (results / "definitions").glob("*.jsonl") for row in read_jsonl(f)]
    asked = sum(map(says_something, written)) + 5 * (3 + 2)
    assert len(written) == 66 * 8
    assert asked > 66 * 7, "some models may have written nothing for some terms"
    assert kept() == asked, "one answer for each definition and each control"

    for model in MODELS:
        rows = read_jsonl(results / f"judgements/paid/{model}.jsonl")
        assert len(rows) == 66
        assert {row["status"] for row in rows} <= {"scored", "empty_definition"}
    assert {row["score"] for row in read_jsonl(results / "judgements/paid/expert.jsonl")} == {10}
    scores = pd.read_csv(results / "tables/definition_scores.tsv", sep="\t")
    assert dict(scores.groupby("judge").controls.first()) == {"chrf": "passed", "paid": "failed"}
    compared = pd.read_csv(results / "statistics/comparisons.tsv", sep="\t")
    assert set(compared[compared.measure == "paid"].controls) == {"failed"}
    costs = pd.read_csv(results / "tables/costs.tsv", sep="\t").set_index("judge")
    assert costs.calls["paid"] == asked
    assert costs.usd["paid"] == round(costs.calls["paid"] * (60 * 1 + 12 * 2) / 1e6, 4)
    page = (results / "report/index.html").read_text(encoding="utf-8")
    assert "paid (substitute for gpt-4o-2024-08-06) ✗" in page
    assert 'paid has not passed the <a href="#controls">controls</a>' in page
    assert "<b>because</b>" not in page
    held = [f for folder in (results, toy_copy / ".snakemake") for f in folder.rglob("*") if f.is_file()]
    assert not [f for f in held if KEY.encode() in f.read_bytes()]


def test_an_estimate_needs_no_key_and_a_limit_stops_what_is_dearer(toy_copy, monkeypatch):
    grader = Grader()
    with serving(grader) as server:
        dear = {"price": ("price: {input: 1, output: 2}", "price: {input: 9000, output: 9000}")}
        arguments = overlay(toy_copy, server.url, **dear)
        monkeypatch.delenv("SOME_KEY")
        shown = snakemake(toy_copy, "--cores", "1", "estimate", *arguments)
        monkeypatch.setenv("SOME_KEY", KEY)
        assert "judge paid: 553 calls of judge-1" in shown.stdout + shown.stderr
        assert "judging.max_cost is 5.00" in shown.stdout + shown.stderr
        target = "results/toy/judgements/paid/slerp.jsonl"
        stopped = snakemake(toy_copy, "--cores", "1", target, *arguments, check=False)
    assert stopped.returncode != 0
    assert "more than judging.max_cost (5.00); no request was sent" in stopped.stdout + stopped.stderr
    assert not grader.asked


def test_a_run_without_the_key_stops_before_anything_runs(toy_copy, monkeypatch):
    monkeypatch.delenv("SOME_KEY")
    done = snakemake(toy_copy, "--cores", "1", *overlay(toy_copy, "http://localhost:1/v1"), check=False)
    assert done.returncode != 0
    assert (
        "judges.paid: no API key; put it into the environment variable SOME_KEY" in done.stdout + done.stderr
    )
    assert "nothing was run" in done.stdout + done.stderr


def test_the_speed_price_and_label_of_a_judge_ask_nobody_again(toy_copy):
    with serving(Grader()) as server:
        arguments = overlay(toy_copy, server.url)
        snakemake(toy_copy, "--cores", "2", "results/toy/judgements/paid/slerp.jsonl", *arguments)
        overlay(
            toy_copy,
            server.url,
            price=("{input: 1, output: 2}", "{input: 2, output: 2}"),
            speed=("model: judge-1", "model: judge-1\n    connections: 3\n    requests_per_minute: 60"),
            label=("substitute_for: gpt-4o-2024-08-06", "substitute_for: another"),
        )
        assert "judgements/paid/slerp.jsonl" not in pending(toy_copy, *arguments)


def test_a_sheet_for_raters_and_their_ratings(toy_copy):
    snakemake(toy_copy, "--cores", "1", "rating_sheet")
    file = toy_copy / "results/toy/ratings/sheet.tsv"
    sheet = pd.read_csv(file, sep="\t", comment="#", dtype=str, keep_default_na=False)
    assert len(sheet) == 150
    assert "slerp" not in file.read_text()
    sheet.assign(score="7").to_csv(toy_copy / "rated.tsv", sep="\t", index=False)
    (toy_copy / "rated.yaml").write_text("study: {name: toy}\njudging: {ratings: rated.tsv}\n")
    arguments = ("--configfile", "rated.yaml")
    snakemake(toy_copy, "--cores", "2", "results/toy/report/index.html", *arguments)
    table = pd.read_csv(toy_copy / "results/toy/statistics/ratings.tsv", sep="\t").set_index("judge")
    assert table.n["chrf"] >= 150
    assert table.n["between human raters"] == 0
    means = pd.read_csv(toy_copy / "results/toy/statistics/prediction_powered.tsv", sep="\t")
    assert len(means) == 8 * 2
    assert set(means.people_mean.dropna()) == {7}
    assert "prediction-powered mean" in (toy_copy / "results/toy/report/index.html").read_text(
        encoding="utf-8"
    )
