"""Run one recipe with MergeKit, check the result, and publish it with its provenance."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from mergekit.merge import run_merge

from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_folder, known_hashes, write_json
from lexmerge.merges.options import OrderedConfiguration, options, unions_in_order
from lexmerge.merges.own_tokenizer import check_it_runs, donor_of, use_end_tokens
from lexmerge.merges.parents import config_differences
from lexmerge.merges.preflight import needs, notes, parent_differences, preflight, room, same_vocabulary
from lexmerge.merges.provenance import compare_with_parents, provenance
from lexmerge.merges.recipes import base_of, models_of, picks_layers, resizes, with_paths
from lexmerge.models.checkpoints import Headers, has_other_head, read_headers
from lexmerge.models.files import HEADS, read_object
from lexmerge.models.tokens import conversation_differences

# Files, besides weights and config, that must be the same in all merges of a study.
CANONICAL = (
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json"),
)


def merge(recipe_file: str, folder: str, canonical: str, seed: int, settings: dict[str, Any]) -> None:
    """Merge models by a recipe, check the checkpoint and write its provenance.

    Args:
        recipe_file: A MergeKit recipe in YAML whose models are folders.
        folder: The target folder; it is replaced by the complete, checked checkpoint, or left unchanged on
            an error.
        canonical: The folder of the checkpoint whose tokenizer and generation config every merge of the
            study gets, unless its recipe makes its own tokenizer.
        seed: The seed of methods that draw random numbers.
        settings: The config section `merging`.

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
        if has_other_head(part, read_headers(part, "the merge")):
            untie(part)
        if own_tokenizer:
            use_end_tokens(part, Path(donor_of(recipe)))
        else:
            use_canonical(part, Path(canonical))
        check_checkpoint(part, recipe, parents)
        compared = compare_with_parents(part, models_of(recipe))
        check_it_runs(part)
        made = provenance(part, recipe_file, seed, settings)
        inputs = {path: known_hashes(path) for path in models_of(recipe)}
        named = [replace(parent, name=Path(parent.name).name) for parent in parents]
        differ = parent_differences(with_paths(recipe, lambda path: Path(path).name), named)
        of_parents = {"inputs": inputs, "parents": compared, "parents_differ": differ}
        write_json(part / "provenance.json", made | of_parents)


def write_weights(
    recipe: dict[str, Any], text: str, folder: Path, seed: int, settings: dict[str, Any]
) -> None:
    """Run MergeKit reproducibly: the same arguments give the same bits on one kind of machine.

    Args:
        recipe: The recipe, whose models are folders.
        text: The recipe as YAML, which MergeKit writes next to the weights.
        folder: The target folder.
        seed: The seed of methods that draw random numbers.
        settings: The config section `merging`; the bits depend on its `threads`.
    """
    torch.set_num_threads(settings["threads"])
    with unions_in_order():
        run_merge(OrderedConfiguration.model_validate(recipe), str(folder), options(seed, settings), text)


def untie(folder: Path) -> None:
    """Say in a merge's config that it has a head of its own, which other programs would not read."""
    config = read_object(folder / "config.json") | {"tie_word_embeddings": False}
    write_json(folder / "config.json", config)


def check_inputs(recipe: dict[str, Any], parents: list[Headers], folder: str) -> None:
    """Check, before any weights are read, that models can be merged by a recipe and the disk has room.

    Prints the disk space and the memory that the merge needs, and notes on it.

    Args:
        recipe: The recipe, whose models are folders.
        parents: The headers of all models that the recipe names.
        folder: The target folder of the merge.

    Raises:
        StudyError: The models cannot be merged; the message has a line for each reason.
    """
    base = base_of(recipe)
    if faults := [*preflight(recipe, parents, base), *room(recipe, parents, base, folder)]:
        raise StudyError("\n  - ".join(["this recipe cannot merge the models:", *faults]))
    disk, memory = needs(recipe, parents, base)
    print(f"about {disk / 1e9:.2f} GB on the disk, {memory / 1e9:.2f} GB of memory at the peak")
    for note in notes(recipe, parents):
        print(f"note: {note}")
    others = [parent.name for parent in parents if parent.name != base]
    for difference in conversation_differences(base, others):
        print(f"note: {difference}; the merge has those of the model that gives its tokenizer")


def use_canonical(folder: Path, source: Path) -> None:
    """Replace a merge's tokenizer and generation config (`CANONICAL`) by those in another folder."""
    for name in CANONICAL:
        (folder / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)


def check_checkpoint(folder: Path, recipe: dict[str, Any], parents: list[Headers]) -> None:
    """Check that a merge has all tensors in the right shape, and computes as its base model.

    Args:
        folder: The folder of the merged checkpoint.
        recipe: The recipe of the merge.
        parents: The headers of all models that the recipe names.

    Raises:
        StudyError: A tensor is missing, or a shape, the number of layers or its config is wrong.
    """
    made = read_headers(folder, "the merge")
    base = next(parent for parent in parents if parent.name == base_of(recipe))
    if not picks_layers(recipe):
        missing = [name for name in base.tensors if name not in made.tensors]
        if missing and not (base.tied and set(missing) <= set(HEADS)):
            raise StudyError(
                f"the merge has no tensor {missing[0]} ({len(missing)} missing); nothing was kept"
            )
    resized = resizes(recipe)
    for name, (shape, _) in made.tensors.items():
        if not resized and name in base.tensors and base.tensors[name][0] != shape:
            raise StudyError(
                f"the merge's {name} has the shape {shape}, not {base.tensors[name][0]}; nothing was kept"
            )
    if made.config.get("num_hidden_layers", made.layers) != made.layers:
        raise StudyError(
            f"the merge has {made.layers} layers, but its config.json says "
            f"{made.config['num_hidden_layers']}; nothing was kept"
        )
    if changed := config_differences(made, base):
        raise StudyError(f"the merge computes otherwise than its base model: {changed[0]}; nothing was kept")
