"""Published numbers beside the study's: only of the same judge, and what is another says so."""

import re
from pathlib import Path

import pandas as pd
import pytest
from helpers import PROJECT, snakemake
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_numbers
from tables_published import SCORES, comparison, of_benchmarks, of_scores, read_published

PUBLISHED = pd.DataFrame([{"model": "m", "judge_model": "gpt-1", "median": 6.0, "mean": 5.0, "std": 3.0}])
STUDY = pd.DataFrame(
    [
        {"model": "m", "judge": j, "median": 6.5, "mean": 5.2, "std": 2.5, "ci_low": 4.9, "ci_high": 5.5}
        for j in "ab"
    ]
)


def test_the_same_judge_is_compared():
    rows = of_scores(PUBLISHED, STUDY, {"a": {"model": "gpt-1"}, "b": {"model": "gpt-2"}}, "")
    assert [(row["measure"], row["statistic"]) for row in rows] == [
        ("a", "median"),
        ("a", "mean"),
        ("a", "std"),
    ]
    assert [row["difference"] for row in rows] == [0.5, 0.2, -0.5]
    assert [row["contained"] for row in rows] == [None, True, None]
    assert {row["note"] for row in rows} == {""}


@pytest.mark.parametrize(
    ("judge", "about_terms", "note"),
    [
        ({"model": "gpt-2", "substitute_for": "gpt-1"}, "", "by a, a substitute for gpt-1"),
        ({"model": "gpt-1", "blind": True}, "", "by a blind judge"),
        ({"model": "gpt-1"}, "on a sample of the terms", "on a sample of the terms"),
    ],
)
def test_another_judge_or_other_terms_are_shown_and_never_said_to_agree(judge, about_terms, note):
    rows = of_scores(PUBLISHED, STUDY, {"a": judge, "b": {"provider": "chrf"}}, about_terms)
    assert len(rows) == 3
    assert {row["note"] for row in rows} == {note}
    assert {row["contained"] for row in rows} == {None}


@pytest.mark.parametrize(("published", "contained"), [(0.4, True), (0.39, False), (0.6, True), (0.61, False)])
def test_an_interval_holds_its_ends(published, contained):
    assert comparison(published, 0.5, (0.4, 0.6), True)["contained"] is contained
    assert comparison(published, 0.5, (float("nan"), float("nan")), True)["contained"] is None
    assert comparison(published, float("nan"), (0.4, 0.6), True)["contained"] is None


def test_a_benchmark_of_which_only_some_documents_were_run_says_so():
    study = pd.DataFrame(
        [("m", "quiz_acc", None, None, 0.5, 0.4, 0.6, 100.0)],
        columns=["model", "column", "task", "prompt", "value", "ci_low", "ci_high", "limit"],
    )
    (row,) = of_benchmarks(pd.DataFrame([{"model": "m", "quiz_acc": 0.5, "other_acc": 1.0}]), study)
    assert (row["note"], row["contained"]) == ("only the first 100 documents", None)


def test_the_place_of_the_models_column_does_not_matter():
    study = pd.DataFrame(
        [("m", "quiz_acc", None, None, 0.5, 0.4, 0.6, None)],
        columns=["model", "column", "task", "prompt", "value", "ci_low", "ci_high", "limit"],
    )
    (row,) = of_benchmarks(pd.DataFrame([{"quiz_acc": 0.5, "model": "m"}]), study)
    assert row["contained"] is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model\tmean\nm\t5\n", "no column judge_model, median, std"),
        ("model\tjudge_model\tmedian\tmean\tstd\nm\tg\t5\t5,0\t1\n", "column mean: '5,0' is not a number"),
        (
            "model\tjudge_model\tmedian\tmean\tstd\nn\tg\t5\t5\t1\n",
            "no model of the table is in the study",
        ),
    ],
)
def test_a_table_that_is_none_is_named_with_what_is_wrong(text, said, tmp_path):
    file = tmp_path / "scores.tsv"
    file.write_text(text)
    with pytest.raises(StudyError, match=re.escape(said)) as error:
        read_published(str(file), SCORES, SCORES[:2], {"m"})
    assert str(file) in str(error.value)


@pytest.fixture
def beside_the_toy(toy_copy: Path) -> Path:
    """The toy study with published tables: Table 2 as it came out, but for one number, and another judge."""
    ours = read_numbers(toy_copy / "results/toy/tables/benchmarks.tsv")
    ours.loc[ours.model == "linear", "pubmedqa_acc"] = 0.001
    ours.to_csv(toy_copy / "benchmarks.tsv", sep="\t", index=False)
    PUBLISHED.replace("m", "linear").to_csv(toy_copy / "scores.tsv", sep="\t", index=False)
    (toy_copy / "more.yaml").write_text(
        "study: {name: toy}\n"
        "published: {source: a paper, definition_scores: scores.tsv, benchmarks: benchmarks.tsv}\n"
    )
    snakemake(toy_copy, "--cores", "2", "--configfile", "more.yaml")
    return toy_copy / "results/toy"


def test_a_study_with_published_tables_shows_them(beside_the_toy):
    rows = read_numbers(beside_the_toy / "tables/published.tsv").set_index(["measure", "model"])
    assert set(rows.table) == {"benchmarks"}, "no judge of the study is the published one"
    assert len(rows) == 8 * 11
    assert str(rows.contained["pubmedqa_acc", "linear"]) == "False"
    assert rows.difference.drop(("pubmedqa_acc", "linear")).abs().max() < 1e-3
    page = (beside_the_toy / "report/index.html").read_text(encoding="utf-8")
    assert "Published in a paper." in page
    assert "Table 1: no judge of this study is, or is a substitute for, gpt-1" in page
    assert page.count('<td class="text">✗ no</td>') == 1


def test_the_papers_study_has_the_papers_tables():
    planned = snakemake(
        PROJECT, "-n", "results/paper/report/index.html", "--configfile", "config/paper.yaml"
    ).stdout
    assert "tables_published" in planned
