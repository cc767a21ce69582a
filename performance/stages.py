"""Where a study's time goes: `python performance/stages.py [results/toy]`.

Reads what Snakemake measured of each job (`timings/`, wall seconds) and what each job says of itself in its
log (seconds of work, after Python and its packages were loaded). The difference is what starting costs.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd


def stages(results: Path) -> pd.DataFrame:
    """One row a rule: jobs, their wall seconds and seconds of work, and two shares of the wall seconds."""
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for timing in sorted(results.glob("timings/**/*.tsv")):
        job = timing.relative_to(results / "timings").with_suffix("")
        log = (results / "logs" / job).with_suffix(".log").read_text(encoding="utf-8")
        work = float(re.search(r"work ([\d.]+) s", log)[1])
        rows[job.parts[0]].append((pd.read_csv(timing, sep="\t")["s"].iloc[0], work))
    table = pd.DataFrame(
        [(rule, len(jobs), sum(w for w, _ in jobs), sum(k for _, k in jobs)) for rule, jobs in rows.items()],
        columns=["stage", "jobs", "wall", "work"],
    )
    table["share"] = table.wall / table.wall.sum()
    table["starting"] = 1 - table.work / table.wall
    return table.sort_values("wall", ascending=False)


if __name__ == "__main__":
    found = stages(Path(sys.argv[1] if len(sys.argv) > 1 else "results/toy"))
    shown = found.assign(share=found.share.map("{:.0%}".format), starting=found.starting.map("{:.0%}".format))
    print(shown.round(1).to_markdown(index=False))
    lost = found.wall.sum() - found.work.sum()
    print(
        f"\n{found.jobs.sum()} jobs, {found.wall.sum():.0f} s of jobs, {lost:.0f} s of them starting Python"
    )
