"""Run one recipe with MergeKit: into a fresh folder, checked, then published with its provenance."""

import importlib.metadata
import platform
import shutil
from contextlib import ExitStack
from pathlib import Path

import torch
import yaml
from lexmerge.common.device import device
from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_folder, hashes, known_hashes, sha256, write_json
from lexmerge.merges.checkpoint_pool import making
from lexmerge.merges.geometry import apart, cosine, gram
from lexmerge.merges.options import options
from lexmerge.merges.preflight import needs, notes, preflight, room, same_vocabulary
from lexmerge.merges.recipes import base_of, models_of, picks_layers, resizes
from lexmerge.models.checkpoints import Headers, Weights, group_of, read_headers, rope_of
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge

PACKAGES = ("mergekit", "torch", "transformers", "safetensors")
# What a checkpoint has beside its weights and config, and evaluation must find the same in all merges.
CANONICAL = (
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json"),
)


def merge(recipe_file: str, folder: str, canonical: str, seed: int, settings: dict) -> None:
    """Merge as the recipe says; `folder` is either the whole checked checkpoint or what it was before.

    `canonical` is the checkpoint whose tokenizer and generation config every merge of the study gets, unless
    the recipe makes a tokenizer of its own.
    """
    text = Path(recipe_file).read_text(encoding="utf-8")
    recipe = yaml.safe_load(text)
    parents = [read_headers(path, path) for path in models_of(recipe)]
    own_tokenizer = resizes(recipe) or "chat_template" in recipe
    ready(recipe, parents, folder)
    if not own_tokenizer:
        same_vocabulary(read_headers(canonical, canonical), parents)
    with fresh_folder(folder) as part:
        write_weights(recipe, text, part, seed, settings)
        if not own_tokenizer:
            use_canonical(part, Path(canonical))
        check(part, recipe, parents)
        measured = compare(part, models_of(recipe))
        made = provenance(part, recipe_file, seed, settings)
        inputs = {path: known_hashes(path) for path in models_of(recipe)}
        write_json(part / "provenance.json", made | {"inputs": inputs, "parents": measured})


def write_weights(recipe: dict, text: str, folder: Path, seed: int, settings: dict) -> None:
    """What MergeKit makes of a recipe, whose `text` it puts beside the weights; the same bits every time."""
    torch.set_num_threads(settings["threads"])
    run_merge(MergeConfiguration.model_validate(recipe), str(folder), options(seed, settings), text)


def ready(recipe: dict, parents: list[Headers], folder: str) -> None:
    """Stop before any weight is read if these checkpoints cannot be merged so, or there is no room."""
    base = base_of(recipe)
    if faults := [*preflight(recipe, parents, base), *room(recipe, parents, base, folder)]:
        raise StudyError("\n  - ".join(["the models cannot be merged by this recipe:", *faults]))
    disk, memory = needs(recipe, parents, base)
    print(f"about {disk / 1e9:.2f} GB on the disk, {memory / 1e9:.2f} GB of memory at the peak")
    for note in notes(recipe, parents):
        print(f"note: {note}")


def use_canonical(folder: Path, source: Path) -> None:
    """Give the merge the tokenizer and the generation config that all merges of the study have."""
    for name in CANONICAL:
        (folder / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)


def check(folder: Path, recipe: dict, parents: list[Headers]) -> None:
    """Everything is there, in the right shape, and the positions are counted as before."""
    made = read_headers(folder, "the merge")
    base = next(parent for parent in parents if parent.name == base_of(recipe))
    if not picks_layers(recipe):
        missing = [name for name in base.tensors if name not in made.tensors]
        if missing and not (base.config.get("tie_word_embeddings") and missing == ["lm_head.weight"]):
            raise StudyError(f"the merge has no {missing[0]} ({len(missing)} missing); nothing was kept")
    resized = resizes(recipe)
    for name, (shape, _) in made.tensors.items():
        if not resized and name in base.tensors and base.tensors[name][0] != shape:
            raise StudyError(f"the merge's {name} is {shape}, not {base.tensors[name][0]}; nothing was kept")
    if made.config.get("num_hidden_layers", made.layers) != made.layers:
        raise StudyError(f"the merge has {made.layers} layers, and its config says another number")
    if rope_of(made.config) != rope_of(base.config):
        ropes = f"{rope_of(made.config)}, not {rope_of(base.config)}"
        raise StudyError(
            f"the merge counts positions otherwise than the base model: {ropes}; nothing was kept"
        )


def compare(folder: Path, parents: list[str]) -> dict[str, dict[str, dict[str, float | None]]]:
    """By parent and layer group: the cosine with the merge, and the norm of the difference over the parent's.

    In the same pass, every value of the merge is found to be a finite number. Tensors that a parent has not,
    or in another shape, are left out.
    """
    sums: dict[tuple[str, str], torch.Tensor] = {}
    with ExitStack() as stack:
        merged, *others = [stack.enter_context(Weights(path)) for path in (folder, *parents)]
        for name in merged:
            ours = merged[name]
            having = {
                path: weights[name]
                for path, weights in zip(parents, others, strict=True)
                if name in weights and weights[name].shape == ours.shape
            }
            products = gram([ours, *having.values()])
            if not products[0, 0].isfinite():
                raise StudyError(f"the merge has NaN or infinite values in {name}; nothing was kept")
            for number, path in enumerate(having, 1):
                place = (path, group_of(name))
                pair = products[[0, number]][:, [0, number]]
                sums[place] = sums.get(place, torch.zeros(2, 2, dtype=torch.float64)) + pair
    measured: dict[str, dict[str, dict[str, float | None]]] = {}
    for (path, group), products in sums.items():
        near, norm = cosine(products, 0, 1), products[1, 1].sqrt().item()
        measured.setdefault(path, {})[group] = {
            "cosine": near if near is None else round(near, 7),
            "delta_norm": round(apart(products, 0, 1) / norm, 7) if norm else None,
        }
    return measured


def provenance(folder: Path, recipe: str, seed: int, settings: dict) -> dict:
    """What this merge was made of and with; nothing in it changes when the same merge is made again."""
    files = hashes(folder)
    weights = {name: digest for name, digest in files.items() if name.endswith(".safetensors")}
    return {
        "recipe": yaml.safe_load(Path(recipe).read_text(encoding="utf-8")),
        "recipe_sha256": sha256(recipe),
        "seed": seed,
        "settings": settings | {"device": device(settings["device"])},
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "parameters": read_headers(folder, "the merge").parameters,
        "weights": weights,
        "files": files,
    }


if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
        target, source = (str(Path(f).parent) for f in (snakemake.output[0], snakemake.input.canonical))
        with making(target):
            merge(snakemake.input.recipe, target, source, snakemake.params.seed, snakemake.params.settings)
