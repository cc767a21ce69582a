"""Any pair of languages and any domain: a study of sailing in German, from plain files to the report."""

import re
from pathlib import Path

import pytest
import yaml
from explorer_page import data_of
from helpers import PROJECT, clone, snakemake
from lexmerge.common.files import read_jsonl, read_numbers, read_tsv

ARGUMENTS = ["--configfile", "tests/data/sailing/study.yaml", "--cores", "2"]


@pytest.fixture(scope="module")
def sailing(toy, tmp_path_factory) -> Path:
    """The study of sailing, complete, on checkpoints of the toy study."""
    folder = clone(tmp_path_factory.mktemp("sailing") / "lexmerge")
    (folder / "models").mkdir()
    for theirs, ours in {"expert": "skipper", "generalist": "landlubber"}.items():
        (folder / "models" / ours).symlink_to(toy / "models" / theirs)
    snakemake(folder, *ARGUMENTS)
    return folder / "results/sailing"


def test_its_terms_are_chosen_from_a_plain_table_against_plain_text(sailing):
    funnel = read_tsv(sailing / "vocabulary/funnel.tsv")
    assert list(zip(funnel.stage, funnel.kept, strict=True)) == [
        ("fully specified names", "8"),
        ("single words", "7"),
        ("semantic tags: rig, hull", "6"),
        ("unique, case-folded", "6"),
        ("at most 1 in the corpus", "4"),  # a sheet is of paper, and the keel is even, more than once
    ]
    terms = read_tsv(sailing / "vocabulary/terms.tsv")
    assert list(terms.term) == ["forestay", "gunwale", "halyard", "transom"]
    assert set(terms.part_of_speech) == {""}


def test_its_translations_are_german_and_a_person_has_the_last_word(sailing):
    rows = read_tsv(sailing / "vocabulary/translations.tsv").set_index("term")
    assert list(rows.translation) == ["Vorstag", "Dollbord", "Großfall", "Spiegel"]
    assert rows.source["halyard"] == "tests/data/sailing/overrides.tsv"
    assert set(rows.status) == {"ok"}


def test_its_models_are_asked_in_german_and_judged_against_german(sailing):
    for model, language in {"skipper": "en", "landlubber": "de", "half": "de"}.items():
        assert {row["prompt_language"] for row in read_jsonl(sailing / f"definitions/{model}.jsonl")} == {
            language
        }
    judged = read_jsonl(sailing / "judgements/chrf/half.jsonl")
    assert all(row["status"] in ("scored", "empty_definition") for row in judged)
    scored = [row for row in judged if row["status"] == "scored"]
    assert scored
    assert all(re.search("Draht|Kante|Tau|Ende", row["reason"]) for row in scored)


def test_it_has_its_tables_and_its_report(sailing):
    assert set(read_numbers(sailing / "tables/definition_scores.tsv").model) == {
        "skipper",
        "landlubber",
        "half",
    }
    assert list(read_numbers(sailing / "tables/benchmarks.tsv")) == ["model", "parts_acc"]
    page = (sailing / "report/index.html").read_text(encoding="utf-8")
    data = data_of(page)
    assert "Großfall" in {row[1] for row in data["terms"]}
    assert (data["languages"]["target"], data["asked"]) == ("de", ["en", "de", "de"])
    assert "toy models" not in page.split("Complete config")[0]


# The example of a docstring; what the toy study's models are taught.
ALLOWED = {
    "languages.py": {"japanese", "ja"},
    "figures.py": {"japanize"},  # what its library calls adding the font
    "models.smk": {"ja"},
}


def test_nothing_but_the_toy_study_knows_japanese_or_medicine():
    """Where the workflow's own code speaks of a language or a field, it could not serve another."""
    for file in sorted((PROJECT / "workflow").rglob("*")):
        if file.suffix in (".py", ".smk", ".j2") and "toy" not in file.name:
            text = file.read_text(encoding="utf-8").casefold()
            found = re.findall(r"japan\w*|medic\w*|\bja\b|[\u3040-\u30ff\u4e00-\u9fff]", text)
            allowed = set(ALLOWED.get(file.name, ()))
            assert set(found) <= allowed, f"{file.name} speaks of {', '.join(found)}"


def test_every_key_of_the_study_is_in_its_folder(sailing):
    config = yaml.safe_load((sailing / "study.yaml").read_text(encoding="utf-8"))["config"]
    assert config["study"]["languages"] == {"source": "en", "target": "de"}
    assert "toy" not in (sailing / "study.yaml").read_text(encoding="utf-8")
