"""The filter chain and its funnel: on hand-made names, on terms of the user's own, and on the real data."""

import pandas as pd
import pytest
from helpers import clone, snakemake
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, read_notes, read_tsv
from vocabulary_terms import choose_terms, comparison, given_terms

NAMES = pd.DataFrame(
    [
        ("Nephritis", "disorder", "1"),
        ("NEPHRITIS", "finding", "2"),
        ("Chronic nephritis", "disorder", "3"),
        ("X-ray", "procedure", "4"),
        ("Water", "substance", "5"),
        ("Asthma", "disorder", "6"),
        ("Orally", "qualifier value", "7"),
    ],
    columns=["name", "semantic_tag", "concept_id"],
)
DEFAULTS = {"hyphens": False, "cased": False, "max_count": 1, "parts_of_speech": ["NN", "JJ"]}
TAGS = {"orally": "RB", "asthma": "JJ"}
COUNTS = {"water": 1, "Water": 1, "asthma": 1}


def choose(tag=lambda term: TAGS.get(term, "NN"), **filters):
    return choose_terms(NAMES, COUNTS, tag, DEFAULTS | filters, ["fully_specified"])


def test_the_filters_and_their_funnel():
    terms, funnel = choose()
    assert terms.to_dict("list") == {
        "term": ["asthma", "nephritis"],
        "semantic_tag": ["disorder", "disorder"],
        "concept_id": ["6", "1"],
        "corpus_count": [1, 0],
        "part_of_speech": ["JJ", "NN"],
    }
    assert list(zip(funnel.stage, funnel.kept, funnel.removed, strict=True)) == [
        ("fully specified names", 7, 0),
        ("single words", 5, 2),
        ("unique, case-folded", 4, 1),
        ("at most 1 in the corpus", 3, 1),
        ("part of speech: NN*, JJ*", 2, 1),
    ]


def test_how_often_a_term_may_occur():
    assert list(choose(max_count=0)[0].term) == ["nephritis"]
    assert list(choose(max_count=2)[0].term) == ["asthma", "nephritis", "water"], "in either case"


def test_words_with_hyphens_are_an_option():
    terms, funnel = choose(hyphens=True)
    assert list(terms.term) == ["asthma", "nephritis", "x-ray"]
    assert "single words, hyphenated ones too" in list(funnel.stage)


def test_the_case_is_kept_as_an_option():
    terms, funnel = choose(cased=True)
    assert list(terms.term) == ["Asthma", "Nephritis", "Orally", "Water"]
    assert list(terms.corpus_count) == [0, 0, 0, 1]
    assert "at most 1 in the corpus, as written" in list(funnel.stage)


def test_semantic_tags_are_an_option_and_the_nearest_is_suggested():
    terms, funnel = choose(semantic_tags=["finding", "procedure"])
    assert list(terms.concept_id) == ["2"]
    assert list(funnel.stage)[2] == "semantic tags: finding, procedure"
    with pytest.raises(StudyError, match=r"no tag 'disordr'; did you mean 'disorder'\?"):
        choose(semantic_tags=["disordr"])


def test_parts_of_speech_are_an_option_and_so_is_having_no_tagger():
    assert list(choose(parts_of_speech=["RB"])[0].term) == ["orally"]
    terms, funnel = choose(tag=None)
    assert list(terms.term) == ["asthma", "nephritis", "orally"]
    assert set(terms.part_of_speech) == {""}
    assert len(funnel) == 4


def test_a_sample_is_the_same_every_time():
    one, again = (choose(sample={"n": 1, "seed": 5})[0] for _ in range(2))
    assert len(one) == 1
    assert one.equals(again)
    assert len(choose(sample={"n": 99, "seed": 5})[0]) == 2


def test_an_empty_result_names_the_filter_that_removed_the_last():
    with pytest.raises(
        StudyError,
        match=r"no term is left; loosen the filters: fully specified names 7, .* part of speech: XX\* 0",
    ):
        choose(parts_of_speech=["XX"])


def test_a_published_number_of_terms_stands_beside_and_changes_nothing():
    published = {"n": 1782, "source": "arXiv 2502.12001"}
    assert comparison(published) == ["for comparison: 1,782 terms in arXiv 2502.12001"]
    assert comparison(None) == []


def test_terms_of_ones_own_bypass_the_filters(tmp_path):
    file = tmp_path / "mine.tsv"
    file.write_text("concept_id\tterm\n2\tNA \n1\tfemoral artery\n")
    terms, funnel, notes = given_terms(str(file))
    assert terms.to_dict("list") == {
        "term": ["NA", "femoral artery"],
        "semantic_tag": ["", ""],
        "concept_id": ["2", "1"],
        "corpus_count": ["", ""],
        "part_of_speech": ["", ""],
    }
    assert funnel.to_dict("records") == [{"stage": "terms as given", "kept": 2, "removed": 0}]
    assert notes[0] == f"terms: mine.tsv, {file}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("word\nx\n", "no column term"),
        ("term\n", "has no terms"),
        ("term\tsemantic_tag\na\tx\n\ty\n", "has an empty term: '' in row 2"),
        ("term\na\nb\nA\n", "has a term more than once: 'A' in row 3"),
    ],
)
def test_what_is_wrong_with_terms_of_ones_own_is_named(tmp_path, content, said):
    (tmp_path / "mine.tsv").write_text(content)
    with pytest.raises(StudyError, match=said):
        given_terms(str(tmp_path / "mine.tsv"))


def test_the_real_terminology_corpus_and_questions(shared_data, tmp_path):
    """Counts found independently on the same files: 1,755 unique words, 1,297 rare ones, 1,275 terms."""
    folder = clone(tmp_path / "lexmerge")
    (folder / "data").symlink_to(shared_data)
    made = "results/real_data"
    snakemake(
        folder,
        f"{made}/vocabulary/translations.tsv",
        f"{made}/benchmark_data/pubmedqa/pubmedqa/test.jsonl",
        *("--cores", "2", "--configfile", "config/real_data.yaml"),
    )
    funnel = folder / made / "vocabulary/funnel.tsv"
    assert list(read_tsv(funnel).kept) == ["26158", "1766", "1755", "1297", "1275", "50"]
    assert [note.split(":")[0].split()[0] for note in read_notes(funnel)] == [
        *("terminology", "sha256", "corpus", "sha256", "tagger", "for"),
    ]
    assert "sha256 9b275f9b3b95d7bd66ccfb7cd259f445a13bbe5d1f4107aba09fd3e8364bafa6" in funnel.read_text()
    assert len(read_tsv(folder / made / "vocabulary/terms.tsv")) == 50
    decisions = [
        row["final_decision"]
        for row in read_jsonl(folder / made / "benchmark_data/pubmedqa/pubmedqa/test.jsonl")
    ]
    assert [decisions.count(d) for d in ("yes", "no", "maybe")] == [276, 169, 55]


def test_without_nltks_data_and_a_network_nothing_runs_and_the_command_is_named(tmp_path, monkeypatch):
    """The proxy is a port where nothing answers, so that the network is away wherever this test runs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NLTK_DATA", raising=False)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    folder = clone(tmp_path / "lexmerge")
    (tmp_path / "brown.yaml").write_text(
        """
        study: {name: toy}
        vocabulary:
          terminology: {format: rf2, path: resources/toy/terminology}
          corpus: {format: nltk, path: nltk_data}
        """
    )
    planned = snakemake(folder, "-n", "--configfile", str(tmp_path / "brown.yaml"))
    assert "vocabulary_nltk" in planned.stdout
    done = snakemake(folder, "--cores", "2", "--configfile", str(tmp_path / "brown.yaml"), check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "nothing was run, because" in said
    assert f"NLTK's corpora/brown was not found in {folder.resolve() / 'nltk_data'}, " in said
    assert "python -m nltk.downloader -d nltk_data brown averaged_perceptron_tagger_eng" in said
    assert list((folder / "results").iterdir()) == [folder / "results/.gitkeep"]
