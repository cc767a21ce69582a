"""Vocabulary: input files, and the number of terms that a language model translates."""

from lexmerge.vocabulary import nltk_data
from lexmerge.vocabulary.terminology import TERMINOLOGY_FORMATS
from lexmerge.vocabulary.translator import TRANSLATORS


def corpus_files(corpus):
    """Files of the user's own corpus; empty for NLTK's, which is pinned by checksum."""
    if corpus.get("format") not in ("tagged", "text"):
        return []
    path = Path(corpus["path"])
    return [path] if path.is_file() else sorted(path.glob(corpus["files"]))


def nltk_input(package):
    """A file that represents a package of NLTK's data as an input; its time stamp is ignored once it exists.

    A package that must be fetched is a plain input, because Snakemake 9.27 does not schedule the jobs after a
    job whose output is marked `ancient`.
    """
    vocabulary = STUDY["vocabulary"]
    file = nltk_data.files(vocabulary).get(package, [])
    return file if package in nltk_data.absent(vocabulary) else ancient(file)


def is_sampled():
    """True if the study's terms are a sample of those that pass its filters."""
    return "sample" in STUDY["vocabulary"].get("filters", {})


VOCABULARY, TRANSLATIONS = STUDY["vocabulary"], STUDY["translations"]
TERMINOLOGY = VOCABULARY.get("terminology")
GIVEN = VOCABULARY.get("terms")  # the user's own terms, without terminology, corpus and filters
NAMES = [GIVEN] if GIVEN else TERMINOLOGY_FORMATS[TERMINOLOGY["format"]].files(Path(TERMINOLOGY["path"]))
CORPUS = VOCABULARY.get("corpus", {})
TEXTS = corpus_files(CORPUS)
TRANSLATION_FILES = [TRANSLATIONS.get(key) for key in ("path", "overrides", "prompt")]
TRANSLATED_BY_MODEL = TRANSLATIONS["provider"] in PROVIDERS


def translating():
    """Number of terms that a language model translates."""
    return terms() if TRANSLATED_BY_MODEL else 0
