"""Distances between the weights of all models of the study, by layer group, and notes on identical models."""

import itertools
from pathlib import Path

import pandas as pd
import torch
from lexmerge.common.files import write_tsv
from lexmerge.merges.checkpoint_pool import checkpoint
from lexmerge.models.checkpoints import Weights, group_of
from lexmerge.models.weight_distances import cosine, distance, inner_products
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job
from lexmerge.statistics.distances import COLUMNS, same_model_notes, unmeasured_notes
from tqdm import tqdm


def distances(folders: dict[str, str], scale: tuple[str, str]) -> pd.DataFrame:
    """Measure the distances between all pairs of models.

    Args:
        folders: The folders of the checkpoints, by model.
        scale: The two models whose distance is the unit of all distances.

    Returns:
        A row with the columns `COLUMNS` for each pair of models and layer group, and for the `whole` models.
        Tensors that two models have in one shape are compared; a pair without any in a group has no row.
    """
    models = {name: Weights(folder) for name, folder in folders.items()}
    names = list(dict.fromkeys(tensor for weights in models.values() for tensor in weights))
    sums: dict[tuple[str, str, str], torch.Tensor] = {}
    same: dict[tuple[str, str], bool] = {}
    for tensor in tqdm(names, unit="tensor", mininterval=2):
        shapes: dict[torch.Size, dict[str, torch.Tensor]] = {}
        for name, weights in models.items():
            if tensor in weights:
                value = weights[tensor]
                shapes.setdefault(value.shape, {})[name] = value
        for having in shapes.values():
            products = inner_products(list(having.values()))
            for (i, one), (j, two) in itertools.combinations(enumerate(having), 2):
                pair = products[[i, j]][:, [i, j]]
                same[one, two] = same.get((one, two), True) and torch.equal(having[one], having[two])
                for group in (group_of(tensor), "whole"):
                    sums[one, two, group] = sums.get((one, two, group), 0) + pair
    rows = []
    for (one, two, group), products in sums.items():
        scaled = sums.get((*scale, group), sums.get((*scale[::-1], group)))
        unit = distance(scaled, 0, 1) if scaled is not None else 0
        relative = distance(products, 0, 1) / unit if unit else None
        rows.append((one, two, group, cosine(products, 0, 1), relative, same[one, two]))
    return pd.DataFrame(rows, columns=COLUMNS).round({"cosine": 6, "distance": 4})


if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
        folders = {
            n: str(Path(f).parent) for n, f in zip(snakemake.params.models, snakemake.input, strict=True)
        }
        for folder in folders.values():
            with checkpoint(folder):  # remakes missing weights; all of these are kept, so none is evicted
                pass
        table = distances(folders, tuple(snakemake.params.scale))
        same = same_model_notes(table, snakemake.params.same_below)
        print("\n".join(same))
        write_tsv(snakemake.output[0], table, same + unmeasured_notes(snakemake.params.get("unmeasured", [])))
