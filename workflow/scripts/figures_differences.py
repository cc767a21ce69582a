"""A forest plot of the differences between merges and parents, with intervals."""

import math

import pandas as pd
from lexmerge.benchmarks.results import read_results, titles
from lexmerge.common.files import read_numbers
from lexmerge.report.figures import COLOURS, save
from lexmerge.run.job import job
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MARKS = ("o", "s")
DOUBTFUL = 0.35  # opacity of comparisons with caveats


def forest(table: pd.DataFrame, names: dict[str, str]) -> Figure:
    """Draw the plot.

    Args:
        table: The table statistics/comparisons.tsv.
        names: The measures' titles by name.

    Returns:
        A panel for each measure with a line for each merge and, on it, a mark with a 95 % interval for each
        parent.
    """
    if table.empty:
        figure = Figure(figsize=(4, 1))
        figure.text(0.5, 0.5, "no comparisons", ha="center", va="center")
        return figure
    measures = list(dict.fromkeys(table.measure))
    merges, baselines = list(dict.fromkeys(table.model)), list(dict.fromkeys(table.baseline))
    columns = min(3, len(measures))
    rows = math.ceil(len(measures) / columns)
    figure = Figure(
        figsize=(1.6 + 2.9 * columns, 0.8 + rows * (0.75 + 0.34 * len(merges))), layout="constrained"
    )
    places = list(figure.subplots(rows, columns, sharey=True, squeeze=False).flat)
    for axes, measure in zip(places, measures, strict=False):
        panel(axes, table[table.measure == measure], merges, baselines)
        axes.set_title(names.get(measure, measure), fontsize=9)
    for axes in places[len(measures) :]:
        axes.set_axis_off()
    # Collected over all panels, since one without any comparison with a parent lacks its mark.
    shown = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        shown.values(),
        shown.keys(),
        loc="outside lower center",
        ncols=min(len(shown), 2 * columns),  # a single panel is as wide as two of its entries
        frameon=False,
        fontsize=8,
    )
    return figure


def panel(axes: Axes, table: pd.DataFrame, merges: list[str], baselines: list[str]) -> None:
    """Draw one measure."""
    margin = table.margin.iloc[0]
    axes.axvspan(-margin, margin, color="0.92", linewidth=0, label="equivalence margin")
    axes.axvline(0, color="0.4", linewidth=0.8)
    for number, baseline in enumerate(baselines):
        shift = 0.3 * (number - (len(baselines) - 1) / 2)
        for row in table[table.baseline == baseline].itertuples():
            if pd.isna(row.mean_difference):
                continue
            known = not pd.isna(row.ci_low)
            ends = [[row.mean_difference - row.ci_low], [row.ci_high - row.mean_difference]]
            axes.errorbar(
                row.mean_difference,
                merges.index(row.model) + shift,
                xerr=[[max(0, end[0])] for end in ends] if known else None,
                fmt=MARKS[number % len(MARKS)],
                markersize=4,
                linewidth=1.2,
                color=COLOURS[number % len(COLOURS)],
                alpha=1 if pd.isna(row.caveats) else DOUBTFUL,
            )
        axes.plot(
            [],
            [],
            MARKS[number % len(MARKS)],
            markersize=4,
            color=COLOURS[number % len(COLOURS)],
            label=f"merge minus {baseline}",
        )
    if table.caveats.notna().any():
        axes.plot([], [], "o", markersize=4, color="0.2", alpha=DOUBTFUL, label="pale: with caveats")
    axes.set_yticks(range(len(merges)), merges)
    axes.set_ylim(len(merges) - 0.4, -0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("points" if table.kind.iloc[0] == "judge" else "", fontsize=8)
    axes.tick_params(labelsize=8)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        suites = [read_results(file) for file in snakemake.input.results]
        names = titles(suites) | dict(snakemake.params.judges)
        save(forest(read_numbers(snakemake.input.comparisons), names), **snakemake.output)
