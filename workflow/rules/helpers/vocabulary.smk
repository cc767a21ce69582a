"""The vocabulary: its files, and how many terms a language model is asked to translate."""

from lexmerge.vocabulary import nltk_data
from lexmerge.vocabulary.terminology import TERMINOLOGY_FORMATS
from lexmerge.vocabulary.translator import TRANSLATORS


def corpus_files(corpus):
    """The texts of a corpus of the user's; NLTK's is always the same."""
    if corpus.get("format") not in ("tagged", "text"):
        return []
    path = Path(corpus["path"])
    return [path] if path.is_file() else sorted(path.glob(corpus["files"]))


def nltk_input(package):
    """A file that stands for a package of NLTK's data, whose time stamp does not matter once it is there.

    While it is to be fetched it is a plain input: Snakemake 9.27 does not plan what comes after a job that must
    run if that job's output is `ancient` to the next one.
    """
    vocabulary = STUDY["vocabulary"]
    file = nltk_data.files(vocabulary).get(package, [])
    return file if package in nltk_data.absent(vocabulary) else ancient(file)


def is_sampled():
    """Are the study's terms a sample of what passes its filters?"""
    return "sample" in STUDY["vocabulary"].get("filters", {})


VOCABULARY, TRANSLATIONS = STUDY["vocabulary"], STUDY["translations"]
TERMINOLOGY = VOCABULARY.get("terminology")
GIVEN = VOCABULARY.get("terms")  # the user's own: then there is no terminology, corpus or filter
NAMES = [GIVEN] if GIVEN else TERMINOLOGY_FORMATS[TERMINOLOGY["format"]].files(Path(TERMINOLOGY["path"]))
CORPUS = VOCABULARY.get("corpus", {})
TEXTS = corpus_files(CORPUS)
TRANSLATION_FILES = [TRANSLATIONS.get(key) for key in ("path", "overrides", "prompt")]
TRANSLATED_BY_MODEL = TRANSLATIONS["provider"] in PROVIDERS


def translating():
    """How many terms a language model is asked to translate."""
    return terms() if TRANSLATED_BY_MODEL else 0
