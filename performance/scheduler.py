"""What a job on a Slurm cluster takes beside its work: `python performance/scheduler.py`, as root.

The toy study once with profiles/workstation, and once with profiles/slurm on the cluster of two nodes that
the tests start on this machine: the same cores do the same work.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers import clone
from servers.slurm_cluster import Cluster, why_not

PROFILES = {
    "workstation": ["--profile", "profiles/workstation"],
    "slurm": [
        *("--profile", "profiles/slurm", "--slurm-status-command", "squeue", "--latency-wait", "20"),
        *("--slurm-init-seconds-before-status-checks", "2"),
    ],
}


class Run(NamedTuple):
    """A whole run: wall seconds, and how many of its jobs were Slurm's."""

    seconds: float
    jobs: int
    on_slurm: int


def measure(profile: str, *arguments: str) -> Run:
    with tempfile.TemporaryDirectory() as place:
        folder, began = clone(Path(place) / "lexmerge"), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *PROFILES[profile], *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        seconds = time.perf_counter() - began
        log = max((folder / ".snakemake/log").glob("*.log")).read_text(encoding="utf-8")
    if done.returncode:
        sys.exit(f"the run with profiles/{profile} failed:\n{done.stdout}")
    return Run(seconds, int(re.search(r"of (\d+) steps", log)[1]), log.count("submitted with SLURM jobid"))


if __name__ == "__main__":
    if why := why_not():
        sys.exit(why)
    runs = {"workstation": measure("workstation", *sys.argv[1:])}
    print(f"workstation: {runs['workstation'].seconds:.0f} s", flush=True)
    with Cluster():
        runs["slurm"] = measure("slurm", *sys.argv[1:])
    table = pd.DataFrame(
        runs.values(), index=runs.keys(), columns=["wall seconds", "jobs", "of them Slurm's"]
    )
    print(table.round(0).to_markdown())
    more = runs["slurm"].seconds - runs["workstation"].seconds
    print(f"\n{more:.0f} s more on Slurm: {more / runs['slurm'].on_slurm:.1f} s for each job of Slurm's")
