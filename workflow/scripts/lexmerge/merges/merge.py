"""Run one recipe with MergeKit: into a fresh folder, checked, then published with its provenance."""

import shutil
from pathlib import Path

import torch
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge

from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_folder, known_hashes, write_json
from lexmerge.merges.options import options
from lexmerge.merges.preflight import needs, notes, preflight, room, same_vocabulary
from lexmerge.merges.provenance import compare_with_parents, provenance
from lexmerge.merges.recipes import base_of, models_of, picks_layers, resizes
from lexmerge.models.checkpoints import Headers, read_headers, rope_of

# The files of a checkpoint, besides its weights and config, that must be the same in all merges of a study.
CANONICAL = (
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json"),
)


def merge(recipe_file: str, folder: str, canonical: str, seed: int, settings: dict) -> None:
    """Merge models by a recipe, check the checkpoint and write its provenance.

    Args:
        recipe_file: A recipe of MergeKit, as YAML; its models are folders.
        folder: Where the checkpoint is to be. Afterwards it holds the whole, checked checkpoint, or is left
            as it was.
        canonical: The folder of the checkpoint whose tokenizer and generation config every merge of the
            study gets, unless its recipe makes a tokenizer of its own.
        seed: The seed of methods that draw at random.
        settings: The section `merging` of the config.

    Raises:
        StudyError: The models cannot be merged by this recipe, the disk has too little room, or the merged
            checkpoint is faulty.
    """
    text = Path(recipe_file).read_text(encoding="utf-8")
    recipe = yaml.safe_load(text)
    parents = [read_headers(path, path) for path in models_of(recipe)]
    own_tokenizer = resizes(recipe) or "chat_template" in recipe
    check_inputs(recipe, parents, folder)
    if not own_tokenizer:
        same_vocabulary(read_headers(canonical, canonical), parents)
    with fresh_folder(folder) as part:
        write_weights(recipe, text, part, seed, settings)
        if not own_tokenizer:
            use_canonical(part, Path(canonical))
        check_checkpoint(part, recipe, parents)
        compared = compare_with_parents(part, models_of(recipe))
        made = provenance(part, recipe_file, seed, settings)
        inputs = {path: known_hashes(path) for path in models_of(recipe)}
        write_json(part / "provenance.json", made | {"inputs": inputs, "parents": compared})


def write_weights(recipe: dict, text: str, folder: Path, seed: int, settings: dict) -> None:
    """Let MergeKit write a merge's checkpoint, the same bits every time.

    Args:
        recipe: The recipe, whose models are folders.
        text: The recipe as YAML, which MergeKit writes next to the weights.
        folder: Where the checkpoint is written.
        seed: The seed of methods that draw at random.
        settings: The section `merging` of the config; its `threads` are part of what the bits depend on.
    """
    torch.set_num_threads(settings["threads"])
    run_merge(MergeConfiguration.model_validate(recipe), str(folder), options(seed, settings), text)


def check_inputs(recipe: dict, parents: list[Headers], folder: str) -> None:
    """Check, before any weight is read, that models can be merged by a recipe and the disk has room.

    What the merge needs is printed, with the notes on it.

    Args:
        recipe: The recipe, whose models are folders.
        parents: The headers of all models that the recipe names.
        folder: Where the merge is to be written.

    Raises:
        StudyError: The models cannot be merged; the message has a line for each reason.
    """
    base = base_of(recipe)
    if faults := [*preflight(recipe, parents, base), *room(recipe, parents, base, folder)]:
        raise StudyError("\n  - ".join(["the models cannot be merged by this recipe:", *faults]))
    disk, memory = needs(recipe, parents, base)
    print(f"about {disk / 1e9:.2f} GB on the disk, {memory / 1e9:.2f} GB of memory at the peak")
    for note in notes(recipe, parents):
        print(f"note: {note}")


def use_canonical(folder: Path, source: Path) -> None:
    """Give a merge the tokenizer and the generation config that all merges of the study have."""
    for name in CANONICAL:
        (folder / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)


def check_checkpoint(folder: Path, recipe: dict, parents: list[Headers]) -> None:
    """Check that a merge has all tensors in the right shape, and the position encoding of its base model.

    Args:
        folder: The folder of the merged checkpoint.
        recipe: The recipe it was made by.
        parents: The headers of all models that the recipe names.

    Raises:
        StudyError: Something is missing or differs.
    """
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
