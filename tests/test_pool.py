"""A bounded disk: never more merges than it has room for, the same results, and the same plans as without."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import clone, pending, snakemake
from lexmerge.common.files import fresh_folder, read_jsonl, read_notes, read_numbers, read_tsv
from lexmerge.merges.checkpoint_pool import (
    Lease,
    Plan,
    Pool,
    Timing,
    begin,
    checkpoint,
    end,
    is_removed,
    making,
    removed_merges,
)
from lexmerge.study.fingerprint import fingerprint
from test_reruns import DISTANCES

PROJECT = Path(__file__).parents[1]
MERGES = ["slerp", "linear", "ties"]
QUICK = {"heartbeat": 0.5, "stale": 300, "patience": 0, "poll": 0.2}
STUDY = """
study:
  merges: [slerp, linear, ties]
  judges: [chrf]
  benchmarks: [pubmedqa]
definitions:
  prompts: {en: resources/prompts/definition.en.txt, ja: resources/prompts/definition.ja.txt}
"""
BOUNDED = f"{STUDY}merging: {{checkpoints: {{at_most: 2, keep: [ties]}}}}\n"
MORE = f"""{BOUNDED.replace("[pubmedqa]", "[pubmedqa, more]")}
benchmarks:
  more: {{folder: resources/benchmarks/japanese_leaderboard, tasks: [xwinograd], data: {{source: toy}}}}
"""


def weights(folder: Path) -> set[str]:
    """The merges in a folder of merges that have weights."""
    return {file.parent.name for file in folder.glob("[!.]*/*.safetensors")}


class Sampler(threading.Thread):
    """Looks all the time at which merges have weights, wherever below `merges/` those lie.

    A look counts if the next one is the same: what it saw was there at one moment.
    """

    def __init__(self, merges: Path):
        super().__init__(daemon=True)
        self.merges, self.most, self.seen = merges, 0, set()
        self._over = threading.Event()

    def look(self) -> set[int]:
        found = set()
        for folder, _, files in os.walk(self.merges):
            for name in (name for name in files if name.endswith(".safetensors")):
                try:
                    found.add(Path(folder, name).stat().st_ino)
                except FileNotFoundError:
                    continue
        return found

    def run(self) -> None:
        before = None
        while not self._over.wait(0.005):
            if (now := self.look()) == before:
                self.most = max(self.most, len(now))
                self.seen |= weights(self.merges)
            before = now

    def __enter__(self) -> "Sampler":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self.join()


@pytest.fixture(scope="module")
def bounded(toy_run, tmp_path_factory) -> dict:
    """A study of three merges on a disk for two, to the report; its parents are those of the toy study."""
    folder = shutil.copytree(toy_run, tmp_path_factory.mktemp("bounded") / "lexmerge", symlinks=True)
    toy = folder / "results/toy"
    for merge in (f.name for f in list((toy / "merges").iterdir())):
        shutil.rmtree(toy / "merges" / merge)
        for file in toy.glob(f"**/{merge}.*"):
            file.unlink()
    for name, text in {"study": STUDY, "bounded": BOUNDED, "more": MORE}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    with Sampler(toy / "merges") as sampler:
        done = snakemake(folder, "--cores", "2", "--configfile", "bounded.yaml")
    return {"folder": folder, "sampler": sampler, "said": done.stdout + done.stderr}


def test_there_are_never_more_merges_than_may_be(bounded):
    assert bounded["sampler"].seen == set(MERGES)
    assert bounded["sampler"].most == 2
    merges = bounded["folder"] / "results/toy/merges"
    assert weights(merges) == {"ties"}
    assert removed_merges(merges.parent, MERGES) == ["slerp", "linear"]
    assert (merges / "slerp/config.json").exists()
    assert (merges / "slerp/tokenizer.json").exists()
    assert not list((merges / ".pool/leases").glob("*/*"))


def test_depth_comes_first_so_that_nothing_is_made_twice(bounded):
    assert "is made again" not in bounded["said"]


def test_the_results_are_those_of_the_study_that_keeps_all(bounded, toy):
    ours = bounded["folder"] / "results/toy"
    for merge in MERGES:
        for file in (f"merges/{merge}/provenance.json", f"definitions/{merge}.jsonl"):
            assert (ours / file).read_bytes() == (toy / file).read_bytes(), file
        file = f"benchmarks/pubmedqa/{merge}.samples.jsonl"
        assert read_jsonl(ours / file) == read_jsonl(toy / file)
    for table, keys in {"definition_scores": ["model", "judge"], "benchmarks": ["model"]}.items():
        found, known = (read_tsv(f / f"tables/{table}.tsv").set_index(keys) for f in (ours, toy))
        assert set(MERGES) < set(found.index.get_level_values("model"))
        assert found.equals(known.loc[found.index, found.columns]), table


def test_the_distances_are_those_of_what_is_kept_and_say_so(bounded):
    toy = bounded["folder"] / "results/toy"
    table = read_numbers(toy / "statistics/distances.tsv")
    assert {*table.model_a, *table.model_b} == {"expert", "generalist", "ties"}
    assert read_notes(toy / "statistics/distances.tsv")[-1] == (
        "not measured, since their weights are not kept (merging.checkpoints): slerp, linear"
    )
    page = (toy / "report/index.html").read_text(encoding="utf-8")
    assert "Not measured: slerp, linear." in page
    assert "slerp, linear: their rows below" not in page


def test_a_second_run_has_nothing_to_do_and_says_what_is_removed(bounded):
    assert pending(bounded["folder"], "--configfile", "bounded.yaml") == set()
    planned = snakemake(bounded["folder"], "-n", "--configfile", "bounded.yaml")
    assert "Nothing to be done" in planned.stdout + planned.stderr
    assert (
        "note: the weights of 2 of 3 merges were removed (merging.checkpoints): slerp, linear;"
        in planned.stderr
    )


def test_dropping_the_setting_renews_the_distances_and_the_report(bounded):
    renewed = DISTANCES | {"study.yaml", "report/index.html"}
    assert pending(bounded["folder"], "--configfile", "study.yaml") == renewed


def test_setting_it_in_a_finished_study_renews_the_distances_and_the_report(toy_copy, edit):
    edit("config/config.yaml", "vocabulary:\n", "merging: {checkpoints: {at_most: 1}}\nvocabulary:\n")
    assert pending(toy_copy) == DISTANCES | {"study.yaml", "report/index.html"}


def test_a_new_benchmark_makes_again_what_it_reads(bounded):
    """Comes after the tests of what the first run left."""
    folder = bounded["folder"]
    merges = folder / "results/toy/merges"
    before = {file: file.stat().st_mtime_ns for file in merges.glob("[!.]*/*.json")}
    models = ["expert", "generalist", *MERGES]
    cells = {f"benchmarks/more/{model}{end}" for model in models for end in (".json", ".samples.jsonl")}
    final = {
        *("study.yaml", "report/index.html", "tables/benchmarks.tsv", "tables/benchmark_scores.tsv"),
        *("tables/validity.tsv", "statistics/comparisons.tsv"),
        *(f"figures/differences.{kind}" for kind in ("svg", "png", "pdf")),
        *(f"tables/{t}.{k}" for t in ("definition_scores", "benchmarks", "verdicts") for k in ("md", "tex")),
    }
    data = {f"benchmark_data/more/xwinograd/{split}.jsonl" for split in ("test", "train")}
    assert pending(folder, "--configfile", "more.yaml") == cells | data | final
    targets = [f"results/toy/{cell}" for cell in sorted(cells)]
    with Sampler(merges) as sampler:
        done = snakemake(folder, *targets, "--cores", "2", "--configfile", "more.yaml")
    assert sorted(re.findall(r"lexmerge: (\w+) is made again", done.stdout + done.stderr)) == [
        *("linear", "slerp")
    ]
    log = (folder / "results/toy/logs/benchmarks/more/slerp.log").read_text(encoding="utf-8")
    assert "slerp is made again: its weights were removed" in log
    assert sampler.seen == set(MERGES)
    assert sampler.most == 2
    assert weights(merges) == {"ties"}
    assert {file: file.stat().st_mtime_ns for file in merges.glob("[!.]*/*.json")} == before
    assert pending(folder, "--configfile", "more.yaml") == final


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
    begin(merges, Plan(**({"at_most": at_most, "keep": [], "readers": readers} | more)))


def reader(merge: str, seconds: float = 0, known: Path | None = None, **timing) -> subprocess.Popen:
    """A job that reads a merge for so long; it makes it again, or copies it from a folder of known merges."""
    worker = [sys.executable, str(PROJECT / "tests/pool_worker.py"), f"results/toy/merges/{merge}"]
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
    assert sum("is made again" in said for _, said in found) == 1
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
    assert sum("is made again" in said for said in found) == 1
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
    assert "linear is made again" in said, "it has not waited for a process that is gone"
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
    lease = Pool(place, Timing(heartbeat=0.2, stale=1)).lease("slerp", "reading")
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
    assert "results/toy/merges/slerp: made again, model.safetensors is not the file that" in errors
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
        pool.give_back(pool.lease(merge, "reading"))
        time.sleep(0.02)
    Path("read").mkdir()
    Path("read/three").touch()
    held = pool.lease("linear", "reading")
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
    pool.give_back(pool.lease("slerp", "making"), sweep=False)
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
        lease = pool.lease("slerp", "reading")
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
    assert "linear is made again" in result(reader("linear", 0, known))[1]
    assert is_removed(place / "slerp")


def test_the_pool_is_no_part_of_what_results_depend_on(tmp_path):
    scripts = clone(tmp_path / "lexmerge") / "workflow/scripts"
    before = {name: fingerprint(scripts / name) for name in ("definitions.py", "benchmarks.py", "merges.py")}
    file = scripts / "lexmerge/merges/checkpoint_pool.py"
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


def test_a_lease_is_of_one_process(place):
    lease = Lease(place / ".pool/leases/slerp", "reading", 1)
    assert lease.path.name.split(",")[3] == str(os.getpid())
    lease.give_back()
