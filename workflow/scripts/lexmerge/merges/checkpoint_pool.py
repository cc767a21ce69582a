"""Merged checkpoints on a bounded disk: weights are removed after use and remade when a job reads them.

The small files of every merge stay, including `provenance.json`. Jobs coordinate through the folder
`merges/.pool`: it holds `bounds.json`, which the main process writes at the start of a run, and a lease for
each job that reads or makes a merge (`lexmerge.common.leases`). The jobs may run on several machines that
share the disk.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.common.files import sha256, write_json
from lexmerge.common.leases import Lease, Leases
from lexmerge.common.plurals import counted
from lexmerge.common.terminal import tell

READING, MAKING = "reading", "making"
SCRIPTS = Path(__file__).parents[2]
REMAKE = ("-m", "lexmerge.merges.remake")  # arguments for Python to remake a merge's weights


@dataclass(frozen=True)
class Timing:
    """The pool's time limits in seconds.

    Attributes:
        heartbeat: The interval between two touches of a lease.
        stale: The age at which an untouched lease is void.
        patience: How long a merge that other jobs will read is kept after its last use.
        poll: The interval between two checks of a waiting job.
    """

    heartbeat: float = 20
    stale: float = 300
    patience: float = 60
    poll: float = 2


@dataclass(frozen=True)
class Bounds:
    """Limits for the jobs of one run, in a study that does not keep the weights of all merges.

    Attributes:
        at_most: The maximum number of merges with weights at any time.
        keep: The merges whose weights are never removed.
        readers: For each merge, the output files of the jobs that read it.
        pending: The files in `readers` that this run makes, whether or not they exist already.
    """

    at_most: int
    keep: list[str]
    readers: dict[str, list[str]]
    pending: list[str] = field(default_factory=list)


TIMING = Timing()


@contextmanager
def checkpoint(folder: str | Path, timing: Timing = TIMING) -> Iterator[None]:
    """Read a model or a merge: inside the block its weights exist and are not removed.

    Removed weights of a merge are remade first, as soon as there is room for them.

    Args:
        folder: The checkpoint; it is a merge if its parent folder is called `merges`.
        timing: Other time limits, for tests.

    Raises:
        StudyError: The weights could not be remade, or differ from the original ones.
    """
    folder = Path(folder)
    if folder.parent.name != "merges":
        yield
        return
    pool = Pool(folder.parent, timing)
    if pool.bounds is None and is_whole(folder):
        yield
        return
    lease = pool.wait(lambda: pool.to_read(folder.name), f"to read {folder.name}")
    try:
        if lease.kind == MAKING:
            pool.remake(folder.name, lease)
            made, lease = lease, pool.leases.take(folder.name, READING)
            made.give_back()
        yield
    finally:
        pool.give_back(lease)


@contextmanager
def making(folder: str | Path, timing: Timing = TIMING) -> Iterator[None]:
    """Make a merge: a bounded study first waits until there is room for its weights.

    Args:
        folder: The merge's folder, which need not exist yet.
        timing: Other time limits, for tests.
    """
    folder = Path(folder)
    pool = Pool(folder.parent, timing)
    if pool.bounds is None:
        yield
        return
    lease = pool.wait(lambda: pool.to_make(folder.name), f"to make {folder.name}")
    try:
        yield
    finally:
        pool.give_back(lease, sweep=False)


def is_removed(folder: str | Path) -> bool:
    """Check whether the weights of a merge were removed.

    Args:
        folder: The merge's folder, which need not exist yet.

    Returns:
        True if the folder has a provenance.json but not all weights that it lists.
    """
    return (Path(folder) / "provenance.json").exists() and not is_whole(Path(folder))


def removed_merges(results: str | Path, merges: Iterable[str]) -> list[str]:
    """List the merges whose weights were removed, and which a reading job would therefore remake.

    Args:
        results: The folder of the study's results.
        merges: The names of the study's merges.

    Returns:
        A subset of `merges`, in the same order.
    """
    return [merge for merge in merges if is_removed(Path(results) / "merges" / merge)]


def removal_note(removed: list[str], merges: list[str]) -> str:
    """Compose the note that a run may have to remake merges.

    Args:
        removed: The result of `removed_merges`.
        merges: The names of all merges of the study.

    Returns:
        The note, one line without a full stop.
    """
    named = ", ".join(removed[:10]) + (", …" if removed[10:] else "")
    return (
        f"the weights of {len(removed)} of {counted(len(merges), 'merge')} were removed "
        f"(merging.checkpoints): {named}; a job that reads one of them remakes it first"
    )


def is_whole(folder: Path) -> bool:
    """Check whether a merge's folder has all weights that its provenance.json lists."""
    try:
        known = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    # Use the folder's listing: on NFS, the cached state of a single file may be older.
    return {name for name in known["files"] if name.endswith(".safetensors")} <= set(_names(folder))


def begin(merges: str | Path, bounds: Bounds | None) -> None:
    """Record the limits before the first job of a run, and remove weights in excess of them.

    Args:
        merges: The folder of the study's merges.
        bounds: The limits; None if the weights of all merges are kept.
    """
    pool = Pool(merges)
    if bounds is None:
        pool.bounds_file.unlink(missing_ok=True)
        return
    write_json(pool.bounds_file, asdict(bounds))
    Pool(merges).sweep()


def end(merges: str | Path, succeeded: bool) -> None:
    """Remove, after the last job of a run, the weights that no further job will read.

    Args:
        merges: The folder of the study's merges.
        succeeded: True if the run made all requested files.
    """
    if (pool := Pool(merges)).bounds is None:
        return
    if succeeded:
        write_json(pool.bounds_file, asdict(pool.bounds) | {"pending": []})
    Pool(merges).sweep()


class Pool:
    """The merges of one study, in the folder `merges`. All decisions are made under the leases' lock."""

    def __init__(self, merges: str | Path, timing: Timing = TIMING) -> None:
        self.merges, self.timing = Path(merges), timing
        self.state = self.merges / ".pool"
        self.leases = Leases(self.state / "leases", timing.heartbeat, timing.stale)
        self.bounds_file = self.state / "bounds.json"
        self.bounds = _read_bounds(self.bounds_file)
        self._pending = set(self.bounds.pending) if self.bounds else set()

    def wait(self, take: Callable[[], Lease | None], what: str) -> Lease:
        """Call `take` under the lock, again and again, until it returns a lease; return this lease."""
        waited = False
        while True:
            with self.leases.locked():
                self.clean()
                if (lease := take()) is not None:
                    return lease
                if not waited:
                    print(f"waiting {what}: there are {', '.join(sorted(self.present()))}", flush=True)
            waited = True
            time.sleep(self.timing.poll)

    def to_read(self, merge: str) -> Lease | None:
        """Take a lease to read a merge, or to remake it first; None if the job has to wait."""
        if self.leases.kinds(merge) == {MAKING}:
            return None
        if is_whole(self.merges / merge):
            return self.leases.take(merge, READING)
        return self.to_make(merge)

    def to_make(self, merge: str) -> Lease | None:
        """Take a lease to make a merge; None if the job has to wait."""
        if self.leases.kinds(merge) or not self.has_room_for(merge):
            return None
        remove_weights(self.merges / merge)  # of another recipe, or of an interrupted remake
        return self.leases.take(merge, MAKING)

    def give_back(self, lease: Lease, sweep: bool = True) -> None:
        """End a lease; with `sweep`, also remove the weights that no further job will read."""
        with self.leases.locked():
            used = self.state / "used"
            used.mkdir(exist_ok=True)
            (used / lease.name).touch()
            lease.give_back()
            if sweep:
                self.remove_read()

    def sweep(self) -> None:
        """Remove weights that all readers have read, incomplete merges, and weights beyond the limit."""
        with self.leases.locked():
            self.clean()
            self.remove_read()
            if self.bounds is not None:
                self.make_room(self.bounds.at_most, self.present(), patience=0)

    def remove_read(self) -> None:
        """Remove the weights that no further job will read."""
        for merge in filter(self.is_over, self.present()):
            remove_weights(self.merges / merge)

    def has_room_for(self, merge: str) -> bool:
        """Check whether one more merge may have weights, after removing others if necessary."""
        if self.bounds is None:
            return True
        return self.make_room(self.bounds.at_most - 1, self.present() - {merge}, self.timing.patience)

    def make_room(self, most: int, present: set[str], patience: float) -> bool:
        """Remove weights until at most `most` merges of `present` have some.

        Merges that all readers have read are removed first, then the least recently used. Those that other
        jobs will read are kept for `patience` seconds after their last use, as a reader may be about to
        start.

        Returns:
            True if enough weights could be removed.
        """
        now = self.leases.now()
        kept = self.bounds.keep if self.bounds else []
        for merge in sorted(present, key=lambda m: (not self.is_over(m), self.last_used(m))):
            if len(present) <= most:
                break
            idle = self.is_over(merge) or now - self.last_used(merge) >= patience
            if idle and not self.leases.kinds(merge) and merge not in kept:
                remove_weights(self.merges / merge)
                present = present - {merge}
        return len(present) <= most

    def present(self) -> set[str]:
        """List the merges that take room: those with weights, and those that a job is making."""
        there = {f.name for f in self.merges.iterdir() if f.is_dir() and _weights(f) and self.is_ours(f)}
        return there | {merge for merge in self.leases.names() if MAKING in self.leases.kinds(merge)}

    def is_ours(self, folder: Path) -> bool:
        """Check whether a merge can be remade; other folders are neither counted nor removed."""
        readers = self.bounds.readers if self.bounds else {}
        return folder.name in readers or (folder / "provenance.json").exists()

    def is_over(self, merge: str) -> bool:
        """Check whether all output files of a merge's readers exist and no job is reading it."""
        if self.bounds is None or merge in self.bounds.keep or self.leases.kinds(merge):
            return False
        began = self.bounds_file.stat().st_mtime
        files = [Path(file) for file in self.bounds.readers.get(merge, [])]
        return all(f.exists() and (str(f) not in self._pending or f.stat().st_mtime > began) for f in files)

    def last_used(self, merge: str) -> float:
        """Return when a merge was last read or made, in seconds since the epoch; 0 if never."""
        used = self.state / "used" / merge
        return used.stat().st_mtime if used.exists() else 0

    def clean(self) -> None:
        """Remove the leases of jobs that no longer run, and the incomplete merges that they left."""
        self.leases.remove_void()
        held = self.leases.ids()
        for name in _names(self.state / "making"):
            if name not in held:
                shutil.rmtree(self.state / "making" / name, ignore_errors=True)
        for part in self.merges.glob(".*.part") if self.bounds else []:
            for made in part.glob("*"):  # `files.fresh_folder` puts a folder of the merge's name into it
                if MAKING not in self.leases.kinds(made.name):
                    shutil.rmtree(part, ignore_errors=True)

    def remake(self, merge: str, lease: Lease) -> None:
        """Remake the weights bit for bit, from the recipe, seed and settings in the provenance.

        Args:
            merge: The merge's name.
            lease: This job's lease to make it.

        Raises:
            StudyError: The merge failed, or the weights differ from the original ones.
        """
        folder, place = self.merges / merge, self.state / "making" / lease.path.name
        known = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        tell(f"{merge} is remade: its weights were removed after use (merging.checkpoints)")
        place.mkdir(parents=True)
        try:
            # A separate process frees its memory afterwards and does not affect the reader's state.
            paths = [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
            done = subprocess.run(
                [sys.executable, *REMAKE, str(folder), str(place)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            )
            if done.returncode:
                raise StudyError(
                    f"{Path(folder).absolute()} could not be remade; the log shows the cause above this line"
                )
            for name, before in known["weights"].items():
                if not (place / name).exists() or sha256(place / name) != before:
                    raise StudyError(_not_the_same(folder, name, known))
            for name in known["weights"]:
                (place / name).replace(folder / name)
        finally:
            shutil.rmtree(place, ignore_errors=True)


def remove_weights(folder: Path) -> None:
    """Remove a merge's weights; all other files stay, including its provenance."""
    for name in _weights(folder):
        (folder / name).unlink(missing_ok=True)


def _weights(folder: Path) -> list[str]:
    """The names of the safetensors files in a folder."""
    return [name for name in _names(folder) if name.endswith(".safetensors")]


def _names(folder: Path) -> list[str]:
    """The sorted names of the files in a folder; empty if there is no such folder."""
    try:
        return sorted(file.name for file in folder.iterdir())
    except FileNotFoundError:
        return []


def _read_bounds(file: Path) -> Bounds | None:
    """The limits of the run; None if the file does not exist."""
    try:
        return Bounds(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _not_the_same(folder: Path, name: str, known: dict[str, Any]) -> str:
    """The error message for remade weights that differ from the original ones."""
    here = {package: importlib.metadata.version(package) for package in known["versions"]}
    differing = [f"{p} {v}, here {here[p]}" for p, v in known["versions"].items() if here[p] != v]
    before = f"on {known['settings']['device']}" + (f" with {'; '.join(differing)}" if differing else "")
    return (
        f"{folder}: {name} was remade and differs from the file that provenance.json lists, which was "
        f"made {before}, on another kind of machine or from other models. To remake the merge and everything "
        "that depends on it, remove the whole folder and run again"
    )
