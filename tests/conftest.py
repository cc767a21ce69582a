"""The toy study is run once a test session, in a folder of its own; tests get copies of it to change."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import SHARED, clone, snakemake

# On models this small two threads wait for each other, most of all beside other work.
torch.set_num_threads(1)


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
    return shutil.copytree(
        toy_run, tmp_path / "lexmerge", symlinks=True, ignore=shutil.ignore_patterns(".venv*")
    )


@pytest.fixture
def edit(toy_copy: Path) -> Callable[[str, str, str], None]:
    """Replace a text, which must be there, in a file of the copy."""

    def replace(file: str, old: str, new: str) -> None:
        path = toy_copy / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace


@pytest.fixture(scope="module")
def family(tmp_path_factory) -> dict[str, str]:
    """A base and two children, by the letters that the recipes of tiny_models use."""
    from tiny_models import llama

    folder = tmp_path_factory.mktemp("family")
    return {name: str(llama(folder / name, seed)) for seed, name in enumerate(("base", "a", "b"))}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets are not on this machine (a folder shared/data beside the project)")
    return SHARED
