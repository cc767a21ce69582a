"""Tables that exist are read in the dry run: their columns, and what would stop a job."""

from pathlib import Path

import pytest
import yaml
from helpers import PROJECT
from lexmerge.common.errors import StudyError
from lexmerge.study.faults import faults_of
from lexmerge.study.table_faults import read_beginning


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(PROJECT)
    read_beginning.cache_clear()


@pytest.fixture
def toy() -> dict:
    toy = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    toy["study"] |= {"merges": ["slerp"], "judges": ["chrf"]}
    return toy


def place_at(toy: dict, place: str, path: Path) -> None:
    """Name a table in the place of the toy study's."""
    match place:
        case "vocabulary.terms":
            toy["vocabulary"] = {"terms": str(path)}
        case "vocabulary.terminology.path":
            toy["vocabulary"]["terminology"] = {"format": "tsv", "path": str(path)}
        case "judges.chrf.gold":
            toy["judges"]["chrf"]["gold"] = str(path)
        case "translations.path":
            toy["translations"] = {"provider": "table", "path": str(path)}
        case "translations.overrides":
            toy["translations"]["overrides"] = str(path)
        case "judging.ratings":
            toy["judging"] = {"ratings": str(path)}
        case "published.definition_scores" | "published.benchmarks":
            toy["published"] = {"source": "a paper", place.split(".")[1]: str(path)}


GOOD = {
    "vocabulary.terms": "term\nangina\ncarditis\n",
    "vocabulary.terminology.path": "term\tsemantic_tag\nangina\tdisorder\n",
    "judges.chrf.gold": "term\tdefinition_en\tdefinition_ja\nangina\tpain\t痛み\n",
    "translations.path": "term\ttranslation\nangina\t狭心症\n",
    "translations.overrides": "term\ttranslation\n",
    "judging.ratings": "id\tscore\na1\t7.5\na2\t\n",
    "published.definition_scores": "model\tjudge_model\tmedian\tmean\tstd\nslerp\tm\t10\t9.5\t\n",
    "published.benchmarks": "model\tpubmedqa_acc\nexpert\t0.8\n",
}


def faults(toy: dict, place: str, content: str | bytes, folder: Path) -> list[str]:
    """The faults of the toy study with a table of that content; each names the place and the file."""
    path = folder / "table.tsv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    place_at(toy, place, path)
    found = faults_of(toy)
    assert all(fault.startswith(f"{place}: {path}") for fault in found), found
    return [fault.removeprefix(f"{place}: {path}") for fault in found]


@pytest.mark.parametrize("place", GOOD)
@pytest.mark.parametrize("form", ["plain", "bom", "crlf", "notes", "blank", "no last line end"])
def test_tables_as_people_save_them_are_taken(toy, tmp_path, place, form):
    content = {
        "plain": GOOD[place],
        "bom": f"\ufeff{GOOD[place]}",
        "crlf": GOOD[place].replace("\n", "\r\n"),
        "notes": f"# from a book\n# page 3\n{GOOD[place]}",
        "blank": f"{GOOD[place]}\n\n",
        "no last line end": GOOD[place].removesuffix("\n"),
    }[form]
    assert faults(toy, place, content, tmp_path) == []


@pytest.mark.parametrize("place", GOOD)
def test_a_missing_column_is_named_with_those_that_are_there(toy, tmp_path, place):
    first = GOOD[place].split("\n")[0].split("\t")[0]
    content = GOOD[place].replace(first, f"{first}s", 1)
    found = faults(toy, place, content, tmp_path)
    assert len(found) == 1
    assert f" has no column '{first}'; did you mean '{first}s'? its columns are " in found[0]


@pytest.mark.parametrize(("separator", "name"), [(",", "comma"), (";", "semicolon"), ("|", "vertical bar")])
@pytest.mark.parametrize("place", [place for place in GOOD if "\t" in GOOD[place].split("\n")[0]])
def test_another_separator_is_named(toy, tmp_path, place, separator, name):
    found = faults(toy, place, GOOD[place].replace("\t", separator), tmp_path)
    assert len(found) == 1
    assert f" looks {name}-separated; save it as tab-separated (TSV), without quotes" in found[0]


def test_a_list_of_terms_with_commas_is_named_as_such(toy, tmp_path):
    found = faults(toy, "vocabulary.terms", "term,domain\nangina,heart\n", tmp_path)
    assert len(found) == 1
    assert " looks comma-separated; save it as tab-separated (TSV)" in found[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", " is empty; it needs a first line with the columns term, translation"),
        ("# a note\n", " is empty; it needs a first line with the columns term, translation"),
        ("term\ttranslation\n", " has no rows below its header"),
        ("term\ttranslation\tterm\na\tb\tc\n", " has the column 'term' more than once; rename or remove one"),
        ("term\ttranslation\na\tb\tc\n", ": line 2 has 3 cells, but the header has 2"),
        ("term\ttranslation\na\tb\n\nc\n", ": line 4 has only 1 cells and none for 'translation'"),
        ('"term"\t"translation"\n"a"\t"b"\n', " has quotes around its cells; save it without quotes"),
        (
            "Term\ttranslation\na\tb\n",
            " has no column 'term'; did you mean 'Term'? its columns are Term, translation",
        ),
        ("term\ttranslation\na\t1\nb\t2\nA \t3\n", ": 'A' has two translations, in lines 2 and 4; keep one"),
        ("term\ttranslation\nmus\u00e9e\tb\n".encode("latin-1"), " is not UTF-8 text; save it as UTF-8"),
        (
            "term\ttranslation\na\tb\n".encode("utf-16"),
            " is UTF-16 text; save the table as tab-separated text",
        ),
        (
            b"PK\x03\x04rest",
            " is a spreadsheet or zip file; save the table as tab-separated text (TSV) in UTF-8",
        ),
        ("term\ttranslation\na\0\tb\n", ": line 2 has a NUL character; the file is not a table"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(toy, tmp_path, content, said):
    found = faults(toy, "translations.path", content, tmp_path)
    assert len(found) == 1, found
    assert said in found[0]


@pytest.mark.parametrize(
    ("place", "content", "said"),
    [
        ("vocabulary.terms", "term\na\nb\nA\n", ": 'A' is in lines 2 and 4; remove one of them"),
        ("vocabulary.terms", "term\tdomain\n\tx\n", ": line 2 has no term"),
        ("judges.chrf.gold", "term\tdefinition_en\na\tb\n", " has no column 'definition_ja'; did you mean"),
        ("judging.ratings", "id\tscore\na\t11\n", ": line 2: '11' is not a score from 0 to 10"),
        ("judging.ratings", "id\tscore\na\t7,5\n", ": line 2: '7,5' is not a score from 0 to 10"),
        (
            "published.benchmarks",
            "model\tx\nexpert\t80%\n",
            ": line 2: '80%' in the column 'x' is not a number",
        ),
        (
            "published.benchmarks",
            "model\tx\nother\t1\n",
            ": none of its models is in the study, whose models are",
        ),
    ],
)
def test_cells_that_a_job_would_refuse_are_named(toy, tmp_path, place, content, said):
    found = faults(toy, place, content, tmp_path)
    assert len(found) == 1, found
    assert said in found[0]


def test_many_faults_of_one_table_are_counted(toy, tmp_path):
    content = "id\tscore\n" + "a\tx\n" * 30
    found = faults(toy, "judging.ratings", content, tmp_path)
    assert len(found) == 6
    assert found[-1] == " has 25 more such faults"


def test_a_folder_is_no_table(toy, tmp_path):
    place_at(toy, "judges.chrf.gold", tmp_path)
    assert faults_of(toy) == [f"judges.chrf.gold: {tmp_path} is a folder; a table is needed"]


def test_tables_that_are_missing_or_have_no_part_in_the_study_are_left_for_the_run(toy, tmp_path):
    place_at(toy, "vocabulary.terms", tmp_path / "not_there.tsv")
    (tmp_path / "bad.tsv").write_text("nothing\n")
    toy["judges"]["rouge"]["gold"] = str(tmp_path / "bad.tsv")
    toy["judges"]["chrf"] = {"provider": "chrf"}
    assert faults_of(toy) == []


def test_only_the_beginning_of_a_large_table_is_read(toy, tmp_path):
    content = GOOD["vocabulary.terminology.path"] + "x\n" * 30_000 + "a\tb\tc\n"
    assert faults(toy, "vocabulary.terminology.path", content, tmp_path) == []


def test_columns_separated_by_spaces_are_recognised(tmp_path):
    (tmp_path / "terms.tsv").write_text("term   translation\nasthma   x\n", encoding="utf-8")
    with pytest.raises(StudyError, match="has spaces between its columns; separate them by tabs"):
        read_beginning(str(tmp_path / "terms.tsv"), ("term", "translation"))
