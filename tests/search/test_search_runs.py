"""The toy study's search: reproducible, kept through any kill, and honest about luck."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT
from lexmerge.common.files import read_jsonl, read_numbers
from lexmerge.search.history import best, front

MERGE = "evolved_dare_ties"


@pytest.fixture(scope="module")
def setup(toy_run, toy, tmp_path_factory):
    """What a worker of the toy study's search is given, with a journal of its own."""
    config = yaml.safe_load((toy / "study.yaml").read_text(encoding="utf-8"))["config"]
    merge = config["merges"][MERGE]
    params = {
        "recipe": merge["recipe"],
        "adds_base": True,
        "search": {k: v for k, v in merge["search"].items() if k not in ("seeds", "workers")},
        "suites": {
            "pubmedqa": {"tasks": ["pubmedqa"], "folder": "resources/benchmarks/pubmedqa"},
            "japanese_leaderboard": {
                "tasks": ["xwinograd"],
                "folder": "resources/benchmarks/japanese_leaderboard",
            },
        },
        "folders": {n: f"results/toy/models/{n}" for n in ("ancestor", "generalist", "expert")},
        "merge_seed": merge["seed"],
        "merging": {k: v for k, v in config["merging"].items() if k != "same_below"},
        "benchmarking": config["benchmarking"],
        "scoring": "",
    }
    given = {
        "project": str(toy_run),
        "data": [str(file) for file in sorted((toy / "search_data").rglob("*.jsonl"))],
        "canonical": "results/toy/models/generalist",
        "seed": 0,
    }

    def make(journal: Path, worker: int = 0, **search) -> subprocess.Popen:
        changed = {"journal": str(journal), "search": params["search"] | search}
        content = given | {
            "params": params | changed,
            "worker": worker,
            "out": str(journal / f"out.{worker}"),
        }
        journal.mkdir(exist_ok=True)
        file = journal / f"setup.{worker}.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        command = [sys.executable, str(PROJECT / "tests/workers/search_worker.py"), str(file)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return make


def lines(journal: Path, workers: str = "[0-9]") -> int:
    return sum(file.read_bytes().count(b"\n") for file in journal.glob(f"{workers}.jsonl"))


def wait_for(journal: Path, count: int, process: subprocess.Popen, workers: str = "[0-9]") -> None:
    until = time.monotonic() + 120
    while lines(journal, workers) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_killed_at_any_moment_and_shared_by_two_it_is_the_same_search(setup, toy, tmp_path):
    """One worker alone made the toy study's; here one of two is killed in the middle, torn, and run again."""
    workers = [setup(tmp_path, worker) for worker in (0, 1)]
    wait_for(tmp_path, 14, workers[1])
    wait_for(tmp_path, 6, workers[1], "1")  # when it is back, the other may be done with all
    workers[1].kill()
    workers[1].wait()
    with (tmp_path / "1.jsonl").open("ab") as journal:
        journal.write(b'{"key": "to')
    workers[1] = setup(tmp_path, 1)
    said = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    alone = (toy / f"search/{MERGE}/0.0.jsonl").read_bytes()
    assert (tmp_path / "out.0").read_bytes() == alone
    assert (tmp_path / "out.1").read_bytes() == alone
    assert lines(tmp_path) == len(alone.splitlines()), "nothing was evaluated twice"
    assert all(len(read_jsonl(tmp_path / f"{n}.jsonl")) > 5 for n in (0, 1)), "both have worked"


def test_ctrl_c_ends_after_the_candidate_with_the_best_so_far(setup, toy, tmp_path):
    process = setup(tmp_path)
    wait_for(tmp_path, 14, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    kept = read_jsonl(tmp_path / "0.jsonl")
    found = max(row["answer"]["fitness"][0] for row in kept)
    assert process.returncode == 1
    assert f"The best of {len(kept)} recipes" in said
    assert f"`budget: {{evaluations: {len(kept)}}}`" in said
    winner = next(row for row in kept if row["answer"]["fitness"][0] == found)
    saved = yaml.safe_load((tmp_path / "best.0.yaml").read_text(encoding="utf-8"))
    sources = [s["parameters"] for s in saved["slices"][0]["sources"][:2]]
    assert sources == [s["parameters"] for s in winner["request"]["recipe"]["slices"][0]["sources"][:2]]
    # It is taken as it is with the budget that the message names, and no model is loaded for it.
    again = setup(tmp_path, budget={"evaluations": len(kept)})
    assert again.wait() == 0, again.communicate()
    rows = read_jsonl(tmp_path / "out.0")
    assert len(rows) == len(kept) == lines(tmp_path)
    assert max(row["fitness"][0] for row in rows) == found
    assert rows == read_jsonl(toy / f"search/{MERGE}/0.0.jsonl")[: len(rows)]


def test_candidates_that_fail_have_a_reason_and_the_search_goes_on(setup, tmp_path):
    """Weights of up to 1e42 overflow a 32-bit number; the start does not."""
    huge = {"range": [0.0, 1e42], "start": 1.0}
    small = {"range": [0.2, 0.99], "start": 0.8}
    parameters = {
        **dict.fromkeys(("expert_weight", "generalist_weight"), huge),
        **dict.fromkeys(("expert_density", "generalist_density"), small),
    }
    process = setup(tmp_path, parameters=parameters, budget={"evaluations": 6}, population=5)
    assert process.wait() == 0, process.communicate()
    rows = read_jsonl(tmp_path / "out.0")
    assert len(rows) == 6
    failed = [row for row in rows if row["status"] == "failed"]
    assert failed
    assert all("NaN or infinite values in" in row["reason"] and row["score"] is None for row in failed)


def test_a_start_that_fails_stops_the_search(setup, tmp_path):
    parameters = {
        **{f"{name}_weight": {"range": [0.0, 1e42], "start": 1e42} for name in ("expert", "generalist")},
        **{f"{name}_density": {"range": [0.2, 0.99]} for name in ("expert", "generalist")},
    }
    process = setup(tmp_path, parameters=parameters)
    _, said = process.communicate()
    assert process.returncode == 1
    assert "the start cannot be evaluated, so nothing was searched: NaN or infinite values" in said


def test_two_objectives_at_once_end_in_a_front(setup, tmp_path):
    def one(task: str) -> list[dict]:
        return [{"task": task, "metric": "acc", "weight": 1}]

    objectives = {"domain": one("pubmedqa"), "language": one("xwinograd")}
    process = setup(tmp_path, objectives=objectives, budget={"evaluations": 21}, population=10)
    assert process.wait() == 0, process.communicate()
    rows = read_jsonl(tmp_path / "out.0")
    assert all(len(row["score"]) == 2 for row in rows)
    ahead = front([tuple(row["fitness"]) for row in rows])
    assert best(rows) in [rows[k] for k in ahead]


def test_more_blocks_than_layers_are_refused(setup, tmp_path):
    parameters = {
        f"{name}_{what}": {"range": [0.2, 0.9], **({"blocks": 4} if what == "weight" else {})}
        for name in ("expert", "generalist")
        for what in ("weight", "density")
    }
    process = setup(tmp_path, parameters=parameters)
    assert ".blocks: 4 is more than the 3 layers of ancestor" in process.communicate()[1]


def test_what_was_scored_is_saved_and_benchmarked(toy):
    """The same model by three ways: in memory, and as a checkpoint by the rule of all benchmarks."""
    scores = json.loads((toy / f"search/{MERGE}/scores.json").read_text(encoding="utf-8"))
    found = scores["seeds"][0]
    assert found["scored_again"] is True
    for suite, task in (("pubmedqa", "pubmedqa"), ("japanese_leaderboard", "xwinograd")):
        results = json.loads((toy / f"benchmarks/{suite}/{MERGE}.json").read_text(encoding="utf-8"))
        assert found["held_out"]["scores"][task]["acc"] == results["results"][task]["acc,none"]
    recipe_file = yaml.safe_load((toy / f"recipes/{MERGE}.yaml").read_text(encoding="utf-8"))
    winner = best(read_jsonl(toy / f"search/{MERGE}/0.0.jsonl"))
    weights = [s["sources"][0]["parameters"]["weight"] for s in recipe_file["slices"]]
    assert weights == winner["values"]["generalist_weight"]


def test_the_table_says_what_of_the_gain_was_chance(toy):
    row = read_numbers(toy / "tables/search.tsv").iloc[0]
    history = read_jsonl(toy / f"search/{MERGE}/0.0.jsonl")
    assert (row.evaluations, row.failed) == (len(history), 0)
    assert row.search_start == pytest.approx(history[0]["score"][0], abs=1e-6)
    assert row.search_gain == pytest.approx(best(history)["score"][0] - history[0]["score"][0], abs=2e-6)
    assert row["drop"] == pytest.approx(row.search_gain - row.held_out_gain, abs=2e-6)
    assert row.ci_low <= row.held_out_gain <= row.ci_high
    assert row.n == 60, "thirty documents of each of the two tasks"
    assert row.search_gain > 0


def test_the_searchs_documents_are_none_of_the_tables(toy):
    for file in (toy / "search_data").rglob("test.jsonl"):
        reported = read_jsonl(toy / "benchmark_data" / file.relative_to(toy / "search_data" / MERGE))
        searched = read_jsonl(file)
        assert len(searched) == 24
        assert not [row for row in searched if row in reported]


def test_the_report_shows_the_search(toy):
    page = (toy / "report/index.html").read_text(encoding="utf-8")
    assert '<h2 id="searches">' in page
    assert "best so far" in page
    parameters = read_numbers(toy / "tables/search_parameters.tsv")
    assert len(parameters) == 12, "four placeholders of three blocks"


def test_the_toy_search_takes_less_than_a_minute(toy):
    import re

    logs = [toy / f"logs/search/{MERGE}/0.0.log", toy / f"logs/search_scores/{MERGE}.log"]
    work = [float(re.search(r"work ([\d.]+) s", log.read_text(encoding="utf-8"))[1]) for log in logs]
    assert sum(work) < 60 * 1.5, "allowing for a machine that is busy"
