"""Run one recipe with MergeKit: into a fresh folder, checked, then published with its provenance."""

import importlib.metadata
import math
import platform
from pathlib import Path

import torch
import yaml
from lexmerge.errors import StudyError
from lexmerge.files import fresh_folder, hashes, sha256, write_json
from lexmerge.jobs import job
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
from safetensors import safe_open

PACKAGES = ("mergekit", "torch", "transformers", "safetensors")


def merge(recipe: str, folder: str, seed: int, device: str, threads: int) -> None:
    """Merge as the recipe says; `folder` is either the whole checked checkpoint or what it was before."""
    text = Path(recipe).read_text(encoding="utf-8")
    torch.set_num_threads(threads)
    with fresh_folder(folder) as part:
        options = MergeOptions(random_seed=seed, device=device, quiet=True)
        run_merge(MergeConfiguration.model_validate(yaml.safe_load(text)), str(part), options, text)
        check(part)
        write_json(part / "provenance.json", provenance(part, recipe, seed, device, threads))


def check(folder: Path) -> None:
    """Every value of every tensor is a finite number, and there are tensors."""
    names = []
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():
                names.append(name)
                tensor = tensors.get_tensor(name)
                if not math.isfinite(tensor.float().abs().sum().item()):
                    raise StudyError(f"the merge has NaN or infinite values in {name}; nothing was kept")
    if not names:
        raise StudyError("MergeKit wrote no tensors; nothing was kept")


def provenance(folder: Path, recipe: str, seed: int, device: str, threads: int) -> dict:
    """What this merge was made of and with; nothing in it changes when the same merge is made again."""
    inputs = yaml.safe_load(Path(recipe).read_text(encoding="utf-8"))
    return {
        "recipe": inputs,
        "recipe_sha256": sha256(recipe),
        "seed": seed,
        "device": device,
        "threads": threads,
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "parameters": parameters(folder),
        "files": hashes(folder),
    }


def parameters(folder: Path) -> int:
    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            total += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())
    return total


if __name__ == "__main__":
    with job(snakemake.log[0]):
        settings = snakemake.params.settings
        target = str(Path(snakemake.output[0]).parent)
        merge(snakemake.input.recipe, target, snakemake.params.seed, settings["device"], settings["threads"])
