"""Readers of tagged corpora through NLTK, and the part-of-speech taggers that need them."""

import os
import random
from collections import Counter
from pathlib import Path

import nltk
from nltk.corpus.reader import CategorizedTaggedCorpusReader
from nltk.tag.perceptron import PerceptronTagger

from lexmerge.errors import StudyError

FILES = r"c[a-z]\d\d"


def open_corpus(format: str, path: str | None):
    """The tagged corpus: a folder in Brown's format, or NLTK's own Brown corpus from `path` or NLTK_DATA."""
    if format == "brown":
        if not Path(path, "cats.txt").is_file():
            raise StudyError(
                f"vocabulary.corpus.path: {path} has no cats.txt; is it a corpus in Brown's format?"
            )
        _allow(Path(path).resolve().parent)
        return CategorizedTaggedCorpusReader(
            str(Path(path).resolve()), FILES, cat_file="cats.txt", encoding="utf-8"
        )
    _allow(path)
    try:
        brown = nltk.corpus.brown
        brown.fileids()
    except LookupError:
        raise StudyError(_missing("corpora/brown")) from None
    return brown


def count_words(corpus) -> Counter:
    """How often each word occurs, lower-cased; a word has letters, hyphens and apostrophes only."""
    words = (word.lower() for word in corpus.words())
    return Counter(word for word in words if word.replace("-", "").replace("'", "").isalpha())


def train_tagger(corpus, seed: int = 0) -> PerceptronTagger:
    """NLTK's averaged perceptron, trained on the corpus' own tags."""
    random.seed(seed)  # the tagger shuffles its sentences with the global generator
    tagger = PerceptronTagger(load=False)
    tagger.train([list(sentence) for sentence in corpus.tagged_sents()], nr_iter=8)
    return tagger


def pretrained_tagger(path: str | None) -> PerceptronTagger:
    """NLTK's English averaged perceptron, from `path` or NLTK_DATA."""
    _allow(path)
    try:
        return PerceptronTagger()
    except LookupError:
        raise StudyError(_missing("taggers/averaged_perceptron_tagger_eng")) from None


def _allow(path: str | Path | None) -> None:
    """NLTK 3.10 reads only below its data path."""
    if path:
        nltk.data.path.insert(0, os.fspath(Path(path).resolve()))


def _missing(resource: str) -> str:
    package = resource.split("/")[1]
    return (
        f"NLTK's data has no {resource}. Get it with `python -m nltk.downloader {package}`, or set NLTK_DATA "
        f"(or vocabulary.corpus.path) to a folder that holds it. Searched: {', '.join(nltk.data.path)}"
    )
