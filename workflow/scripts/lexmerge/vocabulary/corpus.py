"""General corpora, tagged or plain, and the part-of-speech taggers that are trained on tagged ones."""

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
    """The files of a corpus of the user's: the one file, or those that the glob finds in the folder."""
    root = Path(path)
    if root.is_file():
        return [root]
    try:
        found = sorted(f for f in root.glob(pattern) if f.is_file() and not f.name.startswith("."))
    except (ValueError, NotImplementedError) as error:
        raise StudyError(f"vocabulary.corpus.files: {pattern!r} is no glob: {error}") from None
    if not found:
        raise StudyError(f"vocabulary.corpus: there is no file {pattern} in {root}")
    return found


def open_tagged(files: list[Path]) -> TaggedCorpusReader:
    """A tagged corpus of `word/TAG` tokens, as Brown is."""
    root = Path(os.path.commonpath([f.resolve().parent for f in files]))
    _allow(root)
    names = [f.resolve().relative_to(root).as_posix() for f in files]
    return TaggedCorpusReader(str(root), names, encoding="utf-8")


def open_brown(file: str | Path) -> TaggedCorpusReader:
    """NLTK's own copy of the Brown corpus: its zip, or the list of categories beside its texts."""
    _allow(root_of(file, BROWN))
    try:
        root = nltk.data.find(f"{BROWN}.zip/brown/" if Path(file).suffix == ".zip" else BROWN)
        corpus = TaggedCorpusReader(root, r"c[a-z]\d\d", encoding="ascii")
    except (zipfile.BadZipFile, LookupError, OSError) as error:
        raise StudyError(f"{file}: not NLTK's Brown corpus; delete it to have it fetched: {error}") from None
    if not corpus.fileids():
        raise StudyError(f"{Path(file).parent}: none of the Brown corpus' texts is here; delete the folder")
    return corpus


def brown_files(file: Path) -> list[Path]:
    """What NLTK's Brown corpus is read from: its zip, or the texts beside its list of categories."""
    return [file] if file.suffix == ".zip" else sorted(f for f in file.parent.glob("c[a-z][0-9][0-9]"))


def tagged_words(corpus: TaggedCorpusReader) -> Iterator[str]:
    """The words of a tagged corpus; one without a tag means that the text is not what it was said to be."""
    try:
        for word, tag in corpus.tagged_words():
            if tag is None:
                raise StudyError(
                    f"vocabulary.corpus: {word!r} has no tag, but a tagged corpus has word/TAG throughout; "
                    "choose its files with `files`, or use the format text"
                )
            yield unicodedata.normalize("NFC", word)
    except UnicodeDecodeError as error:
        raise StudyError(f"vocabulary.corpus: the tagged corpus is not UTF-8 text: {error.reason}") from None


def plain_words(files: Iterable[Path]) -> Iterator[str]:
    """The words of plain text: letters of any script, with hyphens and apostrophes inside."""
    for file in files:
        try:
            with file.open(encoding="utf-8-sig") as lines:
                for line in lines:
                    yield from TOKEN.findall(unicodedata.normalize("NFC", line))
        except UnicodeDecodeError as error:
            raise StudyError(f"vocabulary.corpus: {file} is not UTF-8 text: {error.reason}") from None


def count_words(words: Iterable[str]) -> Counter:
    """How often each word occurs, as written; a word has letters, hyphens and apostrophes only."""
    marks = re.compile("['’-]")
    counts = Counter(words)
    return Counter({w: n for w, n in counts.items() if regex.fullmatch(f"{LETTERS}+", marks.sub("", w))})


def train_tagger(corpus: TaggedCorpusReader, seed: int = 0) -> PerceptronTagger:
    """NLTK's averaged perceptron, trained on the corpus' own tags."""
    sentences = [list(sentence) for sentence in corpus.tagged_sents()]
    if not sentences:
        raise StudyError("vocabulary.tagger: the corpus has no sentences to train on")
    random.seed(seed)  # the tagger shuffles its sentences with the global generator
    tagger = PerceptronTagger(load=False)
    tagger.train(sentences, nr_iter=8)
    return tagger


def pretrained_tagger(file: str | Path) -> PerceptronTagger:
    """NLTK's English averaged perceptron, by its zip or one of its files."""
    _allow(root_of(file, TAGGER))
    try:
        return PerceptronTagger()
    except (zipfile.BadZipFile, LookupError, ValueError, OSError) as error:
        raise StudyError(
            f"{file}: not NLTK's English tagger; delete it to have it fetched: {error}"
        ) from None


def tag_alone(tagger: PerceptronTagger) -> Callable[[str], str]:
    """The part of speech of a word by itself."""
    return lambda word: tagger.tag([word])[0][1]


def _allow(root: str | Path) -> None:
    """NLTK 3.10 reads only below its data path."""
    nltk.data.path.insert(0, os.fspath(Path(root).resolve()))
