"""Evaluations are shared by the workers of a search, each made once, whoever is killed."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers import PROJECT
from lexmerge.common.errors import StudyError
from lexmerge.common.files import write_jsonl
from lexmerge.common.journal import key_of
from lexmerge.common.leases import Leases
from lexmerge.search import evaluations
from lexmerge.search.evaluations import Evaluations
from search_recipes import same_everywhere


def request(n: int) -> dict:
    return {"of": "x", "recipe": n}


def lease_on(folder: Path, n: int) -> Path:
    """The folder of the leases on the candidate `n`."""
    return folder / "leases" / key_of(request(n))[:16]


def test_workers_share_the_work_and_agree(tmp_path):
    done: list[tuple[int, int]] = []

    def work(worker: int, found: dict) -> None:
        known = Evaluations(tmp_path, worker)

        def evaluate(asked: dict) -> dict:
            done.append((worker, asked["recipe"]))
            time.sleep(0.05)
            return {"value": asked["recipe"] ** 2}

        found[worker] = known.all([request(n) for n in range(12)], evaluate, lambda: None)

    found: dict[int, list] = {}
    threads = [threading.Thread(target=work, args=(worker, found)) for worker in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [found[worker] for worker in range(3)] == [[{"value": n**2} for n in range(12)]] * 3
    assert sorted(n for _, n in done) == list(range(12)), "each was evaluated once"
    assert len({worker for worker, _ in done}) == 3, "and all have worked"


@pytest.mark.parametrize("holder", ["7", "1"])
def test_the_candidate_of_a_worker_that_is_gone_is_taken_over_in_time(holder, tmp_path, monkeypatch):
    """7 is a worker that the search has no more, 1 one that was killed; both were on another machine."""
    monkeypatch.setattr(evaluations, "STALE", 0.5)
    monkeypatch.setattr(evaluations, "POLL", 0.1)
    known = Evaluations(tmp_path, 0)
    lease_on(tmp_path, 1).mkdir(parents=True)
    (lease_on(tmp_path, 1) / f"{holder},elsewhere,1,1,0000").touch()
    began = time.monotonic()
    assert known.all([request(1)], lambda _: {"value": 1}, lambda: None) == [{"value": 1}]
    assert time.monotonic() - began > 0.4
    assert not lease_on(tmp_path, 1).exists()


def test_a_worker_that_starts_again_on_another_machine_takes_its_own_candidate_over_at_once(tmp_path):
    for folder in (lease_on(tmp_path, 1), lease_on(tmp_path, 2)):
        folder.mkdir(parents=True)
    (lease_on(tmp_path, 1) / "0,elsewhere,1,1,0000").touch()
    (lease_on(tmp_path, 2) / "1,elsewhere,1,1,0000").touch()
    known = Evaluations(tmp_path, 0)
    assert not lease_on(tmp_path, 1).exists()
    assert lease_on(tmp_path, 2).exists(), "another worker's"
    assert known.all([request(1)], lambda _: {"value": 1}, lambda: None) == [{"value": 1}]


EVALUATE_SLOWLY = """
import sys, time
sys.path.insert(0, "workflow/scripts")
from lexmerge.search.evaluations import Evaluations
Evaluations(sys.argv[1], 1).all([{"of": "x", "recipe": 1}], lambda _: time.sleep(60), lambda: None)
"""


@pytest.mark.parametrize("worker", [0, 1])
def test_the_candidate_of_a_killed_process_of_this_machine_is_taken_over_at_once(worker, tmp_path):
    """By another worker, and by the same one when it is started again."""
    killed = subprocess.Popen([sys.executable, "-c", EVALUATE_SLOWLY, str(tmp_path)], cwd=PROJECT)
    until = time.monotonic() + 60
    while not list(lease_on(tmp_path, 1).glob("1,*")) or list(tmp_path.glob("leases/.lock")):
        assert time.monotonic() < until
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    known, began = Evaluations(tmp_path, worker), time.monotonic()
    assert known.all([request(1)], lambda _: {"value": 1}, lambda: None) == [{"value": 1}]
    assert time.monotonic() - began < 10


def test_a_candidate_that_a_living_worker_evaluates_is_left_alone(tmp_path, monkeypatch):
    """It takes longer than an untouched lease is valid."""
    monkeypatch.setattr(evaluations, "HEARTBEAT", 0.1)
    monkeypatch.setattr(evaluations, "STALE", 1)
    monkeypatch.setattr(evaluations, "POLL", 0.05)
    mine, theirs = Evaluations(tmp_path, 0), Evaluations(tmp_path, 1)

    def slowly(_: dict) -> dict:
        time.sleep(2.5)
        return {"value": "theirs"}

    thread = threading.Thread(target=theirs.all, args=([request(1)], slowly, lambda: None))
    thread.start()
    while not lease_on(tmp_path, 1).exists():
        time.sleep(0.01)
    assert mine.all([request(1)], lambda _: {"value": "mine"}, lambda: None) == [{"value": "theirs"}]
    thread.join()


def test_the_lock_is_not_held_while_a_candidate_is_evaluated(tmp_path):
    def evaluate(_: dict) -> dict:
        with Leases(tmp_path / "leases", 10, 180).locked():
            return {"value": 1}

    assert Evaluations(tmp_path, 0).all([request(1)], evaluate, lambda: None) == [{"value": 1}]


def test_a_lease_ends_with_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError):
        Evaluations(tmp_path, 0).all([request(1)], lambda _: 1 / 0, lambda: None)
    assert not lease_on(tmp_path, 1).exists()


def test_of_two_answers_the_one_of_the_lower_worker_counts_for_all(tmp_path):
    """A worker that was taken for lost may still end its candidate, after another has evaluated it too."""
    workers = [Evaluations(tmp_path, worker) for worker in (2, 1)]
    for worker, known in zip((2, 1), workers, strict=True):
        known._own.add(request(1), {"value": worker})
    for known in (*workers, Evaluations(tmp_path, 0)):
        found = known.all([request(1), request(2)], lambda _: {"value": 0}, lambda: None)
        assert found[0] == {"value": 1}


def test_half_a_line_of_another_worker_is_left_for_later(tmp_path):
    theirs = Evaluations(tmp_path, 1)
    theirs._own.add(request(1), {"value": "theirs"})
    whole = (tmp_path / "1.jsonl").read_bytes()
    (tmp_path / "1.jsonl").write_bytes(whole + whole[:20])
    mine = Evaluations(tmp_path, 0)
    said = mine.all([request(1), request(2)], lambda asked: {"value": asked["recipe"]}, lambda: None)
    assert said == [{"value": "theirs"}, {"value": 2}]


def test_histories_that_differ_are_refused(tmp_path):
    files = [tmp_path / "0.0.jsonl", tmp_path / "0.1.jsonl", tmp_path / "1.0.jsonl"]
    for file in files:
        write_jsonl(file, [{"evaluation": 0}])
    same_everywhere([str(file) for file in files])
    write_jsonl(files[1], [{"evaluation": 1}])
    with pytest.raises(StudyError, match="the workers of this search scored a candidate differently"):
        same_everywhere([str(file) for file in files])
