"""Count the words of the general corpus as written: a table `word, count`, the most frequent first."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from lexmerge.common.errors import StudyError
from lexmerge.common.files import sha256, write_tsv
from lexmerge.run.job import job
from lexmerge.vocabulary.corpus import (
    brown_files,
    count_words,
    files_of,
    open_brown,
    open_tagged,
    plain_words,
    tagged_words,
)


def frequency_table(counts: dict[str, int]) -> pd.DataFrame:
    """Make the table `word, count`, sorted by descending count; a StudyError if there are no words."""
    if not counts:
        raise StudyError("vocabulary.corpus: the corpus has no words; check `path`, `files` and `format`")
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return pd.DataFrame(ordered, columns=["word", "count"])


def notes(title: str, files: list[Path], counts: dict[str, int]) -> list[str]:
    """Make the notes above the table: title, size, and SHA-256 of the corpus.

    The hash of several files is that of the output of `sha256sum` in their common folder.
    """
    if len(files) == 1:
        total = sha256(files[0])
    else:
        root = os.path.commonpath(files)
        lines = [f"{sha256(f)}  {os.path.relpath(f, root)}\n" for f in files]
        total = hashlib.sha256("".join(lines).encode()).hexdigest()
    size = f"{sum(counts.values()):,} words, {len(counts):,} of them distinct"
    return [f"corpus: {title}, {size}", f"sha256 {total} {files[0] if len(files) == 1 else root}"]


def read_corpus(settings: dict[str, Any], brown: str | None) -> tuple[str, list[Path], Iterable[str]]:
    """Open a corpus.

    Args:
        settings: `vocabulary.corpus` in the config.
        brown: A file of NLTK's Brown corpus, for the format `nltk`.

    Returns:
        Its title, its files and its words.
    """
    if settings["format"] == "nltk":
        return "the Brown corpus", brown_files(Path(brown)), tagged_words(open_brown(brown))
    files = files_of(settings["path"], settings["files"])
    words = plain_words(files) if settings["format"] == "text" else tagged_words(open_tagged(files))
    return settings["path"], files, words


if __name__ == "__main__":
    with job(snakemake.log[0]):
        title, files, words = read_corpus(snakemake.params.corpus, snakemake.input.get("brown"))
        counts = count_words(words)
        write_tsv(snakemake.output[0], frequency_table(counts), notes(title, files, counts))
