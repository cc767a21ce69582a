"""The tables for papers: Markdown, and LaTeX with booktabs."""

import json
from pathlib import Path

import pandas as pd
from lexmerge.files import read_numbers, write_text
from lexmerge.harness import column, metrics, title
from lexmerge.jobs import job

MARK = "†"  # stands at what has a caveat


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


def of_benchmarks(scores: pd.DataFrame, titles: dict[str, str], doubtful: set) -> pd.DataFrame:
    """Table 2: a row a model, a column a task metric, with its interval."""
    whole = scores[scores.task.isna() & scores.prompt.isna()]
    rows: dict[str, dict] = {}
    for row in whole.itertuples():
        mark = MARK if ("benchmark", row.column, row.model) in doubtful else ""
        said = with_ends(row.value, row.ci_low, row.ci_high, 3) + mark
        rows.setdefault(row.model, {"model": row.model})[titles[row.column]] = said
    return pd.DataFrame(rows.values())


def of_verdicts(comparisons: pd.DataFrame, titles: dict[str, str]) -> pd.DataFrame:
    """A row a merge and parent, a column a measure: the verdict, and the difference with its interval."""
    rows: dict[tuple, dict] = {}
    for row in comparisons.itertuples():
        said = "–"
        if isinstance(row.verdict, str):
            digits = 2 if row.kind == "judge" else 3
            mark = "" if pd.isna(row.caveats) else MARK
            said = f"{row.verdict}{mark} {with_ends(row.mean_difference, row.ci_low, row.ci_high, digits)}"
        cells = rows.setdefault((row.baseline, row.model), {"beside": row.baseline, "merge": row.model})
        cells[titles.get(row.measure, row.measure)] = said
    return pd.DataFrame(rows.values()).fillna("–")


def markdown(table: pd.DataFrame) -> str:
    flat = table.copy()
    flat.columns = [" ".join(filter(None, c)) if isinstance(c, tuple) else c for c in table.columns]
    left = sum(name in ("model", "beside", "merge") for name in flat)
    align = ["left"] * left + ["right"] * (len(flat.columns) - left)
    return flat.to_markdown(index=False, disable_numparse=True, colalign=align) + "\n"


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    left = sum((c[-1] if isinstance(c, tuple) else c) in ("model", "beside", "merge") for c in table)
    return table.to_latex(
        index=False,
        escape=True,
        caption=caption,
        label=label,
        column_format="l" * left + "r" * (len(table.columns) - left),
        multicolumn_format="c",
        position="tbp",
    )


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, judges = snakemake.input, dict(snakemake.params.judges)
        suites = [json.loads(Path(file).read_text(encoding="utf-8")) for file in given.results]
        titles = {
            column(name, metric): title(results, name, metric)
            for results in suites
            for name, metric, _ in metrics(results)
        }
        validity = read_numbers(given.validity)
        affected = validity[validity.affected.astype(str) == "True"]
        doubtful = set(zip(affected.kind, affected.measure, affected.model.astype(str), strict=True))
        as_text = {"model": str}
        scores = read_numbers(given.definition_scores).astype(as_text)
        benchmarks = read_numbers(given.benchmark_scores).astype(as_text)
        comparisons = read_numbers(given.comparisons).astype(as_text)
        end = f"{MARK}: not to be set beside the others as it is; tables/validity.tsv says why."
        made = {
            "definition_scores": (
                of_scores(scores, judges, doubtful),
                f"Scores of the definitions, 0 to 10, with 95 \\% BCa bootstrap intervals. {end}",
            ),
            "benchmarks": (
                of_benchmarks(benchmarks, titles, doubtful),
                f"Benchmarks, with 95 \\% bootstrap intervals. {end}",
            ),
            "verdicts": (
                of_verdicts(comparisons, titles | judges),
                "Each merge beside each parent: verdict, and paired difference with its 95 \\% interval. "
                f"{MARK}: with caveats, which stand in statistics/comparisons.tsv.",
            ),
        }
        for name, (table, caption) in made.items():
            write_text(snakemake.output[f"{name}_md"], markdown(table))
            text = latex(table, caption.replace("_", "\\_"), f"tab:{name}")
            write_text(snakemake.output[f"{name}_tex"], text)
