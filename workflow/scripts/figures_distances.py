"""A heat map of the distances between all models of the study: the whole models, and each layer group."""

import math
import textwrap

import numpy as np
import pandas as pd
from lexmerge.common.files import read_notes, read_numbers
from lexmerge.report.figures import save
from lexmerge.run.job import job
from lexmerge.statistics.distances import split_notes
from matplotlib.figure import Figure


def matrix(table: pd.DataFrame, models: list[str], group: str) -> np.ndarray:
    """Distances as a symmetric table; 0 with oneself, NaN where there is none."""
    distances = np.full((len(models), len(models)), np.nan)
    np.fill_diagonal(distances, 0)
    for row in table[table.group == group].itertuples():
        a, b = models.index(row.model_a), models.index(row.model_b)
        distances[a, b] = distances[b, a] = row.distance
    return distances


def cells(axes, values: np.ndarray, most: float):
    """A square of colour for each value, as shapes and not as a picture; the first row is on top."""
    edges = np.arange(len(values) + 1) - 0.5
    mesh = axes.pcolormesh(edges, edges, values, cmap="viridis", vmin=0, vmax=most)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    return mesh


def heat_maps(table: pd.DataFrame, models: list[str], unmeasured: str = "") -> Figure:
    """The whole models in large with numbers, the layer groups in small, on one scale of colours.

    Below them, the names of merges that were not measured.
    """
    groups = [group for group in dict.fromkeys(table.group) if group != "whole"]
    groups.sort(key=lambda g: (g != "embeddings", g == "head", int(g.split()[-1]) if g[-1].isdigit() else 0))
    columns = min(6, max(3, len(groups)))
    rows = math.ceil(len(groups) / columns)
    figure = Figure(figsize=(10, 6 + 1.9 * rows), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=[6, 1.9 * rows])
    most = table.distance.max()
    large = figure.add_subplot(grid[0])
    whole = matrix(table, models, "whole")
    mesh = cells(large, whole, most)
    large.set_title("whole models")
    large.set_xticks(range(len(models)), models, rotation=45, ha="right")
    large.set_yticks(range(len(models)), models)
    for (y, x), value in np.ndenumerate(whole):
        if x != y and not math.isnan(value):
            shade = "white" if value < 0.6 * most else "black"
            large.text(x, y, f"{value:.2f}", ha="center", va="center", color=shade, fontsize=8)
    small = grid[1].subgridspec(rows, columns)
    for number, group in enumerate(groups):
        axes = figure.add_subplot(small[number // columns, number % columns])
        cells(axes, matrix(table, models, group), most)
        axes.set_title(group, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    scale = figure.colorbar(mesh, ax=large, label="distance; that of the expert and the generalist is 1")
    scale.solids.set_rasterized(False)  # shapes too, so that the page loads nothing
    if unmeasured:
        note = textwrap.fill(f"Not measured, since their weights are not kept: {unmeasured}", 110)
        figure.supxlabel(note, fontsize=8)
    return figure


if __name__ == "__main__":
    with job(snakemake.log[0]):
        _, unmeasured = split_notes(read_notes(snakemake.input[0]))
        figure = heat_maps(read_numbers(snakemake.input[0]), snakemake.params.models, unmeasured)
        save(figure, **snakemake.output)
