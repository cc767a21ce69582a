"""Leases: each name goes to one living process, whatever dies and whatever the machines' clocks say."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import flufl.lock._lockfile
import pytest
from helpers import PROJECT
from lexmerge.common.leases import Leases

HOLD = """
import sys, time
sys.path.insert(0, "workflow/scripts")
from lexmerge.common.leases import Leases
lease = Leases(sys.argv[1], 0.1, 300).take_first_free(["slerp"], "reading")
print(lease is not None, flush=True)
time.sleep(60)
"""
RACE = """
import sys, time
sys.path.insert(0, "workflow/scripts")
from pathlib import Path
from lexmerge.common.leases import Leases
folder, done = Path(sys.argv[1]), 0
while done < 15:
    lease = Leases(folder, 10, 300).take_first_free(["slerp"], "making")
    if lease is None:
        time.sleep(0.001)
        continue
    (folder / "busy").touch(exist_ok=False)  # fails if another process holds the name
    time.sleep(0.005)
    (folder / "busy").unlink()
    lease.give_back()
    done += 1
"""


def python(code: str, folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def leases(tmp_path) -> Leases:
    return Leases(tmp_path / "leases", heartbeat=0.1, stale=300)


def elsewhere(leases: Leases, name: str = "slerp") -> Path:
    """A lease of a process on another machine, touched just now."""
    file = leases.folder / name / "reading,elsewhere,1,1,0000"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def left(leases: Leases) -> set[str]:
    """The names that are held once void leases are removed."""
    with leases.locked():
        leases.remove_void()
    return set(leases.names())


def test_a_lease_names_its_process_and_is_held_until_it_is_given_back(leases):
    lease = leases.take("slerp", "reading")
    kind, host, _, pid, _ = lease.path.name.split(",")
    assert (lease.name, kind, host, pid) == ("slerp", "reading", socket.gethostname(), str(os.getpid()))
    other = leases.take("slerp", "making")
    assert leases.kinds("slerp") == {"reading", "making"}
    assert leases.ids() == {lease.path.name, other.path.name}
    other.give_back()
    assert leases.kinds("slerp") == {"reading"}
    assert left(leases) == {"slerp"}
    lease.give_back()
    assert leases.names() == []
    assert not lease.path.parent.exists()


def test_nothing_is_written_before_the_first_lease(leases):
    assert leases.names() == []
    assert leases.kinds("slerp") == set()
    assert not leases.folder.exists()


def test_the_first_free_name_is_taken(leases):
    first, second = (leases.take_first_free(["slerp", "linear"], "1") for _ in range(2))
    assert (first.name, second.name) == ("slerp", "linear")
    assert leases.take_first_free(["slerp", "linear"], "2") is None
    first.give_back()
    assert leases.take_first_free(["linear", "slerp"], "2").name == "slerp"


def test_an_untouched_lease_is_void_in_time_and_no_sooner(leases):
    file = elsewhere(leases)
    assert left(leases) == {"slerp"}
    os.utime(file, (time.time() - 290,) * 2)
    assert left(leases) == {"slerp"}
    os.utime(file, (time.time() - 310,) * 2)
    assert left(leases) == set()


def test_the_lease_of_a_process_that_was_killed_here_is_void_at_once_and_no_sooner(leases):
    leases.folder.mkdir()
    holder = python(HOLD, leases.folder)
    assert holder.stdout.readline() == "True\n"
    assert left(leases) == {"slerp"}
    assert leases.take_first_free(["slerp"], "reading") is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert leases.take_first_free(["slerp"], "reading") is not None


def test_a_process_of_another_machine_or_another_set_of_processes_is_not_looked_for_here(leases):
    """The id of the process is that of one which ended here."""
    ended = python("", leases.folder)
    ended.communicate()
    lease = leases.take("ours", "reading")
    kind, host, namespace, _, number = lease.path.name.split(",")
    for name, machine in {"other": ("elsewhere", namespace), "container": (host, "1")}.items():
        file = leases.folder / name / ",".join([kind, *machine, str(ended.pid), number])
        file.parent.mkdir()
        file.touch()
    gone = lease.path.with_name(",".join([kind, host, namespace, str(ended.pid), number]))
    gone.touch()
    assert left(leases) == {"ours", "other", "container"}
    assert not gone.exists()
    lease.give_back()


def test_the_heartbeat_keeps_a_lease_alive(tmp_path):
    leases = Leases(tmp_path / "leases", heartbeat=0.1, stale=1)
    lease = leases.take("ours", "reading")
    elsewhere(leases, "theirs")
    time.sleep(1.5)
    assert left(leases) == {"ours"}
    lease.give_back()
    assert left(leases) == set()


def test_a_process_that_was_taken_for_lost_has_its_lease_again_with_the_next_heartbeat(leases):
    """A machine that slept, or a disk that was away for a while."""
    lease = leases.take("slerp", "reading")
    lease.path.unlink()
    lease.path.parent.rmdir()
    until = time.monotonic() + 10
    while not lease.path.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    lease.give_back()
    assert leases.names() == []


def test_processes_that_race_for_one_name_hold_it_one_at_a_time(tmp_path):
    racers = [python(RACE, tmp_path) for _ in range(2)]
    for racer in racers:
        racer.communicate(timeout=60)
    assert [racer.returncode for racer in racers] == [0, 0]
    assert {file.name for file in tmp_path.iterdir()} == {".clock"}, "no lease, no lock, no claim on it"


def test_all_leases_of_a_kind_are_removed_and_no_others(leases):
    elsewhere(leases)
    kept = leases.take("slerp", "making")
    elsewhere(leases, "linear")
    leases.remove_kind("reading")
    assert leases.names() == ["slerp"]
    assert leases.kinds("slerp") == {"making"}
    kept.give_back()


@pytest.mark.parametrize("hours", [-5, 5])
def test_the_clocks_of_machines_do_not_matter(leases, hours, monkeypatch):
    """This machine's clock goes wrong, and the disk's does not: leases and the lock stay what they are."""
    elsewhere(leases)
    now = time.time

    class Wrong(datetime):
        @classmethod
        def now(cls, tz=None) -> datetime:
            return datetime.fromtimestamp(now(), tz) + timedelta(hours=hours)

    with leases.locked():
        monkeypatch.setattr(time, "time", lambda: now() + hours * 3600)
        monkeypatch.setattr(flufl.lock._lockfile, "datetime", Wrong)
        asked = threading.Thread(
            target=Leases(leases.folder, 0.1, 300).take_first_free, args=(["linear"], "reading"), daemon=True
        )
        asked.start()
        asked.join(0.5)
        assert asked.is_alive(), "the lock has not been broken"
        leases.remove_void()
        assert leases.names() == ["slerp"]
    asked.join(10)
    assert leases.names() == ["linear", "slerp"]


def test_the_lock_of_a_process_that_died_is_broken(leases, monkeypatch):
    monkeypatch.setattr("lexmerge.common.leases.LOCK_SECONDS", -20)  # it expired before it was taken
    with Leases(leases.folder, 0.1, 300).locked():
        monkeypatch.undo()
        assert leases.take_first_free(["slerp"], "reading") is not None


def test_files_that_a_file_system_adds_are_no_leases(leases):
    lease = leases.take("slerp", "reading")
    (lease.path.parent / ".nfs0000000000000001").touch()
    assert left(leases) == {"slerp"}
    lease.give_back()
    assert leases.names() == []
