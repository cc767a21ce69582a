"""The content of a merge's provenance.json: its inputs, and its similarity to its parents."""

import importlib.metadata
import platform
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
import yaml

from lexmerge.common.device import device
from lexmerge.common.errors import StudyError
from lexmerge.common.files import hashes, sha256
from lexmerge.common.shipped import workflow_version
from lexmerge.models.checkpoints import Weights, group_of, read_headers
from lexmerge.models.weight_distances import cosine, distance, inner_products

PACKAGES = ("mergekit", "torch", "transformers", "safetensors")


def compare_with_parents(folder: Path, parents: list[str]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Measure the similarity of a merge to each of its parents, and check that all its values are finite.

    Tensors that a parent lacks, or has in another shape, are skipped.

    Args:
        folder: The folder of the merge.
        parents: The folders of its parents.

    Returns:
        By parent and layer group: `cosine`, the cosine of the merge's and the parent's weights, and
        `delta_norm`, the norm of their difference divided by the norm of the parent's weights. A value is
        None when its divisor is zero.

    Raises:
        StudyError: The merge has NaN or infinite values.
    """
    sums: dict[tuple[str, str], torch.Tensor] = {}
    with ExitStack() as stack:
        paths: list[str | Path] = [folder, *parents]
        merged, *others = [stack.enter_context(Weights(path)) for path in paths]
        for name in merged:
            ours = merged[name]
            having = {
                path: weights[name]
                for path, weights in zip(parents, others, strict=True)
                if name in weights and weights[name].shape == ours.shape
            }
            products = inner_products([ours, *having.values()])
            if not products[0, 0].isfinite():
                raise StudyError(
                    f"the merge has NaN or infinite values in {name}; nothing was kept. Try `dtype: float32`"
                )
            for number, path in enumerate(having, 1):
                place = (path, group_of(name))
                pair = products[[0, number]][:, [0, number]]
                sums[place] = sums.get(place, torch.zeros(2, 2, dtype=torch.float64)) + pair
    measured: dict[str, dict[str, dict[str, float | None]]] = {}
    for (path, group), products in sums.items():
        near, norm = cosine(products, 0, 1), products[1, 1].sqrt().item()
        measured.setdefault(path, {})[group] = {
            "cosine": near if near is None else round(near, 7),
            "delta_norm": round(distance(products, 0, 1) / norm, 7) if norm else None,
        }
    return measured


def provenance(folder: Path, recipe: str, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Describe how a merge was made; the result is the same when the merge is made again.

    Args:
        folder: The folder of the merge, with all its files.
        recipe: The file of its recipe.
        seed: The seed of the merge.
        settings: The config section `merging`.

    Returns:
        The recipe, seed and settings, the versions of the workflow and of packages, the number of parameters,
        and the sha256 of every file.
    """
    files = hashes(folder)
    weights = {name: digest for name, digest in files.items() if name.endswith(".safetensors")}
    return {
        "recipe": yaml.safe_load(Path(recipe).read_text(encoding="utf-8")),
        "recipe_sha256": sha256(recipe),
        "seed": seed,
        "settings": settings | {"device": device(settings["device"])},
        "lexmerge": workflow_version(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "parameters": read_headers(folder, "the merge").parameters,
        "weights": weights,
        "files": files,
    }
