"""Exclusive GPUs for the jobs on one machine.

Snakemake counts GPUs but does not assign them (Snakemake issue 281), so two jobs would both use the first.
Here a job claims as many as it requested, by file locks on the machine, which end with the process.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lexmerge.common.terminal import tell

VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL = 2.0  # seconds between two attempts of a waiting job


@contextmanager
def own_gpus(wanted: int, locks: str | Path | None = None) -> Iterator[list[str]]:
    """Wait for free GPUs, and hide all others from PyTorch and vLLM.

    Enter this before anything is put on a GPU. On a machine without GPUs it has no effect.

    Args:
        wanted: The number of GPUs that the job needs, at most as many as the machine has.
        locks: A folder on the machine for the locks. By default it is in the folder for temporary files, and
            shared by the jobs of one user, or by those of one allocation in Slurm.

    Yields:
        The numbers or ids of the job's GPUs, as `CUDA_VISIBLE_DEVICES` names them.
    """
    before = os.environ.get(VISIBLE)
    there = gpus()
    with ExitStack() as held:
        mine = _claimed(min(wanted, len(there)), there, Path(locks or _locks()), held) if there else []
        if there:
            os.environ[VISIBLE] = ",".join(mine)
        if wanted and there:
            print(f"GPUs visible to this job: {os.environ[VISIBLE]}")
        try:
            yield mine
        finally:
            if there:
                if before is None:
                    del os.environ[VISIBLE]
                else:
                    os.environ[VISIBLE] = before


def gpus() -> list[str]:
    """List the numbers or ids of the machine's GPUs; only those in `CUDA_VISIBLE_DEVICES` if it is set."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True)
    return found.stdout.split() if found.returncode == 0 else []


def _claimed(wanted: int, there: list[str], locks: Path, held: ExitStack) -> list[str]:
    """Wait until `wanted` GPUs can be locked at once, so that two jobs cannot deadlock."""
    locks.mkdir(parents=True, exist_ok=True)
    reported = False
    while True:
        mine: dict[str, int] = {}
        for name in there:
            if len(mine) < wanted and (lock := _lock(locks / name.replace("/", "_"))) is not None:
                mine[name] = lock
        if len(mine) == wanted:
            for lock in mine.values():
                held.callback(os.close, lock)
            return list(mine)
        for lock in mine.values():
            os.close(lock)
        if not reported:
            tell(f"waiting for {wanted} of the GPUs {', '.join(there)}, which are in use by other jobs")
            reported = True
        time.sleep(POLL)


def _lock(file: Path) -> int | None:
    """The descriptor of a locked file; None if another process has locked it."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _locks() -> Path:
    """The default folder of the locks."""
    shared = os.environ.get("SLURM_JOB_ID", "machine")
    return Path(tempfile.gettempdir()) / f"lexmerge-gpus-{os.getuid()}-{shared}"
