"""Merged checkpoints on a bounded disk: their weights are removed after use, and made again for readers.

The small files of every merge stay, `provenance.json` among them. What jobs must know of each other lies in
`merges/.pool`: `bounds.json`, which the main process writes at the start of a run, and a lease for each job
that reads or makes a merge (`lexmerge.common.leases`). The jobs may run on several machines that share the
disk.
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

from lexmerge.common.errors import StudyError
from lexmerge.common.files import sha256, write_json
from lexmerge.common.leases import Lease, Leases
from lexmerge.common.terminal import tell

READING, MAKING = "reading", "making"
SCRIPTS = Path(__file__).parents[2]
REMAKE = ("-m", "lexmerge.merges.remake")  # what Python runs to make the weights of a merge again


@dataclass(frozen=True)
class Timing:
    """The times of the pool, in seconds.

    Attributes:
        heartbeat: Between two touches of a lease.
        stale: After which an untouched lease is void.
        patience: For which a merge that is still to be read is kept after its last use.
        poll: After which a job that waits looks again.
    """

    heartbeat: float = 20
    stale: float = 300
    patience: float = 60
    poll: float = 2


@dataclass(frozen=True)
class Bounds:
    """What the jobs of one run keep to, in a study that does not keep the weights of all merges.

    Attributes:
        at_most: How many merges may have weights at any time.
        keep: The merges whose weights are never removed.
        readers: For each merge, the files that the jobs that read it write.
        pending: Those of these files that this run makes, whether or not they exist already.
    """

    at_most: int
    keep: list[str]
    readers: dict[str, list[str]]
    pending: list[str] = field(default_factory=list)


TIMING = Timing()


@contextmanager
def checkpoint(folder: str | Path, timing: Timing = TIMING) -> Iterator[None]:
    """Read a model or a merge: inside the block, its weights are there and stay.

    The weights of a merge that were removed are made again before, once there is room for them.

    Args:
        folder: The checkpoint; it is a merge if its parent folder is called `merges`.
        timing: For tests.

    Raises:
        StudyError: The weights could not be made again, or are not the same as before.
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
    """Make a merge: inside the block there is room for its weights; a bounded study waits for that before.

    Args:
        folder: Where the merge is to be.
        timing: For tests.
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
    """Tell whether the weights of a merge that was made have been removed.

    Args:
        folder: The merge, or what is not made yet.

    Returns:
        True if the merge has a provenance, and not all weights that it names.
    """
    return (Path(folder) / "provenance.json").exists() and not is_whole(Path(folder))


def removed_merges(results: str | Path, merges: Iterable[str]) -> list[str]:
    """List the merges whose weights were removed, so that a job that reads them makes them again.

    Args:
        results: The folder of the study's results.
        merges: The names of the study's merges.

    Returns:
        Names out of `merges`, in the same order.
    """
    return [merge for merge in merges if is_removed(Path(results) / "merges" / merge)]


def removal_note(removed: list[str], merges: list[str]) -> str:
    """Write the note that a run may have to make merges again.

    Args:
        removed: The names that `removed_merges` found.
        merges: The names of all merges of the study.

    Returns:
        The note, one line without a full stop.
    """
    named = ", ".join(removed[:10]) + (", …" if removed[10:] else "")
    return (
        f"the weights of {len(removed)} of {len(merges)} merges were removed (merging.checkpoints): {named}; "
        "a job that reads one of them makes it again first"
    )


def is_whole(folder: Path) -> bool:
    """Tell whether a merge's folder has all weights that its provenance names."""
    try:
        known = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    # From the listing: another node's view of a single file may be older than that of its folder.
    return {name for name in known["files"] if name.endswith(".safetensors")} <= set(_names(folder))


def begin(merges: str | Path, bounds: Bounds | None) -> None:
    """Write down what the jobs of a run keep to, before the first of them, and remove what is too much.

    Args:
        merges: The folder of the study's merges.
        bounds: What to keep to; None if the weights of all merges are kept.
    """
    pool = Pool(merges)
    if bounds is None:
        pool.bounds_file.unlink(missing_ok=True)
        return
    write_json(pool.bounds_file, asdict(bounds))
    Pool(merges).sweep()


def end(merges: str | Path, succeeded: bool) -> None:
    """Remove, after the last job of a run, the weights that no job is still to read.

    Args:
        merges: The folder of the study's merges.
        succeeded: Whether the run made all that it was to make.
    """
    if (pool := Pool(merges)).bounds is None:
        return
    if succeeded:
        write_json(pool.bounds_file, asdict(pool.bounds) | {"pending": []})
    Pool(merges).sweep()


class Pool:
    """The merges of one study, in the folder `merges`. All decisions are taken under the leases' lock."""

    def __init__(self, merges: str | Path, timing: Timing = TIMING):
        self.merges, self.timing = Path(merges), timing
        self.state = self.merges / ".pool"
        self.leases = Leases(self.state / "leases", timing.heartbeat, timing.stale)
        self.bounds_file = self.state / "bounds.json"
        self.bounds = _read_bounds(self.bounds_file)
        self._pending = set(self.bounds.pending) if self.bounds else set()

    def wait(self, take: Callable[[], Lease | None], what: str) -> Lease:
        """Return the lease that `take` gives, which is asked again and again, under the lock."""
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
        """Take a lease to read the merge, or to make it first; None if the job has to wait."""
        if self.leases.kinds(merge) == {MAKING}:
            return None
        if is_whole(self.merges / merge):
            return self.leases.take(merge, READING)
        return self.to_make(merge)

    def to_make(self, merge: str) -> Lease | None:
        """Take a lease to make the merge; None if the job has to wait."""
        if self.leases.kinds(merge) or not self.has_room_for(merge):
            return None
        remove_weights(self.merges / merge)  # of what was made by another recipe, or moved in by half
        return self.leases.take(merge, MAKING)

    def give_back(self, lease: Lease, sweep: bool = True) -> None:
        """End a lease, and with `sweep` remove the weights that it was the last to read."""
        with self.leases.locked():
            used = self.state / "used"
            used.mkdir(exist_ok=True)
            (used / lease.name).touch()
            lease.give_back()
            if sweep:
                self.remove_read()

    def sweep(self) -> None:
        """Remove what all have read, what was left half made, and what is more than the limit."""
        with self.leases.locked():
            self.clean()
            self.remove_read()
            self.make_room(self.bounds.at_most, self.present(), patience=0)

    def remove_read(self) -> None:
        for merge in filter(self.is_over, self.present()):
            remove_weights(self.merges / merge)

    def has_room_for(self, merge: str) -> bool:
        if self.bounds is None:
            return True
        return self.make_room(self.bounds.at_most - 1, self.present() - {merge}, self.timing.patience)

    def make_room(self, most: int, present: set[str], patience: float) -> bool:
        """Remove weights until `most` are left: what all have read, then what was not used for longest.

        What is still to be read is left alone for `patience` seconds, as its readers may be about to start.
        """
        now = self.leases.now()
        for merge in sorted(present, key=lambda m: (not self.is_over(m), self.last_used(m))):
            if len(present) <= most:
                break
            idle = self.is_over(merge) or now - self.last_used(merge) >= patience
            if idle and not self.leases.kinds(merge) and merge not in self.bounds.keep:
                remove_weights(self.merges / merge)
                present = present - {merge}
        return len(present) <= most

    def present(self) -> set[str]:
        """List the merges that take room: those with weights, and those in the making."""
        there = {f.name for f in self.merges.iterdir() if f.is_dir() and _weights(f) and self.is_ours(f)}
        return there | {merge for merge in self.leases.names() if MAKING in self.leases.kinds(merge)}

    def is_ours(self, folder: Path) -> bool:
        """Tell whether a merge can be made again; only then is it counted and removed."""
        readers = self.bounds.readers if self.bounds else {}
        return folder.name in readers or (folder / "provenance.json").exists()

    def is_over(self, merge: str) -> bool:
        """Tell whether all files of a merge's readers have been written, and no job is reading it."""
        if self.bounds is None or merge in self.bounds.keep or self.leases.kinds(merge):
            return False
        began = self.bounds_file.stat().st_mtime
        files = [Path(file) for file in self.bounds.readers.get(merge, [])]
        return all(f.exists() and (str(f) not in self._pending or f.stat().st_mtime > began) for f in files)

    def last_used(self, merge: str) -> float:
        used = self.state / "used" / merge
        return used.stat().st_mtime if used.exists() else 0

    def clean(self) -> None:
        """Remove the leases of jobs that are gone, and what these left half made."""
        self.leases.remove_void()
        held = self.leases.ids()
        for name in _names(self.state / "making"):
            if name not in held:
                shutil.rmtree(self.state / "making" / name, ignore_errors=True)
        for part in self.merges.glob(".*.part") if self.bounds else []:
            _, merge, *_ = part.name.split(".")  # as `files.fresh_folder` names it; no merge has a dot
            if MAKING not in self.leases.kinds(merge):
                shutil.rmtree(part, ignore_errors=True)

    def remake(self, merge: str, lease: Lease) -> None:
        """Make the weights as they were, bit for bit, by the recipe, seed and settings in the provenance."""
        folder, place = self.merges / merge, self.state / "making" / lease.path.name
        known = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        tell(f"{merge} is made again: its weights were removed after use (merging.checkpoints)")
        place.mkdir(parents=True)
        try:
            # In a process of its own: its memory is free afterwards, and nothing of the reader depends on it.
            paths = [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
            done = subprocess.run(
                [sys.executable, *REMAKE, str(folder), str(place)],
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


def _read_bounds(file: Path) -> Bounds | None:
    try:
        return Bounds(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _not_the_same(folder: Path, name: str, known: dict) -> str:
    here = {package: importlib.metadata.version(package) for package in known["versions"]}
    differing = [f"{p} {v}, here {here[p]}" for p, v in known["versions"].items() if here[p] != v]
    before = f"on {known['settings']['device']}" + (f" with {'; '.join(differing)}" if differing else "")
    return (
        f"{folder}: made again, {name} is not the file that provenance.json names, which was made {before}, "
        "on another kind of machine or from other models: remove the whole folder and run again, to make the "
        "merge and all that depends on it anew"
    )
