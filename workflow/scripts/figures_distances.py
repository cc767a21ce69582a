"""Heat maps of the distances between all models of the study: whole models and each layer group."""

import math
import textwrap

import numpy as np
import pandas as pd
from lexmerge.common.files import read_notes, read_numbers
from lexmerge.report.figures import save
from lexmerge.run.job import job
from lexmerge.statistics.distances import split_notes
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure


def matrix(table: pd.DataFrame, models: list[str], group: str) -> np.ndarray:
    """The distances of one layer group as a symmetric matrix: 0 on the diagonal, NaN if missing."""
    distances = np.full((len(models), len(models)), np.nan)
    np.fill_diagonal(distances, 0)
    for row in table[table.group == group].itertuples():
        a, b = models.index(row.model_a), models.index(row.model_b)
        distances[a, b] = distances[b, a] = row.distance
    return distances


def cells(axes: Axes, values: np.ndarray, most: float) -> QuadMesh:
    """Draw a matrix as coloured squares, in vector form, with the first row at the top."""
    edges = np.arange(len(values) + 1) - 0.5
    mesh = axes.pcolormesh(edges, edges, values, cmap="viridis", vmin=0, vmax=most)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    return mesh


def heat_maps(table: pd.DataFrame, models: list[str], unmeasured: str = "") -> Figure:
    """Draw the whole models with numbers, and below them the layer groups, on one colour scale.

    Args:
        table: The table statistics/distances.tsv.
        models: The names of the models, in the order of rows and columns.
        unmeasured: The names of the merges without distances, for a note at the bottom.
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
    large.set_title("whole model")
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
    scale = figure.colorbar(mesh, ax=large, label="distance (expert to generalist = 1)")
    scale.solids.set_rasterized(False)  # in vector form, so that the page embeds no bitmap
    if unmeasured:
        note = textwrap.fill(f"Not measured because their weights are not kept: {unmeasured}", 110)
        figure.supxlabel(note, fontsize=8)
    return figure


if __name__ == "__main__":
    with job(snakemake.log[0]):
        _, unmeasured = split_notes(read_notes(snakemake.input[0]))
        figure = heat_maps(read_numbers(snakemake.input[0]), snakemake.params.models, unmeasured)
        save(figure, **snakemake.output)
