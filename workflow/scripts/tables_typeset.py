"""The tables for papers: Markdown, and LaTeX with booktabs."""

import re
from typing import Any

import pandas as pd
from lexmerge.benchmarks.results import read_results, titles
from lexmerge.common.files import read_numbers, write_text
from lexmerge.run.job import job

MARK = "†"  # marks cells with caveats
NOTE = f"{MARK}: not directly comparable; reasons in tables/validity.tsv."
LEFT = ("model", "parent", "merge", "measure")  # left-aligned columns of text
Cells = set[tuple[str, str, str]]  # (kind, measure, model)


def number(value: float, digits: int) -> str:
    """Format a number; a missing one is a dash."""
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def with_ends(value: float, low: float, high: float, digits: int) -> str:
    """Format a number with its interval, as `0.52 [0.48, 0.56]`."""
    ends = "" if pd.isna(low) else f" [{number(low, digits)}, {number(high, digits)}]"
    return number(value, digits) + ends


def of_scores(scores: pd.DataFrame, judges: dict[str, str], doubtful: Cells) -> pd.DataFrame:
    """Table 1: a row for each model; for each judge the median, the mean with its interval, and the SD.

    Args:
        scores: The table tables/definition_scores.tsv.
        judges: The judges' titles by name.
        doubtful: The cells with caveats.
    """
    rows = []
    for model, group in scores.groupby("model", sort=False):
        row: dict[tuple[str, str], Any] = {("", "model"): model}
        for mine in group.to_dict("records"):
            name = judges[mine["judge"]]
            mark = MARK if ("judge", mine["judge"], model) in doubtful else ""
            row[name, "median"] = number(mine["median"], 1)
            row[name, "mean [95% CI]"] = with_ends(mine["mean"], mine["ci_low"], mine["ci_high"], 2) + mark
            row[name, "std"] = number(mine["std"], 2)
        rows.append(row)
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(rows[0]))


def of_benchmarks(scores: pd.DataFrame, names: dict[str, str], doubtful: Cells) -> pd.DataFrame:
    """Table 2: a row for each model, a column for each task metric, with intervals.

    Args:
        scores: The table tables/benchmark_scores.tsv.
        names: The columns' titles by name.
        doubtful: The cells with caveats.
    """
    whole = scores[scores.task.isna() & scores.prompt.isna()]
    rows: dict[str, dict[str, str]] = {}
    for row in whole.itertuples():
        mark = MARK if ("benchmark", row.column, row.model) in doubtful else ""
        cell = with_ends(row.value, row.ci_low, row.ci_high, 3) + mark
        rows.setdefault(row.model, {"model": row.model})[names[row.column]] = cell
    return pd.DataFrame(rows.values())


def of_verdicts(comparisons: pd.DataFrame, names: dict[str, str], ends: bool) -> pd.DataFrame:
    """The verdicts: a row for each merge and parent, a column for each measure.

    Args:
        comparisons: The table statistics/comparisons.tsv.
        names: The measures' titles by name.
        ends: Whether cells show the interval after the verdict and the difference.
    """
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in comparisons.itertuples():
        cell = "–"
        if isinstance(row.verdict, str):
            digits = 2 if row.kind == "judge" else 3
            low, high = (row.ci_low, row.ci_high) if ends else (None, None)
            mark = "" if pd.isna(row.caveats) else MARK
            cell = f"{row.verdict}{mark} {with_ends(row.mean_difference, low, high, digits)}"
        cells = rows.setdefault((row.baseline, row.model), {"parent": row.baseline, "merge": row.model})
        cells[names.get(row.measure, row.measure)] = cell
    made = pd.DataFrame(rows.values()) if rows else pd.DataFrame(columns=["parent", "merge"])
    return made.fillna("–")


def turned(table: pd.DataFrame, first: str) -> pd.DataFrame:
    """Transpose a table for portrait pages; the first column becomes the header after `first`."""
    made = table.set_index(table.columns[0]).T.reset_index()
    made.columns = [first, *made.columns[1:]]
    return made


def in_two_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Move each interval into a row below its number, for narrow pages."""
    rows = []
    for row in table.itertuples(index=False):
        parts = [text.partition(" [") for text in row[1:]]
        rows.append([row[0], *(value + mark(end) for value, _, end in parts)])
        rows.append(["", *(between + end.rstrip(MARK) for _, between, end in parts)])
    return pd.DataFrame(rows, columns=table.columns)


def mark(text: str) -> str:
    """The mark at the end of a cell, if it has one."""
    return MARK if text.endswith(MARK) else ""


def markdown(table: pd.DataFrame) -> str:
    """Format a table in Markdown, with a footnote if a cell is marked."""
    flat = table.copy()
    flat.columns = [" ".join(filter(None, c)) if isinstance(c, tuple) else c for c in table.columns]
    left = sum(name in LEFT for name in flat)
    align = ["left"] * left + ["right"] * (len(flat.columns) - left)
    text = flat.to_markdown(index=False, disable_numparse=True, colalign=align) + "\n"
    return f"{text}\n{NOTE}\n" if MARK in text else text


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """Format a table in LaTeX with booktabs, scaled down (graphicx) if it is wider than the text.

    Args:
        table: The table; its cells are escaped.
        caption: The caption in LaTeX; only its underscores are escaped.
        label: The label, without `tab:`.
    """
    left = sum((c[-1] if isinstance(c, tuple) else c) in LEFT for c in table)
    made = table.to_latex(
        index=False,
        escape=True,
        caption=caption.replace("_", "\\_"),
        label=f"tab:{label}",
        column_format="l" * left + "r" * (len(table.columns) - left),
        multicolumn_format="c",
        position="tbp",
    )
    fit = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
    made = made.replace("\\begin{tabular}", f"{fit}\\begin{{tabular}}")
    made = made.replace("\\end{tabular}\n", "\\end{tabular}}\n")
    made = re.sub(r"(?<=[ \[])-(?=\d)", "$-$", made)
    return made.replace("–", "--").replace(MARK, "\\dag{}")  # independent of the font


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, judges = snakemake.input, dict(snakemake.params.judges)
        names = titles([read_results(file) for file in given.results])
        validity = read_numbers(given.validity)
        affected = validity[validity.affected.astype(str) == "True"]
        doubtful = set(zip(affected.kind, affected.measure, affected.model, strict=True))
        texts = {}
        if given.definition_scores:
            scores = of_scores(read_numbers(given.definition_scores), judges, doubtful)
            texts["definition_scores_md"] = markdown(scores)
            texts["definition_scores_tex"] = latex(
                scores,
                f"Definition scores (0 to 10) with 95\\% BCa bootstrap intervals. {NOTE}",
                "definition_scores",
            )
        if given.benchmark_scores:
            benchmarks = of_benchmarks(read_numbers(given.benchmark_scores), names, doubtful)
            texts["benchmarks_md"] = markdown(benchmarks)
            texts["benchmarks_tex"] = latex(
                in_two_rows(turned(benchmarks, "measure")),
                f"Benchmark scores with 95\\% bootstrap intervals. {NOTE}",
                "benchmarks",
            )
        if given.comparisons:
            comparisons = read_numbers(given.comparisons)
            by_baseline = of_verdicts(comparisons, names | judges, ends=False).groupby("parent", sort=False)
            texts["verdicts_md"] = markdown(of_verdicts(comparisons, names | judges, ends=True))
            texts["verdicts_tex"] = "\n".join(
                latex(
                    turned(rows.drop(columns="parent"), "measure"),
                    f"Each merge compared with {baseline}: verdict and paired difference. {MARK}: with "
                    "caveats; these and all intervals are in statistics/comparisons.tsv.",
                    f"verdicts_{baseline}",
                )
                for baseline, rows in by_baseline
            )
        for name, text in texts.items():
            write_text(snakemake.output[name], text)
