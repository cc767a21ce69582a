"""Tables for papers say what the TSV says; figures have the fonts that they need."""

import re
import shutil
import subprocess

import pandas as pd
import pytest
from figures_differences import forest
from lexmerge.benchmarks.results import titles
from lexmerge.common.files import read_numbers
from lexmerge.report.figures import save
from tables_typeset import in_two_rows, latex, markdown, of_scores, of_verdicts

SCORES = pd.DataFrame(
    [
        ("a_b", "j", 6.0, 5.25, 3.0, 5.0, 5.5),
        ("c", "j", float("nan"), float("nan"), float("nan"), None, None),
    ],
    columns=["model", "judge", "median", "mean", "std", "ci_low", "ci_high"],
)
TITLES = {"j": "50 % & more_so"}


def test_markdown_by_hand():
    made = markdown(of_scores(SCORES, TITLES, {("judge", "j", "a_b")})).splitlines()
    assert [cell.strip() for cell in made[2].strip("|").split("|")] == [
        "a_b",
        "6.0",
        "5.25 [5.00, 5.50]†",
        "3.00",
    ]
    assert [cell.strip() for cell in made[3].strip("|").split("|")] == ["c", "–", "–", "–"]


def test_an_interval_may_stand_below_its_number():
    table = pd.DataFrame(
        {"measure": ["acc", "f1"], "m": ["0.500 [0.400, 0.600]†", "–"], "n": ["0.1†", "0.2"]}
    )
    assert in_two_rows(table).to_numpy().tolist() == [
        ["acc", "0.500†", "0.1†"],
        ["", " [0.400, 0.600]", ""],
        ["f1", "–", "0.2"],
        ["", "", ""],
    ]


def test_latex_has_booktabs_and_escapes_what_latex_would_read():
    made = latex(of_scores(SCORES, TITLES, set()), "A caption", "tab:x")
    for part in (
        "\\toprule",
        "\\midrule",
        "\\bottomrule",
        "\\multicolumn{3}{c}{50 \\% \\& more\\_so}",
        "a\\_b",
    ):
        assert part in made
    assert "\\caption{A caption}" in made


@pytest.mark.parametrize("table", ["definition_scores", "benchmarks", "verdicts"])
def test_the_toy_studys_tables_are_typeset_with_every_number(toy, table):
    text = (toy / f"tables/{table}.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines()[2:] if line.startswith("|")]
    assert len(rows) == (12 if table == "verdicts" else 8)
    if table == "benchmarks":
        for row in read_numbers(toy / "tables/benchmarks.tsv").to_dict("records"):
            line = next(line for line in rows if f"| {row['model']} " in line)
            shown = [cell.split()[0].rstrip("†") for cell in line.strip("|").split("|")][1:]
            values = [value for key, value in row.items() if key != "model"]
            assert shown == ["–" if pd.isna(v) else f"{v:.3f}" for v in values]


def test_latex_is_content_with_the_toy_studys_tables(toy, tmp_path):
    program = shutil.which("xelatex") or shutil.which("lualatex") or shutil.which("pdflatex")
    if program is None:
        pytest.skip("no LaTeX here (xelatex, lualatex or pdflatex)")
    tables = "".join(
        f"\\input{{{toy}/tables/{t}.tex}}\n" for t in ("definition_scores", "benchmarks", "verdicts")
    )
    head = "\\documentclass{article}\\usepackage{booktabs,graphicx}"
    document = f"{head}\\begin{{document}}{tables}\\end{{document}}"
    (tmp_path / "t.tex").write_text(document)
    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", "t.tex"], cwd=tmp_path, capture_output=True
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-2000:]
    assert "Overfull \\hbox" not in said, "no table is wider than the page"


def comparisons(caveat: str | None) -> pd.DataFrame:
    return pd.DataFrame(
        [("judge", "j", "ties", "base", 0.5, 0.2, 0.8, 0.25, caveat)],
        columns=[
            "kind",
            "measure",
            "model",
            "baseline",
            "mean_difference",
            "ci_low",
            "ci_high",
            "margin",
            "caveats",
        ],
    )


def test_a_figure_shows_japanese_wherever_it_is_drawn(tmp_path, recwarn):
    """In the PDF the glyphs are there, in a font that is embedded; no glyph is missing anywhere."""
    figure = forest(comparisons(None), {"j": "医療の判定"})
    save(figure, **{kind: str(tmp_path / f"f.{kind}") for kind in ("svg", "png", "pdf")})
    assert [str(w.message) for w in recwarn if "missing from font" in str(w.message)] == []
    assert "医療の判定" in (tmp_path / "f.svg").read_text(encoding="utf-8")
    pdf = (tmp_path / "f.pdf").read_bytes()
    assert re.search(rb"/BaseFont /\w*\+?IPAexGothic", pdf)
    assert b"/FontFile2" in pdf


def test_a_study_without_merges_has_its_files_too(tmp_path):
    none = comparisons(None).iloc[:0]
    save(forest(none, {}), **{kind: str(tmp_path / f"f.{kind}") for kind in ("svg", "png", "pdf")})
    assert "no comparisons" in (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert markdown(of_verdicts(none, {}, ends=True)).startswith("| parent")


def test_a_dollar_in_a_name_is_a_dollar(tmp_path):
    save(
        forest(comparisons(None), {"j": "a$_$b $\\x$"}),
        **{k: str(tmp_path / f"f.{k}") for k in ("svg", "png", "pdf")},
    )


def test_columns_with_one_title_are_told_apart():
    def suite(name):
        shown = {"configs": {name: {"task_alias": "law"}}, "results": {name: {"acc,none": 1}}}
        return {"columns": [name], "groups": {}, **shown}

    assert titles([suite("a"), suite("b")]) == {"a_acc": "law acc (a)", "b_acc": "law acc (b)"}
    assert titles([suite("a")]) == {"a_acc": "law acc"}


def test_the_same_figure_is_the_same_bytes(tmp_path):
    for k in (1, 2):
        save(
            forest(comparisons(None), {}),
            **{kind: str(tmp_path / f"{k}.{kind}") for kind in ("svg", "png", "pdf")},
        )
    for kind in ("svg", "png", "pdf"):
        assert (tmp_path / f"1.{kind}").read_bytes() == (tmp_path / f"2.{kind}").read_bytes()


def test_a_forest_plot_shows_each_interval_where_it_is():
    axes = forest(comparisons("cut"), {}).axes[0]
    bars = axes.containers[0]
    (segment,) = bars[2][0].get_segments()
    assert segment[:, 0].tolist() == [0.2, 0.8]
    assert bars[0].get_xdata().tolist() == [0.5]
    assert bars[0].get_alpha() < 1, "what has caveats is pale"
