"""How long Snakemake plans a sweep: `python performance/dry_runs.py [merges …]`, else 10, 100 and 1000.

Each is the toy study with so many merges in the place of its own (2 judges, 3 suites), dry-run in a fresh
copy of the project: wall and CPU seconds, memory at the peak, and where the CPU time of the largest goes.
"""

import os
import pstats
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers import clone

SLERP = {
    "merge_method": "slerp",
    "base_model": "generalist",
    "models": [{"model": "generalist"}, {"model": "expert"}],
    "parameters": {"t": "{t}"},
    "dtype": "float32",
    "out_dtype": "bfloat16",
}
# What a process says of its own memory: what `wait4` says begins with that of the process that started it.
MEASURED = (
    "-c",
    "import atexit, re, runpy, sys; from pathlib import Path; "
    "told = lambda: re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]; "
    "atexit.register(lambda: print('PEAK', told())); sys.argv[0] = 'snakemake'; "
    "runpy.run_module('snakemake', run_name='__main__')",
)
OURS = ("workflow/rules", "workflow/scripts", "Snakefile")


def sweep(merges: int) -> dict:
    """A study's config with one sweep of so many merges."""
    values = [round(0.1 + 0.8 * k / merges, 6) for k in range(merges)]
    prompts = {code: f"resources/prompts/definition.{code}.txt" for code in ("en", "ja")}
    return {
        "study": {"name": "sweep", "merges": ["sweep"]},
        "merges": {"sweep": {"recipe": SLERP, "grid": {"t": values}}},
        "definitions": {"prompts": prompts},
    }


def dry_run(folder: Path, merges: int, *start: str) -> dict:
    """A row of the table."""
    config = folder / f"sweep_{merges}.yaml"
    config.write_text(yaml.safe_dump(sweep(merges)), encoding="utf-8")
    command = [sys.executable, *start, "-n", "--quiet", "all", "--configfile", str(config)]
    began = time.perf_counter()
    with (folder / "out.txt").open("w") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    said = (folder / "out.txt").read_text(encoding="utf-8")
    if status:
        raise SystemExit(said)
    jobs = int(re.search(r"^total +(\d+)$", said, re.M)[1])
    cpu = used.ru_utime + used.ru_stime
    peak = int(re.search(r"^PEAK (\d+)$", said, re.M)[1]) / 1024 if start == MEASURED else float("nan")
    return {"merges": merges, "jobs": jobs, "wall s": wall, "CPU s": cpu, "MB": peak}


def shares(file: Path) -> dict[str, float]:
    """Which part of a profiled run's CPU time was spent in whose code."""
    spent: dict[str, float] = {}
    for (path, _, _), (_, _, own, _, _) in pstats.Stats(str(file)).stats.items():
        whose = next(
            (name for name in ("site-packages/snakemake", "site-packages") if name in path), "Python"
        )
        whose = (
            "this workflow" if any(part in path for part in OURS) and "site-packages" not in path else whose
        )
        spent[whose] = spent.get(whose, 0) + own
    total = sum(spent.values())
    return {whose: seconds / total for whose, seconds in sorted(spent.items(), key=lambda item: -item[1])}


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]] or [10, 100, 1000]
    with tempfile.TemporaryDirectory() as place:
        project = clone(Path(place) / "lexmerge")
        table = pd.DataFrame([dry_run(project, size, *MEASURED) for size in sizes])
        table["CPU ms a job"] = 1000 * table["CPU s"] / table.jobs
        print(table.round(1).to_markdown(index=False))
        dry_run(project, sizes[-1], "-m", "cProfile", "-o", str(project / "profile.out"), "-m", "snakemake")
        parts = shares(project / "profile.out")
        print("\nCPU time of the last: " + ", ".join(f"{part:.0%} {whose}" for whose, part in parts.items()))
