"""The tables for papers: Markdown, and LaTeX with booktabs."""

import re

import pandas as pd
from lexmerge.benchmarks.results import read_results, titles
from lexmerge.common.files import read_numbers, write_text
from lexmerge.run.job import job

MARK = "†"  # stands at what has a caveat
LEFT = ("model", "beside", "merge", "measure")  # columns of words


def number(value: float, digits: int) -> str:
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def with_ends(value: float, low: float, high: float, digits: int) -> str:
    """A number with its interval, as `0.52 [0.48, 0.56]`."""
    ends = "" if pd.isna(low) else f" [{number(low, digits)}, {number(high, digits)}]"
    return number(value, digits) + ends


def of_scores(scores: pd.DataFrame, judges: dict[str, str], doubtful: set) -> pd.DataFrame:
    """Table 1: a row a model; of each judge the median, the mean with its interval, and the spread."""
    rows = []
    for model, group in scores.groupby("model", sort=False):
        row: dict = {("", "model"): model}
        for mine in group.to_dict("records"):
            name = judges[mine["judge"]]
            mark = MARK if ("judge", mine["judge"], model) in doubtful else ""
            row[name, "median"] = number(mine["median"], 1)
            row[name, "mean [95 %]"] = with_ends(mine["mean"], mine["ci_low"], mine["ci_high"], 2) + mark
            row[name, "std"] = number(mine["std"], 2)
        rows.append(row)
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(rows[0]))


def of_benchmarks(scores: pd.DataFrame, names: dict[str, str], doubtful: set) -> pd.DataFrame:
    """Table 2: a row a model, a column a task metric, with its interval."""
    whole = scores[scores.task.isna() & scores.prompt.isna()]
    rows: dict[str, dict] = {}
    for row in whole.itertuples():
        mark = MARK if ("benchmark", row.column, row.model) in doubtful else ""
        cell = with_ends(row.value, row.ci_low, row.ci_high, 3) + mark
        rows.setdefault(row.model, {"model": row.model})[names[row.column]] = cell
    return pd.DataFrame(rows.values())


def of_verdicts(comparisons: pd.DataFrame, names: dict[str, str], ends: bool) -> pd.DataFrame:
    """A row a merge and parent, a column a measure: verdict and difference; with `ends`, its interval."""
    rows: dict[tuple, dict] = {}
    for row in comparisons.itertuples():
        cell = "–"
        if isinstance(row.verdict, str):
            digits = 2 if row.kind == "judge" else 3
            low, high = (row.ci_low, row.ci_high) if ends else (None, None)
            mark = "" if pd.isna(row.caveats) else MARK
            cell = f"{row.verdict}{mark} {with_ends(row.mean_difference, low, high, digits)}"
        cells = rows.setdefault((row.baseline, row.model), {"beside": row.baseline, "merge": row.model})
        cells[names.get(row.measure, row.measure)] = cell
    made = pd.DataFrame(rows.values()) if rows else pd.DataFrame(columns=["beside", "merge"])
    return made.fillna("–")


def turned(table: pd.DataFrame, first: str) -> pd.DataFrame:
    """Columns as rows, as a page is higher than wide; what stood in the first column heads them."""
    made = table.set_index(table.columns[0]).T.reset_index()
    made.columns = [first, *made.columns[1:]]
    return made


def in_two_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Each interval below its number, for a page that is narrow."""
    rows = []
    for row in table.itertuples(index=False):
        parts = [text.partition(" [") for text in row[1:]]
        rows.append([row[0], *(value + mark(end) for value, _, end in parts)])
        rows.append(["", *(between + end.rstrip(MARK) for _, between, end in parts)])
    return pd.DataFrame(rows, columns=table.columns)


def mark(text: str) -> str:
    return MARK if text.endswith(MARK) else ""


def markdown(table: pd.DataFrame) -> str:
    flat = table.copy()
    flat.columns = [" ".join(filter(None, c)) if isinstance(c, tuple) else c for c in table.columns]
    left = sum(name in LEFT for name in flat)
    align = ["left"] * left + ["right"] * (len(flat.columns) - left)
    text = flat.to_markdown(index=False, disable_numparse=True, colalign=align) + "\n"
    return f"{text}\n{MARK}: with caveats; tables/validity.tsv says which.\n" if MARK in text else text


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """A table of booktabs, made smaller where it is wider than the text (graphicx); `caption` is LaTeX."""
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
    return made.replace("–", "--").replace(MARK, "\\dag{}")  # whatever the font


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, judges = snakemake.input, dict(snakemake.params.judges)
        names = titles([read_results(file) for file in given.results])
        validity = read_numbers(given.validity)
        affected = validity[validity.affected.astype(str) == "True"]
        doubtful = set(zip(affected.kind, affected.measure, affected.model, strict=True))
        scores = of_scores(read_numbers(given.definition_scores), judges, doubtful)
        benchmarks = of_benchmarks(read_numbers(given.benchmark_scores), names, doubtful)
        comparisons = read_numbers(given.comparisons)
        explained = f"{MARK}: not to be set beside the others as it is; tables/validity.tsv says why."
        by_baseline = of_verdicts(comparisons, names | judges, ends=False).groupby("beside", sort=False)
        texts = {
            "definition_scores_md": markdown(scores),
            "definition_scores_tex": latex(
                scores,
                f"Scores of the definitions, 0 to 10, with 95\\% BCa bootstrap intervals. {explained}",
                "definition_scores",
            ),
            "benchmarks_md": markdown(benchmarks),
            "benchmarks_tex": latex(
                in_two_rows(turned(benchmarks, "measure")),
                f"Benchmarks, with 95\\% bootstrap intervals. {explained}",
                "benchmarks",
            ),
            "verdicts_md": markdown(of_verdicts(comparisons, names | judges, ends=True)),
            "verdicts_tex": "\n".join(
                latex(
                    turned(rows.drop(columns="beside"), "measure"),
                    f"Each merge beside {baseline}: verdict and paired difference. {MARK}: with caveats, "
                    "which stand in statistics/comparisons.tsv with all intervals.",
                    f"verdicts_{baseline}",
                )
                for baseline, rows in by_baseline
            ),
        }
        for name, text in texts.items():
            write_text(snakemake.output[name], text)
