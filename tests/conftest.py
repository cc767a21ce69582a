"""The toy study is run once a test session, in a folder of its own; tests get copies of it to change."""

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

torch.set_num_threads(
    1
)  # on models this small two threads wait for each other, most of all beside other work

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


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory) -> Path:
    """A clone of the project in which the toy study is complete. Read it; do not change it.

    LEXMERGE_TOY_RUN may name such a folder, to save its minutes while tests are being written.
    """
    if given := os.environ.get("LEXMERGE_TOY_RUN"):
        return Path(given)
    folder = clone(tmp_path_factory.mktemp("toy") / "lexmerge")
    snakemake(folder, "--cores", "2")
    return folder


@pytest.fixture(scope="session")
def toy(toy_run: Path) -> Path:
    return toy_run / "results" / "toy"


@pytest.fixture
def toy_copy(toy_run: Path, tmp_path: Path) -> Path:
    """The finished toy study in a folder that a test may change; time stamps are kept."""
    return shutil.copytree(toy_run, tmp_path / "lexmerge", symlinks=True)


@pytest.fixture
def edit(toy_copy: Path) -> Callable[[str, str, str], None]:
    """Replace a text, which must be there, in a file of the copy."""

    def replace(file: str, old: str, new: str) -> None:
        path = toy_copy / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets are not on this machine (a folder shared/data beside the project)")
    return SHARED
