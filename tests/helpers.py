"""What tests of runs share: copies of the project, Snakemake run in one, and what it would make again."""

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lexmerge.study.config import load

PROJECT = Path(__file__).parents[1]
SHARED = PROJECT.parent / "shared" / "data"
# The toy study's models under test, the parents first.
MODELS = [
    "expert",
    "generalist",
    "slerp",
    "linear",
    "task_arithmetic",
    "ties",
    "dare_ties",
    "evolved_dare_ties",
]
# The files of the distances between models, below `results/toy/`.
DISTANCES = {"statistics/distances.tsv", *(f"figures/distances.{kind}" for kind in ("svg", "png", "pdf"))}
# How many jobs the toy study has of each rule.
STAGES = {
    "benchmark_data": 17,
    "recipes": 5,
    "study": 1,
    "toy_models": 1,
    "vocabulary_corpus": 1,
    "benchmarks": 24,
    "merges": 6,
    "search_data": 2,
    "search": 1,
    "search_recipes": 1,
    "search_scores": 1,
    "tables_search": 1,
    "figures_search": 1,
    "vocabulary_terms": 1,
    "vocabulary_translations": 1,
    "definitions": 8,
    "references": 1,
    "transfer_definitions": 8,
    "transfer_judgements": 16,
    "tables_benchmarks": 1,
    "tables_benchmark_scores": 1,
    "tables_definition_flags": 1,
    "controls": 2,
    "tables_controls": 1,
    "tables_costs": 1,
    "judgements": 16,
    "figures_score_histograms": 1,
    "statistics_agreement": 1,
    "statistics_distances": 1,
    "figures_distances": 1,
    "statistics_comparisons": 1,
    "statistics_transfer": 1,
    "figures_differences": 1,
    "tables_validity": 1,
    "tables_typeset": 1,
    "tables_definition_scores": 1,
    "report": 1,
    "all": 1,
}


def study_of(given: dict) -> dict:
    """The resolved study of a config, which is called `toy` unless the config names it."""
    if given:
        given = {**given, "study": {"name": "toy", **given.get("study", {})}}
    return load(given, []).study


# What Snakemake measures of a job.
TIMING = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def project_files() -> list[Path]:
    """What a clone would hold: everything that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    ).stdout
    return [Path(name) for name in os.fsdecode(listed).split("\0") if name and (PROJECT / name).is_file()]


def clone(target: Path) -> Path:
    """The project's files in a new folder, with new time stamps, as git would write them."""
    for file in project_files():
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / file, target / file)
    return target


def snakemake(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return done


def ended(run: subprocess.CompletedProcess) -> list[str]:
    """The jobs that a run told of as they ended: rule and wildcards."""
    lines = re.findall(r"^\[ *\d+/\d+\] (.*?) +[\d.]+ (?:s|min|h)\b", run.stderr, re.M)
    return [" ".join(line.split()) for line in lines]


def pending(folder: Path, *arguments: str) -> set[str]:
    """The outputs that Snakemake would make again, below `results/toy/`."""
    table = snakemake(folder, "--summary", *arguments).stdout
    rows = csv.DictReader(io.StringIO(table[table.index("output_file") :]), delimiter="\t")
    return {r["output_file"].removeprefix("results/toy/") for r in rows if r["plan"] != "no update"}


def timing(folder, job, seconds, rss=500, cpu=1.0):
    """Write down what a job took, as Snakemake does."""
    file = folder / "timings" / f"{job}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{TIMING}{seconds}\t0:00:01\t{rss}\t0\t{rss / 2}\t0\t0\t0\t0\t{cpu}\n", encoding="utf-8")
