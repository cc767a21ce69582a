"""General corpora, tagged or plain, and part-of-speech taggers."""

import os
import random
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nltk
import regex
from nltk.corpus.reader import TaggedCorpusReader
from nltk.tag.perceptron import PerceptronTagger

from lexmerge.common.errors import StudyError
from lexmerge.common.languages import LETTERS
from lexmerge.vocabulary.nltk_data import BROWN, TAGGER, root_of

TOKEN = regex.compile(rf"{LETTERS}+(?:['’-]{LETTERS}+)*")


def files_of(path: str, pattern: str) -> list[Path]:
    """List the files of the user's corpus.

    Args:
        path: A file or a folder.
        pattern: Glob pattern for the files in a folder.

    Raises:
        StudyError: If the pattern is invalid or matches no file.
    """
    root = Path(path)
    if root.is_file():
        return [root]
    try:
        found = sorted(f for f in root.glob(pattern) if f.is_file() and not f.name.startswith("."))
    except (ValueError, NotImplementedError) as error:
        raise StudyError(f"vocabulary.corpus.files: {pattern!r} is not a glob pattern: {error}") from None
    if not found:
        raise StudyError(f"vocabulary.corpus.files: no file in {root.absolute()} matches {pattern}")
    return found


def open_tagged(files: list[Path]) -> TaggedCorpusReader:
    """Open a tagged corpus of `word/TAG` tokens, the format of the Brown corpus."""
    root = Path(os.path.commonpath([f.resolve().parent for f in files]))
    _allow(root)
    names = [f.resolve().relative_to(root).as_posix() for f in files]
    return TaggedCorpusReader(str(root), names, encoding="utf-8")


def open_brown(file: str | Path) -> TaggedCorpusReader:
    """Open NLTK's copy of the Brown corpus.

    Args:
        file: Its zip, or `cats.txt` in the unpacked folder.

    Raises:
        StudyError: If it cannot be read.
    """
    _allow(root_of(file, BROWN))
    try:
        root = nltk.data.find(f"{BROWN}.zip/brown/" if Path(file).suffix == ".zip" else BROWN)
        corpus = TaggedCorpusReader(root, r"c[a-z]\d\d", encoding="ascii")
    except (zipfile.BadZipFile, LookupError, OSError) as error:
        raise StudyError(
            f"{Path(file).absolute()} is not NLTK's Brown corpus ({error}); delete it and run again, to "
            "fetch it"
        ) from None
    if not corpus.fileids():
        raise StudyError(
            f"{Path(file).absolute().parent} has no texts of the Brown corpus; delete the folder and run "
            "again, to fetch it"
        )
    return corpus


def brown_files(file: Path) -> list[Path]:
    """Files of NLTK's Brown corpus: its zip, or the texts next to `cats.txt`."""
    return [file] if file.suffix == ".zip" else sorted(f for f in file.parent.glob("c[a-z][0-9][0-9]"))


def tagged_words(corpus: TaggedCorpusReader) -> Iterator[str]:
    """Yield the words of a tagged corpus in NFC.

    Raises:
        StudyError: If a word has no tag, or the text is not UTF-8.
    """
    try:
        for word, tag in corpus.tagged_words():
            if tag is None:
                raise StudyError(
                    f"vocabulary.corpus: {word!r} has no tag, but a tagged corpus needs one for each word "
                    "(word/TAG); select its files with `files`, or set `format: text`"
                )
            yield unicodedata.normalize("NFC", word)
    except UnicodeDecodeError as error:
        raise StudyError(
            f"vocabulary.corpus: the tagged corpus is not UTF-8 text ({error.reason}); save it as UTF-8"
        ) from None


def plain_words(files: Iterable[Path]) -> Iterator[str]:
    """Yield the words of plain texts in NFC: letters of any script, with inner hyphens and apostrophes.

    Raises:
        StudyError: If a file is not UTF-8.
    """
    for file in files:
        try:
            with file.open(encoding="utf-8-sig") as lines:
                for line in lines:
                    yield from TOKEN.findall(unicodedata.normalize("NFC", line))
        except UnicodeDecodeError as error:
            raise StudyError(
                f"vocabulary.corpus: {file.absolute()} is not UTF-8 text ({error.reason}); save it as UTF-8"
            ) from None


def count_words(words: Iterable[str]) -> Counter[str]:
    """Count each word as written, without tokens that hold digits or signs other than hyphen, apostrophe."""
    marks = re.compile("['’-]")
    counts = Counter(words)
    return Counter({w: n for w, n in counts.items() if regex.fullmatch(f"{LETTERS}+", marks.sub("", w))})


def train_tagger(corpus: TaggedCorpusReader, seed: int = 0) -> PerceptronTagger:
    """Train NLTK's averaged perceptron tagger on the tags of a corpus.

    Args:
        corpus: A tagged corpus.
        seed: Seed of the shuffling of sentences.

    Raises:
        StudyError: If the corpus is empty.
    """
    sentences = [list(sentence) for sentence in corpus.tagged_sents()]
    if not sentences:
        raise StudyError("vocabulary.tagger: the corpus has no sentences to train on; set another tagger")
    random.seed(seed)  # the tagger shuffles its sentences with the global generator
    tagger = PerceptronTagger(load=False)
    tagger.train(sentences, nr_iter=8)
    return tagger


def pretrained_tagger(file: str | Path) -> PerceptronTagger:
    """Load NLTK's English averaged perceptron tagger.

    Args:
        file: Its zip or one of its files.

    Raises:
        StudyError: If it cannot be read.
    """
    _allow(root_of(file, TAGGER))
    try:
        return PerceptronTagger()
    except (zipfile.BadZipFile, LookupError, ValueError, OSError) as error:
        raise StudyError(
            f"{Path(file).absolute()} is not NLTK's English tagger ({error}); delete it and run again, to "
            "fetch it"
        ) from None


def tag_alone(tagger: PerceptronTagger) -> Callable[[str], str]:
    """Make a function that tags a word without context."""
    return lambda word: tagger.tag([word])[0][1]


def _allow(root: str | Path) -> None:
    """Add a folder to NLTK's data path, outside of which NLTK 3.10 reads nothing."""
    nltk.data.path.insert(0, os.fspath(Path(root).resolve()))
