"""Terminologies, corpora and the filter chain: on hand-made input, and on the real data where it is."""

import json

import pandas as pd
import pytest
from conftest import PROJECT, clone, snakemake
from lexmerge.corpus import count_words, open_corpus, train_tagger
from lexmerge.errors import StudyError
from lexmerge.files import read_jsonl, read_tsv
from lexmerge.terminology import read_terminology, split_semantic_tag
from vocabulary_terms import choose_terms
from vocabulary_translations import translate_from_table

CONCEPTS = "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\r\n"
DESCRIPTIONS = (
    "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\r\n"
)
FSN, SYNONYM = "900000000000003001", "900000000000013009"


def release(folder, concepts, descriptions):
    """An RF2 snapshot of (id, active) and (concept, active, type, term)."""
    place = folder / "Snapshot" / "Terminology"
    place.mkdir(parents=True)
    rows = "".join(f"{c}\t20260101\t{a}\tm\td\r\n" for c, a in concepts)
    (place / "sct2_Concept_Snapshot_INT_20260101.txt").write_bytes((CONCEPTS + rows).encode())
    rows = "".join(f"9\t20260101\t{a}\tm\t{c}\ten\t{t}\t{term}\tx\r\n" for c, a, t, term in descriptions)
    (place / "sct2_Description_Snapshot-en_INT_20260101.txt").write_bytes((DESCRIPTIONS + rows).encode())
    return str(folder)


def test_rf2_gives_active_fully_specified_names_of_active_concepts(tmp_path):
    path = release(
        tmp_path,
        [("123456789012345678", 1), ("2", 0), ("3", 1), ("4", 1)],
        [
            ("123456789012345678", 1, FSN, 'The "big" one (disorder)'),
            ("123456789012345678", 1, SYNONYM, "Big one"),
            ("2", 1, FSN, "Retired (disorder)"),
            ("3", 0, FSN, "Old name (finding)"),
            ("4", 1, FSN, "NA (substance)"),
        ],
    )
    names = read_terminology(path, "rf2")
    assert names.to_dict("records") == [
        {"name": 'The "big" one', "semantic_tag": "disorder", "concept_id": "123456789012345678"},
        {"name": "NA", "semantic_tag": "substance", "concept_id": "4"},
    ]


def test_fhir_and_tsv_give_the_same_rows(tmp_path):
    concept = {"code": "36171008", "display": "Glomerulonephritis (disorder)"}
    value_set = {"resourceType": "ValueSet", "compose": {"include": [{"concept": [concept]}]}}
    (tmp_path / "v.json").write_text(json.dumps(value_set))
    (tmp_path / "t.tsv").write_text(
        "concept_id\tterm\tsemantic_tag\n36171008\tGlomerulonephritis\tdisorder\n"
    )
    fhir, tsv = (
        read_terminology(str(tmp_path / "v.json"), "fhir"),
        read_terminology(str(tmp_path / "t.tsv"), "tsv"),
    )
    assert fhir.to_dict("records") == tsv.to_dict("records")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Nephritis (disorder)", ("Nephritis", "disorder")),
        ("Structure of (left) ear (body structure)", ("Structure of (left) ear", "body structure")),
        ("No tag", ("No tag", "")),
        ("(only)", ("(only)", "")),
    ],
)
def test_the_semantic_tag_is_split_off(name, split):
    assert split_semantic_tag(name) == split


def test_missing_files_and_columns_are_named(tmp_path):
    with pytest.raises(StudyError, match=r"no sct2_Concept_Snapshot\*.txt"):
        read_terminology(str(tmp_path), "rf2")
    with pytest.raises(StudyError, match="there is nothing at"):
        read_terminology(str(tmp_path / "nowhere"), "fhir")
    (tmp_path / "t.tsv").write_text("word\nx\n")
    with pytest.raises(StudyError, match="no column term; it has word"):
        read_terminology(str(tmp_path / "t.tsv"), "tsv")
    (tmp_path / "v.json").write_text('{"resourceType": "Bundle"}')
    with pytest.raises(StudyError, match="not a FHIR ValueSet"):
        read_terminology(str(tmp_path / "v.json"), "fhir")


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


def choose(**filters):
    tags = {"orally": "RB", "nephritis": "NN", "asthma": "JJ", "water": "NN"}
    return choose_terms(NAMES, {"water": 2, "asthma": 1}, tags.__getitem__, {"max_count": 1} | filters)


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
        ("nouns and adjectives", 2, 1),
    ]


def test_the_options_of_the_filters():
    assert list(choose(max_count=0)[0].term) == ["nephritis"]
    assert list(choose(max_count=2)[0].term) == ["asthma", "nephritis", "water"]
    assert list(choose(semantic_tags=["finding"])[0].concept_id) == ["2"]
    one, again = (choose(sample={"n": 1, "seed": 5})[0] for _ in range(2))
    assert len(one) == 1
    assert one.equals(again)
    with pytest.raises(StudyError, match=r"no term is left after the filters: .*semantic tags 0"):
        choose(semantic_tags=["disordr"])


def test_the_toy_corpus_is_read_by_nltk_and_trains_a_tagger():
    corpus = open_corpus("brown", str(PROJECT / "resources/toy/corpus"))
    counts = count_words(corpus)
    assert (counts["malaria"], counts["asthma"], counts["nephritis"]) == (3, 1, 0)
    tagger = train_tagger(corpus)
    assert [tagger.tag([word])[0][1] for word in ("nephritis", "orally")] == ["NN", "RB"]


def test_a_corpus_that_is_none_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"has no cats.txt"):
        open_corpus("brown", str(tmp_path))


def test_a_term_without_translation_stops_and_is_named():
    table = pd.DataFrame({"term": ["Nephritis"], "translation": ["腎炎"]})
    assert list(translate_from_table(["nephritis"], table, "t.tsv").translation) == ["腎炎"]
    with pytest.raises(StudyError, match=r"t.tsv: no translation of 1 of 2 terms, such as asthma"):
        translate_from_table(["nephritis", "asthma"], table, "t.tsv")
    with pytest.raises(StudyError, match="no column 'translation'"):
        translate_from_table(["nephritis"], table[["term"]], "t.tsv")


def test_the_real_terminology_corpus_and_questions(shared_data, tmp_path):
    """Counts found independently on the same files: 1,755 unique words, 1,297 rare ones, 1,275 terms."""
    folder = clone(tmp_path / "lexmerge")
    (folder / "data").symlink_to(shared_data)
    made = "results/real_data"
    snakemake(
        folder,
        f"{made}/vocabulary/translations.tsv",
        f"{made}/benchmark_data/pubmedqa/pubmedqa.jsonl",
        *("--cores", "2", "--configfile", "config/real_data.yaml"),
    )
    funnel = read_tsv(folder / made / "vocabulary/funnel.tsv")
    assert list(funnel.kept) == ["26158", "1766", "1755", "1297", "1275", "50"]
    assert len(read_tsv(folder / made / "vocabulary/terms.tsv")) == 50
    decisions = [
        row["final_decision"] for row in read_jsonl(folder / made / "benchmark_data/pubmedqa/pubmedqa.jsonl")
    ]
    assert [decisions.count(d) for d in ("yes", "no", "maybe")] == [276, 169, 55]
