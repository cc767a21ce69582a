"""Merged checkpoints on a bounded disk: their weights are removed after use, and made again for readers.

Of every merge the small files stay, `provenance.json` among them. What jobs must know of each other lies in
`merges/.pool`: `plan.json`, which the main process writes at the start of a run, and a file for each job that
reads or makes a merge, which the job touches as long as it lives. Nothing here is a lock or the clock of one
machine, since the jobs may run on several that share the disk.
"""

import importlib.metadata
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from flufl.lock import Lock, NotLockedError

from lexmerge.common.errors import StudyError
from lexmerge.common.files import sha256, write_json

READING, MAKING = "reading", "making"
SCRIPTS = Path(__file__).parents[2]
AGAIN = ("-m", "lexmerge.merges.remake")  # what Python runs to make a merge again
LOCK_SECONDS = 120  # after these the lock of a process that was lost is broken; it is held for moments
_TERMINAL = os.dup(2)  # a job sends what it prints to its log


@dataclass(frozen=True)
class Timing:
    """In seconds: how often a lease is touched, when an untouched one is void, how long a merge that is still
    to be read is left alone after its last use, and how often one who waits looks again."""

    heartbeat: float = 20
    stale: float = 300
    patience: float = 60
    poll: float = 2


@dataclass(frozen=True)
class Plan:
    """What a run of a bounded study is to keep to.

    `readers` are, by merge, the files that are written by those who read it; `pending` are the files that
    this run makes, whether there are such or not.
    """

    at_most: int
    keep: list[str]
    readers: dict[str, list[str]]
    pending: list[str] = field(default_factory=list)


TIMING = Timing()


@contextmanager
def checkpoint(folder: str | Path, timing: Timing = TIMING) -> Iterator[None]:
    """Inside, the weights of the model or merge in `folder` are there, if need be made again, and stay."""
    folder = Path(folder)
    if folder.parent.name != "merges":
        yield
        return
    pool = Pool(folder.parent, timing)
    if pool.plan is None and is_whole(folder):
        yield
        return
    lease = pool.wait(lambda: pool.to_read(folder.name), f"to read {folder.name}")
    try:
        if lease.kind == MAKING:
            pool.make_again(folder.name, lease)
            made, lease = lease, pool.lease(folder.name, READING)
            made.give_back()
        yield
    finally:
        pool.give_back(lease)


@contextmanager
def making(folder: str | Path, timing: Timing = TIMING) -> Iterator[None]:
    """Inside, a merge may be made in `folder`; in a bounded study, one waits for room before."""
    folder = Path(folder)
    pool = Pool(folder.parent, timing)
    if pool.plan is None:
        yield
        return
    lease = pool.wait(lambda: pool.to_make(folder.name), f"to make {folder.name}")
    try:
        yield
    finally:
        pool.give_back(lease, sweep=False)


def is_removed(folder: str | Path) -> bool:
    """Is this a merge that was made, and whose weights are not there?"""
    return (Path(folder) / "provenance.json").exists() and not is_whole(Path(folder))


def removed_merges(results: str | Path, merges: Iterable[str]) -> list[str]:
    """Those of a study's merges that whoever reads them makes again; `results` is the study's folder."""
    return [merge for merge in merges if is_removed(Path(results) / "merges" / merge)]


def removal_note(removed: list[str], merges: list[str]) -> str:
    """What a run may have to do over, for who plans one."""
    named = ", ".join(removed[:10]) + (", …" if removed[10:] else "")
    return (
        f"the weights of {len(removed)} of {len(merges)} merges were removed (merging.checkpoints): {named}; "
        "a job that reads one of them makes it again first"
    )


def is_whole(folder: Path) -> bool:
    """Has a merge's folder all weights that its provenance names?"""
    try:
        known = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    # From the listing: another node's view of a single file may be older than that of its folder.
    return {name for name in known["files"] if name.endswith(".safetensors")} <= set(_names(folder))


def begin(merges: str | Path, plan: Plan | None) -> None:
    """Before a run's first job: what its jobs are to keep to; None if all merges are kept."""
    pool = Pool(merges)
    if plan is None:
        pool.plan_file.unlink(missing_ok=True)
        return
    write_json(pool.plan_file, asdict(plan))
    Pool(merges).sweep()


def end(merges: str | Path, succeeded: bool) -> None:
    """After a run's last job: nothing stays that all have read."""
    if (pool := Pool(merges)).plan is None:
        return
    if succeeded:
        write_json(pool.plan_file, asdict(pool.plan) | {"pending": []})
    Pool(merges).sweep()


class Lease:
    """A file that says that a merge is read or made; it is touched until it is given back."""

    def __init__(self, folder: Path, kind: str, every: float):
        self.merge, self.kind = folder.name, kind
        self.path = folder / f"{kind},{_process()},{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(every,), daemon=True)
        self._thread.start()

    def _beat(self, every: float) -> None:
        while not self._over.wait(every):
            self.path.touch()

    def give_back(self) -> None:
        self._over.set()
        self._thread.join()
        self.path.unlink(missing_ok=True)


class Pool:
    """The merges of one study, in the folder `merges`. What is decided is decided under the pool's lock."""

    def __init__(self, merges: str | Path, timing: Timing = TIMING):
        self.merges, self.timing = Path(merges), timing
        self.state = self.merges / ".pool"
        self.plan_file = self.state / "plan.json"
        self.plan = _read_plan(self.plan_file)
        self._pending = set(self.plan.pending) if self.plan else set()

    @contextmanager
    def locked(self) -> Iterator[None]:
        self.state.mkdir(parents=True, exist_ok=True)
        lock = Lock(str(self.state / "lock"), lifetime=LOCK_SECONDS)
        lock.lock()
        try:
            yield
        finally:
            with suppress(NotLockedError):  # it was broken; what is done is done
                lock.unlock()

    def wait(self, take: Callable[[], Lease | None], what: str) -> Lease:
        """The lease that `take` gives, asked again and again under the lock."""
        waited = False
        while True:
            with self.locked():
                self.clean()
                if (lease := take()) is not None:
                    return lease
                if not waited:
                    print(f"waiting {what}: there are {', '.join(sorted(self.present()))}", flush=True)
            waited = True
            time.sleep(self.timing.poll)

    def lease(self, merge: str, kind: str) -> Lease:
        return Lease(self.state / "leases" / merge, kind, self.timing.heartbeat)

    def to_read(self, merge: str) -> Lease | None:
        """A lease to read the merge, or to make it first; None for who has to wait."""
        if self.kinds(merge) == {MAKING}:
            return None
        return self.lease(merge, READING) if is_whole(self.merges / merge) else self.to_make(merge)

    def to_make(self, merge: str) -> Lease | None:
        if self.kinds(merge) or not self.has_room_for(merge):
            return None
        remove_weights(self.merges / merge)  # of what was made by another recipe, or moved in by half
        return self.lease(merge, MAKING)

    def give_back(self, lease: Lease, sweep: bool = True) -> None:
        """The end of a lease, and of the weights that it was the last to read."""
        with self.locked():
            used = self.state / "used"
            used.mkdir(exist_ok=True)
            (used / lease.merge).touch()
            lease.give_back()
            if sweep:
                self.remove_read()

    def sweep(self) -> None:
        """Remove what all have read, what was left half made, and what is more than the limit."""
        with self.locked():
            self.clean()
            self.remove_read()
            self.make_room(self.plan.at_most, self.present(), patience=0)

    def remove_read(self) -> None:
        for merge in filter(self.is_over, self.present()):
            remove_weights(self.merges / merge)

    def has_room_for(self, merge: str) -> bool:
        if self.plan is None:
            return True
        return self.make_room(self.plan.at_most - 1, self.present() - {merge}, self.timing.patience)

    def make_room(self, most: int, present: set[str], patience: float) -> bool:
        """Remove weights until so many are left: what all have read, then what was not used for longest.

        What is still to be read is left alone as long as its readers may be about to start.
        """
        now = self.now()
        for merge in sorted(present, key=lambda m: (not self.is_over(m), self.last_used(m))):
            if len(present) <= most:
                break
            idle = self.is_over(merge) or now - self.last_used(merge) >= patience
            if idle and not self.kinds(merge) and merge not in self.plan.keep:
                remove_weights(self.merges / merge)
                present = present - {merge}
        return len(present) <= most

    def present(self) -> set[str]:
        """The merges that take room: those with weights, and those in the making."""
        there = {f.name for f in self.merges.iterdir() if f.is_dir() and _weights(f) and self.is_ours(f)}
        return there | {merge for merge in _names(self.state / "leases") if MAKING in self.kinds(merge)}

    def is_ours(self, folder: Path) -> bool:
        """Only what can be made again is counted and removed."""
        return (
            folder.name in (self.plan.readers if self.plan else {}) or (folder / "provenance.json").exists()
        )

    def is_over(self, merge: str) -> bool:
        """Has everything that reads a merge been written, and is nobody reading it?"""
        if self.plan is None or merge in self.plan.keep or self.kinds(merge):
            return False
        began = self.plan_file.stat().st_mtime
        files = [Path(file) for file in self.plan.readers.get(merge, [])]
        return all(f.exists() and (str(f) not in self._pending or f.stat().st_mtime > began) for f in files)

    def kinds(self, merge: str) -> set[str]:
        """Is a merge being read, or made?"""
        return {name.partition(",")[0] for name in _names(self.state / "leases" / merge)}

    def last_used(self, merge: str) -> float:
        used = self.state / "used" / merge
        return used.stat().st_mtime if used.exists() else 0

    def now(self) -> float:
        """The time as the shared disk has it, so that the clocks of nodes do not matter."""
        clock = self.state / "clock"
        clock.touch()
        return clock.stat().st_mtime

    def clean(self) -> None:
        """Forget who is lost, and what they left half made."""
        now = self.now()
        for file in (self.state / "leases").glob("*/*"):
            try:
                lost = now - file.stat().st_mtime > self.timing.stale or _is_gone(file.name)
            except FileNotFoundError:  # given back at this moment
                continue
            if lost:
                file.unlink(missing_ok=True)
        held = {file.name for file in (self.state / "leases").glob("*/*")}
        for name in _names(self.state / "making"):
            if name not in held:
                shutil.rmtree(self.state / "making" / name, ignore_errors=True)
        for part in self.merges.glob(".*.part") if self.plan else []:
            _, merge, *_ = part.name.split(".")  # as `files.fresh_folder` names it; no merge has a dot
            if MAKING not in self.kinds(merge):
                shutil.rmtree(part, ignore_errors=True)

    def make_again(self, merge: str, lease: Lease) -> None:
        """The weights as they were, bit for bit, by the recipe, seed and settings in the provenance."""
        folder, place = self.merges / merge, self.state / "making" / lease.path.name
        known = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        tell(f"{merge} is made again: its weights were removed after use (merging.checkpoints)")
        place.mkdir(parents=True)
        try:
            # In a process of its own: its memory is free afterwards, and nothing of the reader depends on it.
            paths = [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
            done = subprocess.run(
                [sys.executable, *AGAIN, str(folder), str(place)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            )
            if done.returncode:
                raise StudyError(f"{folder} could not be made again: the cause stands in the log above this")
            for name, before in known["weights"].items():
                if not (place / name).exists() or sha256(place / name) != before:
                    raise StudyError(_not_the_same(folder, name, known))
            for name in known["weights"]:
                (place / name).replace(folder / name)
        finally:
            shutil.rmtree(place, ignore_errors=True)


def tell(text: str) -> None:
    """Say something in the job's log and on the terminal."""
    print(text, flush=True)
    os.write(_TERMINAL, f"lexmerge: {text}\n".encode())


def remove_weights(folder: Path) -> None:
    """Remove a merge's weights; all else stays, and with it what the merge was made of."""
    for name in _weights(folder):
        (folder / name).unlink(missing_ok=True)


def _weights(folder: Path) -> list[str]:
    return [name for name in _names(folder) if name.endswith(".safetensors")]


def _names(folder: Path) -> list[str]:
    try:
        return sorted(file.name for file in folder.iterdir())
    except FileNotFoundError:
        return []


def _read_plan(file: Path) -> Plan | None:
    try:
        return Plan(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _machine() -> str:
    """The machine, and which of its sets of process numbers: containers may share the name of their host."""
    try:
        numbers = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        numbers = 0
    return f"{socket.gethostname()},{numbers}"


def _process() -> str:
    return f"{_machine()},{os.getpid()}"


def _is_gone(lease: str) -> bool:
    """Is the process that a lease names one of this machine, and ended?"""
    _, host, numbers, process, _ = lease.split(",")
    if f"{host},{numbers}" != _machine():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _not_the_same(folder: Path, name: str, known: dict) -> str:
    here = {package: importlib.metadata.version(package) for package in known["versions"]}
    differing = [f"{p} {v}, here {here[p]}" for p, v in known["versions"].items() if here[p] != v]
    before = f"on {known['settings']['device']}" + (f" with {'; '.join(differing)}" if differing else "")
    return (
        f"{folder}: made again, {name} is not the file that provenance.json names, which was made {before}, "
        "on another kind of machine or from other models: remove the whole folder and run again, to make the "
        "merge and all that depends on it anew"
    )
