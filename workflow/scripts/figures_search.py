"""A search's candidate scores, the Pareto front of two objectives, and the values found by layer group."""

from collections.abc import Collection
from typing import Any

import matplotlib
import pandas as pd
from lexmerge.common.files import read_jsonl, read_numbers
from lexmerge.report.figures import save
from lexmerge.run.job import job
from lexmerge.search.history import best, by_seed, front
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

COLOURS = matplotlib.color_sequences["tab10"]


def draw(
    histories: dict[int, list[dict[str, Any]]], parameters: pd.DataFrame, objectives: list[str]
) -> Figure:
    """Draw one search.

    Args:
        histories: The rows of every candidate, by seed.
        parameters: The search's rows of tables/search_parameters.tsv.
        objectives: The names of the objectives, one or two.
    """
    names = list(dict.fromkeys(parameters.parameter))
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(10, 4 + 2.1 * rows), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[4, 2.1 * rows])
    axes = above.subplots(1, len(objectives) + (len(objectives) > 1), squeeze=False)[0]
    for number, objective in enumerate(objectives):
        scores(axes[number], histories, number, objective)
    if len(objectives) > 1:
        trade(axes[-1], histories, objectives)
    grid = list(below.subplots(rows, columns, squeeze=False).flat)
    for name, place in zip(names, grid, strict=False):
        values(place, name, parameters[parameters.parameter == name], list(histories))
    for place in grid[len(names) :]:
        place.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    below.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def scores(axes: Axes, histories: dict[int, list[dict[str, Any]]], number: int, objective: str) -> None:
    """Draw every candidate's score by generation and the best so far; failed ones are at the bottom."""
    for colour, (seed, history) in zip(_colours(histories), histories.items(), strict=True):
        scored = [row for row in history if row["status"] == "ok"]
        shift = 0.12 * (list(histories).index(seed) - (len(histories) - 1) / 2)
        axes.scatter(
            [row["generation"] + shift for row in scored],
            [row["score"][number] for row in scored],
            s=12,
            alpha=0.45,
            color=colour,
            linewidths=0,
        )
        last = history[-1]["generation"]
        so_far = [
            max(row["score"][number] for row in scored if row["generation"] <= generation)
            for generation in range(last + 1)
        ]
        axes.step(range(last + 1), so_far, where="post", color=colour, label=f"seed {seed}, best so far")
    failed = [row["generation"] for history in histories.values() for row in history if row["status"] != "ok"]
    if failed:
        axes.scatter(
            failed, [axes.get_ylim()[0]] * len(failed), marker="x", s=18, color="black", label="failed"
        )
    axes.set_xlabel("generation")
    axes.set_ylabel(f"{objective} on search documents")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="lower right")


def trade(axes: Axes, histories: dict[int, list[dict[str, Any]]], objectives: list[str]) -> None:
    """Draw one objective against the other, with the Pareto front of all seeds and a ring at the winner."""
    rows = [row for history in histories.values() for row in history if row["status"] == "ok"]
    axes.scatter(
        *zip(*(row["score"] for row in rows), strict=True), s=12, alpha=0.4, color="grey", linewidths=0
    )
    ahead = sorted(front([tuple(row["score"]) for row in rows]), key=lambda k: rows[k]["score"])
    axes.plot(
        *zip(*(rows[k]["score"] for k in ahead), strict=True),
        "o-",
        ms=4,
        color=COLOURS[0],
        label="Pareto front",
    )
    axes.plot(*rows[0]["score"], "s", ms=6, color="black", label="start")
    axes.plot(*best(rows)["score"], "o", ms=10, mfc="none", color=COLOURS[3], label="chosen")
    axes.set_xlabel(objectives[0])
    axes.set_ylabel(objectives[1])
    axes.legend(frameon=False)


def values(axes: Axes, name: str, table: pd.DataFrame, seeds: list[int]) -> None:
    """Draw the values found for a placeholder by block of layers, with its start and published values."""
    axes.plot(table.block, table.start, "--", color="grey", lw=1, label="start")
    for colour, seed in zip(_colours(seeds), seeds, strict=True):
        axes.plot(table.block, table[f"seed_{seed}"], "o-", ms=4, color=colour, label=f"seed {seed}")
    if table.published.notna().any():
        axes.plot(table.block, table.published, "s:", ms=5, color="black", label="published")
    low, high = table.low.iloc[0], table.high.iloc[0]
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.set_title(name, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layer block" if len(table) > 1 else "all layers")


def _colours(items: Collection[Any]) -> list[Any]:
    """One colour for each item."""
    return [COLOURS[number % len(COLOURS)] for number in range(len(items))]


if __name__ == "__main__":
    with job(snakemake.log[0]):
        histories = by_seed(snakemake.input.histories, read_jsonl)
        table = read_numbers(snakemake.input.parameters)
        table = table[table["merge"].astype(str) == snakemake.wildcards.merge]
        figure = draw(histories, table, list(snakemake.params.search["objectives"]))
        save(figure, **snakemake.output)
