"""Which of a machine's GPUs a job uses: its own, and no other job's.

Snakemake counts GPUs and does not say which (its issue 281): two jobs would both take the first. Here a job
claims as many as it asked for, by locks that end with the process. They are on the machine, as the GPUs are.
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
POLL = 2.0  # seconds after which a job that waits for a GPU looks again


@contextmanager
def own_gpus(wanted: int, locks: str | Path | None = None) -> Iterator[list[str]]:
    """Let PyTorch and vLLM see only GPUs that no other job has, and wait until enough of them are free.

    To be entered before anything is put on a GPU. On a machine without any, nothing is done.

    Args:
        wanted: How many GPUs the job needs. More than the machine has counts as all of them.
        locks: A folder on the machine for the locks; by default one in the folder for temporary files, which
            the jobs of one user share, and within Slurm those of one allocation.

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
            print(f"GPUs that this job sees: {os.environ[VISIBLE]}")
        try:
            yield mine
        finally:
            if there and before is None:
                del os.environ[VISIBLE]
            elif there:
                os.environ[VISIBLE] = before


def gpus() -> list[str]:
    """List the machine's GPUs.

    Returns:
        Their numbers or ids; only those that `CUDA_VISIBLE_DEVICES` names, if it is set.
    """
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True)
    return found.stdout.split() if found.returncode == 0 else []


def _claimed(wanted: int, there: list[str], locks: Path, held: ExitStack) -> list[str]:
    """Lock `wanted` GPUs: all at once, or none, so that two jobs never wait for each other."""
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
            tell(f"waiting for {wanted} of the GPUs {', '.join(there)}: other jobs have them")
            reported = True
        time.sleep(POLL)


def _lock(file: Path) -> int | None:
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _locks() -> Path:
    shared = os.environ.get("SLURM_JOB_ID", "machine")
    return Path(tempfile.gettempdir()) / f"lexmerge-gpus-{os.getuid()}-{shared}"
