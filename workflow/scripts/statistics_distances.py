"""How far all models of the study are from each other, by layer group, and which are one and the same."""

import itertools
from pathlib import Path

import pandas as pd
import torch
from lexmerge.common.files import write_tsv
from lexmerge.merges.checkpoint_pool import checkpoint
from lexmerge.merges.geometry import apart, cosine, gram
from lexmerge.models.checkpoints import Weights, group_of
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job
from lexmerge.statistics.distance_notes import unmeasured_notes
from tqdm import tqdm

COLUMNS = ["model_a", "model_b", "group", "cosine", "distance", "same_weights"]


def distances(folders: dict[str, str], scale: tuple[str, str]) -> pd.DataFrame:
    """One row a pair of models and layer group, and one for the `whole` model.

    `distance` is the norm of the difference over that of the two models in `scale`, for which it is 1: an
    absolute one would say nothing. Pairs that have no tensor of a group in common have no row.
    """
    models = {name: Weights(folder) for name, folder in folders.items()}
    names = list(dict.fromkeys(tensor for weights in models.values() for tensor in weights))
    sums: dict[tuple[str, str, str], torch.Tensor] = {}
    same: dict[tuple[str, str], bool] = {}
    for tensor in tqdm(names, unit="tensor", mininterval=2):
        shapes: dict[torch.Size, dict[str, torch.Tensor]] = {}
        for name, weights in models.items():
            if tensor in weights:
                found = weights[tensor]
                shapes.setdefault(found.shape, {})[name] = found
        for having in shapes.values():
            products = gram(list(having.values()))
            for (i, one), (j, two) in itertools.combinations(enumerate(having), 2):
                pair = products[[i, j]][:, [i, j]]
                same[one, two] = same.get((one, two), True) and torch.equal(having[one], having[two])
                for group in (group_of(tensor), "whole"):
                    sums[one, two, group] = sums.get((one, two, group), 0) + pair
    rows = []
    for (one, two, group), products in sums.items():
        scaled = sums.get((*scale, group), sums.get((*scale[::-1], group)))
        unit = apart(scaled, 0, 1) if scaled is not None else 0
        distance = apart(products, 0, 1) / unit if unit else None
        rows.append((one, two, group, cosine(products, 0, 1), distance, same[one, two]))
    return pd.DataFrame(rows, columns=COLUMNS).round({"cosine": 6, "distance": 4})


def too_near(table: pd.DataFrame, same_below: float) -> list[str]:
    """The pairs that are one model, or nearly: a sentence each."""
    whole = table[(table.group == "whole") & (table.same_weights | (table.distance < same_below))]
    return [
        f"{row.model_a} and {row.model_b} "
        + (
            "are the same model, weight for weight"
            if row.same_weights
            else f"are nearly one ({row.distance:.4f})"
        )
        for row in whole.itertuples()
    ]


if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
        folders = {
            n: str(Path(f).parent) for n, f in zip(snakemake.params.models, snakemake.input, strict=True)
        }
        for folder in folders.values():  # what is read here is kept, so none is removed for another
            with checkpoint(folder):
                pass
        table = distances(folders, tuple(snakemake.params.scale))
        near = too_near(table, snakemake.params.same_below)
        print("\n".join(near))
        write_tsv(snakemake.output[0], table, near + unmeasured_notes(snakemake.params.get("unmeasured", [])))
