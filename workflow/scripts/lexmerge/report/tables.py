"""The tables of the report, arranged for its template."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from lexmerge.benchmarks.results import column, is_limited, metrics, size, titles
from lexmerge.benchmarks.rows import Results
from lexmerge.statistics.rows import Comparison


def scores_by_model(scores: pd.DataFrame, judges: dict[str, str]) -> list[dict[str, Any]]:
    """Arrange Table 1 as in the paper: a row for each model, a group of cells for each judge.

    Args:
        scores: The table tables/definition_scores.tsv, a row for each model and judge.
        judges: The judges' titles by name, in the order of the cells.

    Returns:
        For each model its name, as `model`, and the row of each judge, as `judges`.
    """
    return [
        {
            "model": model,
            "judges": [group[group.judge == judge].iloc[0].to_dict() for judge in judges],
        }
        for model, group in scores.groupby("model", sort=False)
    ]


def benchmark_columns(suites: list[Results]) -> list[dict[str, Any]]:
    """Describe the columns of Table 2.

    Args:
        suites: One model's results of every suite.

    Returns:
        For each column its `name`, its `title`, the number `n` of documents that were run, and whether these
        are only the first documents (`limited`).
    """
    named = titles(suites)
    return [
        {
            "name": column(name, metric),
            "title": named[column(name, metric)],
            "n": size(results, name),
            "limited": is_limited(results, name),
        }
        for results in suites
        for name, metric, _ in metrics(results)
    ]


def intervals(scores: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Format the intervals of Table 2.

    Args:
        scores: The table tables/benchmark_scores.tsv.

    Returns:
        The interval by (model, column); empty when there is none.
    """
    whole = scores[scores.task.isna() & scores.prompt.isna()].to_dict("records")
    return {
        (row["model"], row["column"]): ""
        if pd.isna(row["ci_low"])
        else f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"
        for row in whole
    }


def split_caveats(comparisons: list[Comparison]) -> list[dict[str, Any]]:
    """Copy comparisons with their caveats as a list and a missing verdict as an empty string.

    Args:
        comparisons: The rows of statistics/comparisons.tsv; an empty cell is NaN.

    Returns:
        New rows, otherwise with the same fields.
    """
    return [
        {
            **row,
            "verdict": row["verdict"] if isinstance(row["verdict"], str) else "",
            "caveats": row["caveats"].split("; ") if isinstance(row["caveats"], str) else [],
        }
        for row in comparisons
    ]


def verdicts(comparisons: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Group the comparisons by baseline, merge and measure.

    Args:
        comparisons: The rows that `split_caveats` returned.

    Returns:
        `{baseline: {merge: {measure: row}}}`.
    """
    grouped: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for row in comparisons:
        grouped.setdefault(row["baseline"], {}).setdefault(row["model"], {})[row["measure"]] = row
    return grouped


def affected_cells(validity: pd.DataFrame) -> dict[tuple[str, str, str], list[str]]:
    """Collect the reasons for the grey cells of the tables.

    Args:
        validity: The table tables/validity.tsv.

    Returns:
        The reasons by (kind, measure, model), for affected cells only.
    """
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for row in validity[validity.affected.astype(str) == "True"].to_dict("records"):
        reasons.setdefault((row["kind"], row["measure"], str(row["model"])), []).append(row["why"])
    return reasons


def numbered(reasons: Iterable[list[str]]) -> dict[str, int]:
    """Number the distinct reasons of several cells.

    Args:
        reasons: The reasons of each cell.

    Returns:
        The number of each reason, from 1, in order of first appearance.
    """
    return {why: n for n, why in enumerate(dict.fromkeys(w for some in reasons for w in some), 1)}


def numbers(notes: dict[str, int], reasons: list[str]) -> str:
    """Format the numbers of a cell's reasons, as printed in the cell.

    Args:
        notes: The number of each reason, from `numbered`.
        reasons: The reasons of the cell.

    Returns:
        The numbers in ascending order, separated by spaces.
    """
    return " ".join(map(str, sorted(notes[why] for why in reasons)))


def by_group(transfer: pd.DataFrame) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Group the rows of statistics/transfer.tsv by judge and kind of group of terms.

    Args:
        transfer: The table.

    Returns:
        `{judge: {group: rows}}`.
    """
    grouped: dict[str, dict[str, list[dict[str, Any]]]] = {}
    rows: list[dict[Any, Any]] = transfer.to_dict("records")
    for row in rows:
        grouped.setdefault(row["judge"], {}).setdefault(row["group"], []).append(row)
    return grouped
