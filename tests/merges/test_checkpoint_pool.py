"""The pool of merges: removed weights are made again, once, and never more are there than there may be."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import PROJECT, clone
from lexmerge.common.files import fresh_folder
from lexmerge.merges.checkpoint_pool import (
    Bounds,
    Pool,
    Timing,
    begin,
    checkpoint,
    end,
    is_removed,
    making,
)
from lexmerge.study.fingerprint import fingerprint
from merges_on_disk import Sampler, weights

QUICK = {"heartbeat": 0.5, "stale": 300, "patience": 0, "poll": 0.2}


@pytest.fixture
def place(toy, tmp_path, monkeypatch) -> Path:
    """The models of the toy study, where recipes look for them, and two of its merges without weights."""
    for kind in ("models", "merges"):
        shutil.copytree(toy / kind, tmp_path / "results/toy" / kind, symlinks=True)
    merges = tmp_path / "results/toy/merges"
    for merge in (f.name for f in merges.iterdir() if f.name not in ("slerp", "linear")):
        shutil.rmtree(merges / merge)
    for merge in ("slerp", "linear"):
        (merges / merge / "model.safetensors").unlink()
    monkeypatch.chdir(tmp_path)
    return merges


@pytest.fixture
def known(toy) -> Path:
    return toy / "merges"


def bound(merges: Path, at_most: int, **more) -> None:
    readers = {merge: [f"read/{merge}"] for merge in ("slerp", "linear")}
    begin(merges, Bounds(**({"at_most": at_most, "keep": [], "readers": readers} | more)))


def reader(merge: str, seconds: float = 0, known: Path | None = None, **timing) -> subprocess.Popen:
    """A job that reads a merge for so long; it makes it again, or copies it from a folder of known merges."""
    worker = [sys.executable, str(PROJECT / "tests/workers/pool_worker.py"), f"results/toy/merges/{merge}"]
    return subprocess.Popen(
        [*worker, str(seconds), json.dumps(QUICK | timing), str(known / merge) if known else ""],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(job: subprocess.Popen) -> tuple[dict, str]:
    """When a reader read, and all that it said."""
    out, errors = job.communicate(timeout=100)
    assert job.returncode == 0, out + errors
    return json.loads(out.splitlines()[-1]), out


def until(there) -> None:
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_two_who_want_the_same_removed_merge_make_it_once(place):
    bound(place, at_most=1)
    found = [result(job) for job in (reader("slerp", 1), reader("slerp", 1))]
    assert sum("is remade" in said for _, said in found) == 1
    assert all(times["there"] == ["model.safetensors"] for times, _ in found)
    (one, _), (two, _) = found
    assert max(one["began"], two["began"]) < min(one["ended"], two["ended"]), "both read at a time"


def test_at_the_limit_one_waits_for_the_other(place, known):
    bound(place, at_most=1)
    with Sampler(place) as sampler:
        jobs = [reader("slerp", 1, known), reader("linear", 1, known)]
        first, last = sorted((result(job) for job in jobs), key=lambda found: found[0]["began"])
    assert first[0]["ended"] <= last[0]["began"]
    assert "waiting to read" in last[1]
    assert sampler.most == 1


def test_without_the_setting_what_was_removed_is_made_again_and_stays(place):
    begin(place, None)
    found = [result(job)[1] for job in (reader("slerp"), reader("slerp"))]
    assert sum("is remade" in said for said in found) == 1
    assert not is_removed(place / "slerp")
    shutil.rmtree(place / ".pool")
    with checkpoint(place / "slerp"):
        assert not (place / ".pool").exists(), "no lease and no lock where all is there"


def test_a_killed_maker_leaves_nothing_that_looks_whole(place, known):
    bound(place, at_most=1)
    killed = reader("slerp", 0, known)
    until(lambda: list(place.glob(".pool/making/*")))
    killed.kill()
    killed.communicate()
    assert is_removed(place / "slerp")
    _, said = result(reader("linear", 0, known))
    assert "linear is remade" in said, "it has not waited for a process that is gone"
    until(lambda: not list(place.glob(".pool/making/*")) or Pool(place, Timing(**QUICK)).sweep())
    assert result(reader("slerp", 0, known))[0]["there"] == ["model.safetensors"]


def test_a_lease_of_a_lost_node_is_overcome_in_time_and_no_sooner(place, known):
    bound(place, at_most=1)
    shutil.copy(place / "slerp/config.json", place / "slerp/model.safetensors")
    lease = place / ".pool/leases/slerp/reading,elsewhere,1,1,0000"
    lease.parent.mkdir(parents=True)
    lease.touch()
    began = time.time()
    assert result(reader("linear", 0, known, stale=8))[0]["began"] > began + 8
    assert not lease.exists()


def test_a_living_lease_outlasts_its_stale_time(place):
    bound(place, at_most=1)
    lease = Pool(place, Timing(heartbeat=0.2, stale=1)).leases.take("slerp", "reading")
    other = lease.path.with_name(lease.path.name.replace(socket.gethostname(), "elsewhere"))
    other.touch()
    time.sleep(2)
    Pool(place, Timing(heartbeat=0.2, stale=1)).sweep()
    assert lease.path.exists()
    assert not other.exists()
    lease.give_back()
    assert not lease.path.exists()


def test_another_merge_than_before_is_refused(place):
    bound(place, at_most=1)
    known = place / "slerp/provenance.json"
    text = known.read_text(encoding="utf-8")
    digest = json.loads(text)["weights"]["model.safetensors"]
    known.write_text(text.replace(digest, "0" * 64).replace('"torch": "', '"torch": "0.'), encoding="utf-8")
    job = reader("slerp")
    _, errors = job.communicate(timeout=100)
    assert job.returncode == 1
    assert "results/toy/merges/slerp: model.safetensors was remade and differs from the file that" in errors
    assert re.search(r"made on cpu with torch 0\.\S+, here \d", errors)
    assert "remove the whole folder and run again" in errors
    assert is_removed(place / "slerp")
    assert not list(place.glob(".pool/making/*"))


def touched(place: Path, merge: str) -> None:
    """Weights of a merge, as far as the pool looks at them."""
    (place / merge / "model.safetensors").write_bytes(b"weights")


def test_what_all_have_read_goes_first_then_what_was_not_used_for_longest(place):
    for merge in ("one", "two", "three"):
        (place / merge).mkdir()
    for merge in ("slerp", "linear", "one", "two", "three"):
        touched(place, merge)
    readers = {m: [f"read/{m}"] for m in ("slerp", "linear", "one", "two", "three")}
    bound(place, at_most=5, readers=readers, keep=["two"])
    pool = Pool(place, Timing(patience=0))
    for merge in ("linear", "one", "two", "three"):  # slerp, which was never used, is the oldest
        pool.give_back(pool.leases.take(merge, "reading"))
        time.sleep(0.02)
    Path("read").mkdir()
    Path("read/three").touch()
    held = pool.leases.take("linear", "reading")
    left = []
    for most in (4, 3, 2, 1):
        pool.make_room(most, pool.present(), 0)
        left.append(weights(place))
    held.give_back()
    assert left == [
        {"slerp", "linear", "one", "two"},
        {"linear", "one", "two"},
        {"linear", "two"},  # one of them is read, the other is kept
        {"linear", "two"},
    ]


def test_what_is_about_to_be_read_is_left_alone_for_a_while(place):
    touched(place, "slerp")
    bound(place, at_most=1)
    pool = Pool(place, Timing(patience=60))
    pool.give_back(pool.leases.take("slerp", "making"), sweep=False)
    assert pool.to_make("linear") is None
    assert Pool(place, Timing(patience=0)).to_make("linear") is not None


def test_weights_go_with_the_last_reader_that_succeeds(place):
    readers = {"slerp": ["read/a", "read/b"], "linear": []}
    Path("read").mkdir()
    Path("read/a").touch()  # of an earlier run, and to be written anew in this one
    time.sleep(0.02)
    bound(place, at_most=2, readers=readers, pending=["read/a", "read/b"])
    for expected, written in ((True, "read/b"), (True, None), (False, "read/a")):
        touched(place, "slerp")
        pool = Pool(place)
        lease = pool.leases.take("slerp", "reading")
        if written:
            Path(written).touch()
        pool.give_back(lease)
        assert ("slerp" in weights(place)) == expected
    touched(place, "slerp")
    bound(place, at_most=2, readers=readers, pending=["read/a", "read/b"])
    end(place, succeeded=False)
    assert weights(place) == {"slerp"}
    end(place, succeeded=True)
    assert weights(place) == set()


def test_a_killed_run_of_a_job_is_no_reader(place, known):
    bound(place, at_most=1)
    job = reader("slerp", 60, known)
    until(lambda: list(place.glob(".pool/leases/slerp/reading*")))
    os.kill(job.pid, signal.SIGKILL)
    job.communicate()
    assert "linear is remade" in result(reader("linear", 0, known))[1]
    assert is_removed(place / "slerp")


@pytest.mark.parametrize("module", ["merges/checkpoint_pool", "run/gpus", "common/leases", "common/terminal"])
def test_the_pool_is_no_part_of_what_results_depend_on(module, tmp_path):
    scripts = clone(tmp_path / "lexmerge") / "workflow/scripts"
    names = ("definitions.py", "benchmarks.py", "merges.py", "search.py")
    before = {name: fingerprint(scripts / name) for name in names}
    file = scripts / f"lexmerge/{module}.py"
    file.write_text(file.read_text(encoding="utf-8") + "\n\nMORE = 1\n", encoding="utf-8")
    assert {name: fingerprint(scripts / name) for name in before} == before


def test_what_a_living_job_makes_is_left_alone_and_what_a_lost_one_left_is_removed(place):
    bound(place, at_most=2)
    shutil.rmtree(place / "linear")
    with making(place / "linear"), fresh_folder(place / "linear") as part:
        (part / "model.safetensors").write_bytes(b"half of the weights")
        lost = place / f".slerp.{socket.gethostname()}.1.part"
        (lost / "slerp").mkdir(parents=True)
        Pool(place).sweep()
        assert (part / "model.safetensors").exists()
        assert not lost.exists()
    assert weights(place) == {"linear"}


def test_merges_whose_names_have_dots_are_made_side_by_side(tmp_path):
    """Sweeps make names such as lin_w0 and lin_w0.5, of which one begins with the other."""
    bound(tmp_path, at_most=9, readers={"lin_w0.5": ["read/lin_w0.5"]})
    with making(tmp_path / "lin_w0.5"), fresh_folder(tmp_path / "lin_w0.5") as part:
        with fresh_folder(tmp_path / "lin_w0"):
            assert part.is_dir(), "removed as a leftover of lin_w0"
        Pool(tmp_path).sweep()
        assert part.is_dir(), "removed as a leftover of a job that is gone"
