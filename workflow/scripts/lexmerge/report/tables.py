"""The tables of the report, in the shape that its template shows them in."""

from collections.abc import Iterable

import pandas as pd

from lexmerge.benchmarks.results import column, is_limited, metrics, size, titles


def scores_by_model(scores: pd.DataFrame, judges: dict[str, str]) -> list[dict]:
    """Arrange Table 1 as the paper has it: a row for each model, a group of cells for each judge.

    Args:
        scores: The table of the definitions' scores, a row for each model and judge.
        judges: The judges' titles by name, in the order of the cells.

    Returns:
        For each model its name, and under `judges` the row of each judge.
    """
    return [
        {
            "model": model,
            "judges": [group[group.judge == judge].iloc[0].to_dict() for judge in judges],
        }
        for model, group in scores.groupby("model", sort=False)
    ]


def benchmark_columns(suites: list[dict]) -> list[dict]:
    """Describe the columns of Table 2.

    Args:
        suites: One model's results of every suite.

    Returns:
        For each column its `name`, its `title`, the number `n` of its documents, and whether it is `limited`
        to the first of them.
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
    """Write the intervals of Table 2.

    Args:
        scores: The table of benchmark scores with their intervals.

    Returns:
        By (model, column) its interval as it is shown; empty when there is none.
    """
    whole = scores[scores.task.isna() & scores.prompt.isna()].itertuples()
    return {
        (row.model, row.column): "" if pd.isna(row.ci_low) else f"{row.ci_low:.3f} to {row.ci_high:.3f}"
        for row in whole
    }


def split_caveats(comparisons: list[dict]) -> list[dict]:
    """Make a comparison's caveats a list, and a missing verdict an empty text.

    Args:
        comparisons: The rows of the table of comparisons.

    Returns:
        New rows.
    """
    return [
        {
            **row,
            "verdict": row["verdict"] if isinstance(row["verdict"], str) else "",
            "caveats": row["caveats"].split("; ") if isinstance(row["caveats"], str) else [],
        }
        for row in comparisons
    ]


def verdicts(comparisons: list[dict]) -> dict[str, dict[str, dict[str, dict]]]:
    """Group the comparisons by baseline, merge and measure.

    Args:
        comparisons: What `split_caveats` returned.

    Returns:
        The rows, by the parent that a merge is compared with, the merge, and the measure.
    """
    grouped: dict[str, dict[str, dict[str, dict]]] = {}
    for row in comparisons:
        grouped.setdefault(row["baseline"], {}).setdefault(row["model"], {})[row["measure"]] = row
    return grouped


def affected_cells(validity: pd.DataFrame) -> dict[tuple[str, str, str], list[str]]:
    """Collect the reasons why cells of the tables are grey.

    Args:
        validity: The table of validity checks.

    Returns:
        The reasons by (kind, measure, model), for the cells that are affected.
    """
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for row in validity[validity.affected.astype(str) == "True"].itertuples():
        reasons.setdefault((row.kind, row.measure, str(row.model)), []).append(row.why)
    return reasons


def numbered(reasons: Iterable[list[str]]) -> dict[str, int]:
    """Number the reasons of several cells.

    Args:
        reasons: The reasons of each cell.

    Returns:
        The number of each reason, from 1 in the order in which they first appear.
    """
    return {why: n for n, why in enumerate(dict.fromkeys(w for some in reasons for w in some), 1)}


def numbers(notes: dict[str, int], reasons: list[str]) -> str:
    """Write the numbers of a cell's reasons, as they stand in it.

    Args:
        notes: What `numbered` returned.
        reasons: The reasons of the cell.

    Returns:
        The numbers in ascending order, separated by blanks.
    """
    return " ".join(map(str, sorted(notes[why] for why in reasons)))


def by_group(transfer: pd.DataFrame) -> dict[str, dict[str, list[dict]]]:
    """Group what moved across languages by judge and by kind of group of terms.

    Args:
        transfer: The table statistics/transfer.tsv.

    Returns:
        The rows by judge and group.
    """
    grouped: dict[str, dict[str, list[dict]]] = {}
    for row in transfer.to_dict("records"):
        grouped.setdefault(row["judge"], {}).setdefault(row["group"], []).append(row)
    return grouped
