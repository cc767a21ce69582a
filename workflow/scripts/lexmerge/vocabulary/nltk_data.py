"""NLTK's Brown corpus and English tagger: their places on this machine, and their checksums.

Snakemake reads this module at every start, so it does not import NLTK.
"""

import os
import sys
from pathlib import Path
from typing import Any

from lexmerge.common.network import answers

HOST = "https://raw.githubusercontent.com"
PACKAGES = f"{HOST}/nltk/nltk_data/gh-pages/packages"
OURS = "data/nltk_data"  # destination of downloads, unless the config names a folder
BROWN = "corpora/brown"
TAGGER = "taggers/averaged_perceptron_tagger_eng"
# The files kept from each package's zip (the zip itself, or members of it), with their SHA-256.
PINNED = {
    BROWN: {"corpora/brown.zip": "9b275f9b3b95d7bd66ccfb7cd259f445a13bbe5d1f4107aba09fd3e8364bafa6"},
    TAGGER: {
        f"{TAGGER}/averaged_perceptron_tagger_eng.{part}.json": sha
        for part, sha in {
            "weights": "789e8e35f6fac656d9b7eccea29ba4e8a137cbb5b525dd31f39e4291a9e80832",
            "tagdict": "4c713731cb06727736962bc8cd94ad919217a040e76691059af99bc0c2c9c246",
            "classes": "bc8cdced76074e54eb9e1b6d836f234338d3d951d4dc5df757a52d5b002026a7",
        }.items()
    },
}


def needed(vocabulary: dict[str, Any]) -> list[str]:
    """Packages that the vocabulary stage uses, from `vocabulary` in the config."""
    of_nltk = {BROWN: vocabulary.get("corpus", {}).get("format"), TAGGER: vocabulary.get("tagger")}
    return [] if "terms" in vocabulary else [package for package, value in of_nltk.items() if value == "nltk"]


def absent(vocabulary: dict[str, Any]) -> list[str]:
    """Packages in `needed` that are not on this machine and must be fetched."""
    return [package for package in needed(vocabulary) if not _found(package, vocabulary)]


def files(vocabulary: dict[str, Any]) -> dict[str, str]:
    """One file for each package in `needed`: its path on this machine, or its path after the download."""
    fetched = {
        package: Path(folder(vocabulary), next(iter(PINNED[package]))) for package in needed(vocabulary)
    }
    return {package: str(_found(package, vocabulary) or file) for package, file in fetched.items()}


def folder(vocabulary: dict[str, Any]) -> str:
    """Folder for downloaded packages: the config's, or `OURS`."""
    return _named(vocabulary) or OURS


def root_of(file: str | Path, package: str) -> Path:
    """NLTK data folder that contains a file of a package."""
    up = len(Path(package).parts) - (Path(file).suffix == ".zip")
    return Path(file).parents[up]


def unreachable(vocabulary: dict[str, Any]) -> list[str]:
    """Faults for absent packages when there is no network, each with the command that fetches them."""
    packages = absent(vocabulary)
    if not packages or answers(HOST):
        return []
    target, looked = folder(vocabulary), ", ".join(str(Path(root).absolute()) for root in _roots(vocabulary))
    command = f"python -m nltk.downloader -d {target} brown averaged_perceptron_tagger_eng"
    return [
        f"vocabulary: NLTK's {package} was not found in {looked}, and {HOST} does not answer. On a machine "
        f"with network access run `{command}`, then copy that folder here, or set NLTK_DATA to its path"
        for package in packages
    ]


def _found(package: str, vocabulary: dict[str, Any]) -> Path | None:
    """The package's zip or one of its files on this machine, or None."""
    first = "cats.txt" if package == BROWN else Path(next(iter(PINNED[package]))).name
    candidates = [f for root in _roots(vocabulary) for f in (root / f"{package}.zip", root / package / first)]
    return next((file for file in candidates if file.is_file()), None)


def _roots(vocabulary: dict[str, Any]) -> list[Path]:
    """NLTK data folders: the config's, those in `NLTK_DATA`, NLTK's default places, and `OURS`."""
    named = [_named(vocabulary), *os.environ.get("NLTK_DATA", "").split(os.pathsep)]
    below = [Path(sys.prefix), Path("/usr"), Path("/usr/local")]
    usual = [part / "nltk_data" for base in below for part in (base, base / "share", base / "lib")]
    roots = [Path(p).expanduser() for p in named if p] + [Path.home() / "nltk_data", *usual, Path(OURS)]
    return list(dict.fromkeys(roots))


def _named(vocabulary: dict[str, Any]) -> str | None:
    """The folder that the config names, or None."""
    corpus = vocabulary.get("corpus", {})
    return corpus.get("path") if corpus.get("format") == "nltk" else None
