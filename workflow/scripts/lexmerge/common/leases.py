"""Leases: files by which processes on one or more machines agree on who uses a resource, such as a merge.

A lease records that a process holds NAME for a purpose, its KIND, while the process lives. It is the file
`<folder>/<name>/<kind>,<host>,<pid namespace>,<pid>,<uuid>`, which a thread touches until the lease is given
back. The machines need nothing but a shared disk: times are those of the disk, never those of a
machine's clock, and the lock on the folder is NFS-safe. Kinds have no comma, and names begin with no dot.
"""

import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path

from flufl.lock import Lock, NotLockedError

LOCK_SECONDS = 120  # the lock is held for moments; an older one is left by a dead process and is broken
LONGEST_WAIT = 0.05  # seconds between two attempts to get the lock; it is drawn at random


class Lease:
    """A name that this process holds for a kind of use, until it gives the lease back or dies.

    Attributes:
        name: The resource.
        kind: The purpose.
        path: The lease's file; its name is unique among all leases.
    """

    def __init__(self, folder: Path, name: str, kind: str, heartbeat: float) -> None:
        """Take the lease, and touch its file every `heartbeat` seconds; see `Leases.take`."""
        self.name, self.kind = name, kind
        self.path = folder / name / f"{kind},{_machine()},{os.getpid()},{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        _touch(self.path)
        self._given_back = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(heartbeat,), daemon=True)
        self._thread.start()

    def _beat(self, heartbeat: float) -> None:
        """Touch the file until the lease is given back."""
        while not self._given_back.wait(heartbeat):
            with suppress(OSError):  # the disk may be available again at the next beat
                _touch(self.path)

    def give_back(self) -> None:
        """End the lease; the folder's lock is not needed."""
        self._given_back.set()
        self._thread.join()
        _remove(self.path)


class Leases:
    """All leases in one folder. Each thread needs its own object.

    Decide who gets a lease inside `locked()`, which is held for moments only.
    """

    def __init__(self, folder: str | Path, heartbeat: float, stale: float) -> None:
        """Open a folder of leases; nothing is written before the lock is taken for the first time.

        Args:
            folder: The folder of the leases, on a disk that all machines share.
            heartbeat: Seconds between two touches of a lease that is held.
            stale: Seconds after which an untouched lease is void, the same for all processes. Shared file
                systems cache a file's time for up to a minute, so this should be several minutes there.
        """
        self.folder, self._heartbeat, self._stale = Path(folder), heartbeat, stale

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock, so that no other process decides at the same time; it is not re-entrant."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.lock()
        try:
            yield
        finally:
            with suppress(NotLockedError):  # held for too long, and broken by another process
                self._lock.unlock()

    def take(self, name: str, kind: str) -> Lease:
        """Take a lease, whether or not others hold the same name.

        Args:
            name: The resource to hold; it must be valid as the name of a folder.
            kind: The purpose to hold it for.

        Returns:
            The lease, which the caller gives back.
        """
        return Lease(self.folder, name, kind, self._heartbeat)

    def take_first_free(self, names: Iterable[str], kind: str) -> Lease | None:
        """Take a lease on the first name that no living process holds; takes the lock itself.

        Args:
            names: Resources in order of preference.
            kind: The purpose to hold one of them for.

        Returns:
            The lease, or None if all names are held.
        """
        with self.locked():
            self.remove_void()
            free = next((name for name in names if not self.kinds(name)), None)
            return None if free is None else self.take(free, kind)

    def kinds(self, name: str) -> set[str]:
        """The kinds for which a name is held, including those of void leases."""
        return {file.partition(",")[0] for file in _files(self.folder / name)}

    def names(self) -> list[str]:
        """The names that are held, in alphabetical order."""
        return sorted({file.parent.name for file in self._all()})

    def ids(self) -> set[str]:
        """The unique file names of all leases."""
        return {file.name for file in self._all()}

    def remove_void(self) -> None:
        """Remove the leases of processes that have ended; call this inside `locked()`."""
        now = self.now()
        for file in self._all():
            with suppress(FileNotFoundError):  # given back at this moment
                if now - file.stat().st_mtime > self._stale or _is_gone(file.name):
                    _remove(file)

    def remove_kind(self, kind: str) -> None:
        """Remove all leases of a kind, which no other process may hold; takes the lock itself."""
        with self.locked():
            for file in self._all():
                if file.name.partition(",")[0] == kind:
                    _remove(file)

    def now(self) -> float:
        """The time by the clock of the shared disk, in seconds since the epoch."""
        clock = self.folder / ".clock"
        clock.touch()
        return clock.stat().st_mtime

    @cached_property
    def _lock(self) -> Lock:
        return _FolderLock(self)

    def _all(self) -> list[Path]:
        """The files of all leases; NFS clients ask the server for each listing, so it is up to date."""
        names = [name for name in _listed(self.folder) if not name.startswith(".")]
        return [self.folder / name / file for name in names for file in _files(self.folder / name)]


class _FolderLock(Lock):
    """flufl.lock with the clock of the shared disk, and with waits of milliseconds instead of a second."""

    def __init__(self, leases: Leases) -> None:
        super().__init__(str(leases.folder / ".lock"), lifetime=LOCK_SECONDS)
        self._leases = leases

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._leases.now())

    def _sleep(self) -> None:
        time.sleep(random.uniform(0, LONGEST_WAIT))


def _files(folder: Path) -> list[str]:
    """The file names of the leases on one name; a file system may add other files to the folder."""
    return [file for file in _listed(folder) if file.count(",") == 4]


def _listed(folder: Path) -> list[str]:
    """The names in a folder, in order; empty if there is no such folder."""
    try:
        return sorted(file.name for file in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _touch(file: Path) -> None:
    """Touch or create a lease's file, although another process may remove its folder at any moment."""
    while True:
        with suppress(FileExistsError):
            file.parent.mkdir()
        with suppress(FileNotFoundError):
            file.touch()
            return


def _remove(file: Path) -> None:
    """Remove a lease's file, and the folder of its name if it was the last one."""
    file.unlink(missing_ok=True)
    with suppress(OSError):  # other leases are left
        file.parent.rmdir()


def _machine() -> str:
    """The host and its namespace of process ids, since containers may share a host name."""
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        namespace = 0
    return f"{socket.gethostname()},{namespace}"


def _is_gone(lease: str) -> bool:
    """True if the process that a lease's file names ran on this machine and has ended."""
    _, host, namespace, pid, _ = lease.split(",")
    if f"{host},{namespace}" != _machine():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False
