"""A real Slurm on this machine, for tests: two small nodes with one pretend GPU each.

`python tests/servers/slurm_cluster.py start`, then `stop`; or `with Cluster(): ...`. It needs root, since
Slurm's executor plugin for Snakemake finds the cluster by /etc/slurm/slurm.conf only.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

NAME, NODES = "lexmerge_tests", ("n1", "n2")
PORTS = {"slurmctld": 16817, "n1": 16821, "n2": 16822}
ALIVE = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol")
OURS = "# A cluster of tests: tests/servers/slurm_cluster.py wrote this file, and takes it away again."
ETC, ROOM = Path("/etc/slurm"), Path("/var/tmp/lexmerge-slurm")
CONF = ETC / "slurm.conf"

# Nodes may declare more than there is. A job over its memory is killed by Slurm's own count, without cgroups.
# Ended jobs stay known to squeue for a whole test; Snakemake may let three minutes pass between looks.
SLURM_CONF = """{ours}
ClusterName={name}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
CredType=cred/munge
StateSaveLocation={room}/state
SlurmdSpoolDir={room}/spool.%n
SlurmctldPidFile={room}/slurmctld.pid
SlurmdPidFile={room}/slurmd.%n.pid
SlurmctldLogFile={room}/slurmctld.log
SlurmdLogFile={room}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=2,sched_min_interval=0,nohold_on_prolog_fail
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=30
MinJobAge=3600
KillWait=2
CompleteWait=0
InactiveLimit=0
MailProg=/bin/true
{nodes}
PartitionName=main Nodes={all_nodes} Default=YES MaxTime=60 DefaultTime=10 DefMemPerCPU=1000 State=UP
"""
NODE = (
    "NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory={memory} "
    "Gres=gpu:1 State=UNKNOWN"
)


class Unavailable(Exception):
    """Why there can be no cluster on this machine."""


def why_not() -> str | None:
    """Why this machine can have no cluster, or None."""
    if missing := [name for name in PROGRAMS if not shutil.which(name, path=with_sbin()["PATH"])]:
        return f"Slurm is not installed (no {', '.join(missing)}): apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return f"a cluster for tests needs root, to write {CONF}"
    if CONF.exists() and not is_ours():
        return f"this machine has a Slurm of its own ({CONF}), which is left alone"
    return None


class Cluster:
    """Start it with `with`, or with `start` and `stop`, which may be in another process."""

    def __init__(self, cpus: int = 2, memory: int = 16000):
        """The cores and the memory (MB) that a node declares."""
        self.cpus, self.memory = cpus, memory

    def __enter__(self) -> "Cluster":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self) -> None:
        if why := why_not():
            raise Unavailable(why)
        self.stop()  # what a killed run left
        try:
            self._write_files()
            self._start_munge()
            run("slurmctld")
            for node in NODES:
                self.start_node(node)
            self.wait_for(lambda: set(self.states().values()) == {"idle"}, "its nodes to be idle")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every daemon and every job, and take the files away."""
        end([*job_processes(), *(pid for file in ROOM.glob("*.pid") if (pid := pid_in(file)))])
        if is_ours():
            CONF.unlink()
            (ETC / "gres.conf").unlink(missing_ok=True)
        for folder in (ROOM / "made").read_text().splitlines() if (ROOM / "made").exists() else []:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(ROOM, ignore_errors=True)

    def start_node(self, node: str) -> None:
        run("slurmd", "-N", node)

    def lose_node(self, node: str) -> None:
        """As if its power had failed: its daemon and its jobs are gone at once, and Slurm is told."""
        end(
            [pid for pid in (pid_in(ROOM / f"slurmd.{node}.pid"), *job_processes(node)) if pid],
            signal.SIGKILL,
        )
        run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")

    def mend_node(self, node: str) -> None:
        self.start_node(node)
        run("scontrol", "update", f"NodeName={node}", "State=RESUME", check=False)
        self.wait_for(lambda: self.states()[node] == "idle", f"{node} to be idle")

    def states(self) -> dict[str, str]:
        """How its nodes are, as `sinfo` tells."""
        rows = run("sinfo", "--Node", "--noheader", "--format=%N %T", check=False).splitlines()
        return dict(row.split() for row in rows)

    def jobs(self) -> list[dict[str, str]]:
        """The jobs that Slurm knows, those that ended lately too; the comment names the rule."""
        names = ("id", "state", "node", "comment")
        rows = run("squeue", "--noheader", "--states=all", "--sort=i", "--format=%i|%T|%N|%k").splitlines()
        return [dict(zip(names, row.split("|"), strict=True)) for row in rows]

    def hang_jobs(self) -> None:
        """Let what runs in the jobs go no further."""
        for pid in job_processes():
            if not text_of(Path(f"/proc/{pid}/comm"))[0].startswith("slurmstepd"):
                os.kill(pid, signal.SIGSTOP)

    def end_time_of(self, job: str) -> None:
        """Let a job's time be up, as far as Slurm knows; it looks every half minute."""
        run("scontrol", "update", f"JobId={job}", "EndTime=now")

    def cancel_all(self) -> None:
        """Cancel every job, and wait until none is left."""
        run("scancel", "--user=root")
        self.wait_for(lambda: not any(job["state"] in ALIVE for job in self.jobs()), "jobs to be cancelled")

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        end_at = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end_at:
                raise TimeoutError(f"waited {seconds:.0f} s in vain for {what}; Slurm's logs are in {ROOM}")
            time.sleep(0.2)

    def _write_files(self) -> None:
        for folder in ("state", *(f"spool.{node}" for node in NODES)):
            (ROOM / folder).mkdir(parents=True)
        make(ETC)
        host = socket.gethostname().split(".")[0]
        nodes = [
            NODE.format(node=n, host=host, port=PORTS[n], cpus=self.cpus, memory=self.memory) for n in NODES
        ]
        conf = SLURM_CONF.format(
            **{"ours": OURS, "name": NAME, "host": host, "port": PORTS["slurmctld"], "room": ROOM},
            **{"nodes": "\n".join(nodes), "all_nodes": ",".join(NODES)},
        )
        CONF.write_text(conf, encoding="utf-8")
        gpus = "".join(f"NodeName={node} Name=gpu File=/dev/null\n" for node in NODES)
        (ETC / "gres.conf").write_text(f"{OURS}\n{gpus}", encoding="utf-8")

    def _start_munge(self) -> None:
        """Munge, unless the machine's own runs."""
        if answers("munge", "-n"):
            return
        folder, user = Path("/run/munge"), pwd.getpwnam("munge")
        make(folder)
        os.chown(folder, user.pw_uid, user.pw_gid)
        run("runuser", "-u", "munge", "--", "munged")
        self.wait_for(lambda: answers("munge", "-n"), "munge")
        shutil.copy(folder / "munged.pid", ROOM / "munged.pid")


def make(folder: Path) -> None:
    """Make a folder outside the cluster's own, which `stop` then takes away."""
    if not folder.exists():
        folder.mkdir(parents=True)
        with (ROOM / "made").open("a") as made:
            made.write(f"{folder}\n")


def is_ours() -> bool:
    return CONF.exists() and CONF.read_text(encoding="utf-8").startswith(OURS)


def run(*command: str, check: bool = True) -> str:
    """What a command of Slurm's writes; daemons put themselves into the background."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=with_sbin()
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}")
    return done.stdout


def answers(*command: str) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def with_sbin() -> dict[str, str]:
    return os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}


def pid_in(file: Path) -> int | None:
    """The daemon that a file names, if it is one still: it may be from before the machine last started."""
    with suppress(OSError, ValueError):
        pid = int(file.read_text())
        if text_of(Path(f"/proc/{pid}/comm"))[0].strip() in ("slurmctld", "slurmd", "munged"):
            return pid
    return None


def job_processes(node: str | None = None) -> list[int]:
    """What runs in the cluster's jobs, on one node or all, and the daemons of Slurm's that watch over it."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            given = dict(part.split("=", 1) for part in text_of(process / "environ") if "=" in part)
        except OSError:
            continue
        if given.get("SLURM_CLUSTER_NAME") == NAME and node in (None, given.get("SLURMD_NODENAME")):
            found |= {int(process.name), *watchers(int(process.name))}
    return sorted(found)


def watchers(pid: int) -> Iterator[int]:
    """The `slurmstepd` above a process, and what is between the two."""
    above = []
    while pid > 1:
        if text_of(Path(f"/proc/{pid}/comm"))[0].startswith("slurmstepd"):
            yield from [*above, pid]
            return
        above.append(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def text_of(file: Path) -> list[str]:
    return file.read_bytes().decode(errors="replace").split("\0")


def end(processes: list[int], number: int = signal.SIGTERM) -> None:
    """Ask processes to end; after ten seconds they are killed."""
    asked_at = time.monotonic()
    while processes := [pid for pid in processes if is_alive(pid)]:
        late = time.monotonic() - asked_at > 10
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else number)
        time.sleep(0.2)


def is_alive(pid: int) -> bool:
    """Does it run, and is it more than an entry in the table of processes?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    try:
        {"start": Cluster().start, "stop": Cluster().stop}[sys.argv[1]]()
    except Unavailable as why:
        sys.exit(f"no cluster: {why}")
