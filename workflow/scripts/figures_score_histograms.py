"""The paper's Figure 1: histograms of the scores, a row for each model and a column for each judge."""

from lexmerge.common.files import read_jsonl
from lexmerge.report.figures import COLOURS, save
from lexmerge.run.job import job
from matplotlib.figure import Figure


def counts(scores: list[int | None]) -> list[int]:
    """Count the scores of each value from 0 to 10; missing scores are left out."""
    return [sum(score == value for score in scores) for value in range(11)]


def draw(
    models: list[str], judges: dict[str, str], scores: dict[tuple[str, str], list[int | None]]
) -> Figure:
    """Draw the histograms.

    Args:
        models: The names of the models.
        judges: The judges' titles by name.
        scores: The scores by (model, judge); None for a missing score.
    """
    size = (1.2 + 3.4 * len(judges), 0.9 + 1.05 * len(models))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(models), len(judges), sharex=True, sharey=True, squeeze=False)
    tallest = max(max(counts(values)) for values in scores.values())
    for row, model in zip(axes, models, strict=True):
        for axis, judge, colour in zip(row, judges, COLOURS * len(judges), strict=False):
            given = scores[model, judge]
            kept = [score for score in given if score is not None]
            axis.bar(range(11), counts(given), width=0.85, color=colour)
            if kept:
                mean = sum(kept) / len(kept)
                axis.axvline(mean, color="black", linewidth=0.9, linestyle=":")
                axis.set_title(f"mean {mean:.2f}", loc="right", fontsize=8, pad=1)
            axis.set(xticks=range(0, 11, 2), xlim=(-0.7, 10.7), ylim=(0, tallest * 1.15))
            axis.spines[["top", "right"]].set_visible(False)
        row[0].set_ylabel(model.replace("_", "\n"), rotation=0, ha="right", va="center")
    for axis, judge in zip(axes[0], judges, strict=True):
        axis.annotate(judges[judge], (0.5, 1.25), xycoords="axes fraction", ha="center", fontsize=10)
    figure.supxlabel("score, 0 to 10 (dotted: mean)", fontsize=9)
    figure.supylabel("number of definitions", fontsize=9)
    return figure


if __name__ == "__main__":
    with job(snakemake.log[0]):
        read = [[row["score"] for row in read_jsonl(file)] for file in snakemake.input]
        scores = dict(zip(map(tuple, snakemake.params.cells), read, strict=True))
        models = list(dict.fromkeys(model for model, _ in scores))
        save(draw(models, snakemake.params.judges, scores), **snakemake.output)
