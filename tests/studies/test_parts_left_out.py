"""A study without judges, benchmarks or merges: what needs them is left out, and the rest reads well."""

import copy
import re
import shutil
from pathlib import Path

import pytest
import yaml
from explorer_page import data_of
from helpers import PROJECT, clone, snakemake
from lexmerge.common.files import read_notes, read_tsv
from tiny_models import byte_tokenizer, llama

SAILING = yaml.safe_load((PROJECT / "tests/data/sailing/study.yaml").read_text(encoding="utf-8"))
OF_JUDGES = {
    "tables": {"controls.tsv", "costs.tsv", *(f"definition_scores.{kind}" for kind in ("tsv", "md", "tex"))},
    "statistics": {"transfer.tsv"},
    "figures": {f"score_histograms.{kind}" for kind in ("svg", "png", "pdf")},
}
OF_BENCHMARKS = {"tables": {"benchmark_scores.tsv", *(f"benchmarks.{kind}" for kind in ("tsv", "md", "tex"))}}
OF_EITHER = {"tables": {"validity.tsv"}}
OF_COMPARISONS = {
    "tables": {"verdicts.md", "verdicts.tex"},
    "statistics": {"comparisons.tsv"},
    "figures": {f"differences.{kind}" for kind in ("svg", "png", "pdf")},
}
ALWAYS = {
    "tables": {"definition_flags.tsv"},
    "statistics": {"distances.tsv"},
    "figures": {f"distances.{kind}" for kind in ("svg", "png", "pdf")},
}
ALWAYS_ON_THE_PAGE = ["flags", "distances", "terms", "made"]


def sailing(**selected: list[str]) -> dict:
    """The study of sailing with another selection."""
    return SAILING | {"study": SAILING["study"] | selected}


def run(folder: Path, config: dict, *arguments: str, check: bool = True):
    (folder / "own.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return snakemake(folder, "--configfile", "own.yaml", *arguments, check=check)


def with_models(folder: Path) -> Path:
    """A clone of the project with two tiny models for the study of sailing."""
    clone(folder)
    for seed, name in enumerate(("skipper", "landlubber")):
        llama(folder / "models" / name, seed, vocab_size=257)
        byte_tokenizer(folder / "models" / name)
    return folder


def copied(folder: Path, name: str) -> Path:
    return shutil.copytree(folder, folder.with_name(name), symlinks=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, tuple[Path, str]]:
    """The results of each study, and what its run printed. Each goes on from a smaller one."""
    folder = with_models(tmp_path_factory.mktemp("left_out") / "neither")
    done = {"neither": (folder, run(folder, sailing(judges=[], benchmarks=[]), "--cores", "2"))}
    for name, selected in {
        "judges": {"benchmarks": []},
        "benchmarks": {"judges": []},
        "no merges": {"judges": [], "merges": []},
    }.items():
        # The third has the same benchmarks as the second.
        folder = copied(done["benchmarks" if name == "no merges" else "neither"][0], name)
        done[name] = (folder, run(folder, sailing(**selected), "--cores", "2"))
    return {
        name: (folder / "results/sailing", said.stderr + said.stdout) for name, (folder, said) in done.items()
    }


def files_of(results: Path) -> dict[str, set[str]]:
    folders = ("tables", "statistics", "figures")
    return {name: {file.name for file in (results / name).glob("*")} for name in folders}


def together(*parts: dict[str, set[str]]) -> dict[str, set[str]]:
    return {name: set().union(*(part.get(name, set()) for part in parts)) for name in ALWAYS}
