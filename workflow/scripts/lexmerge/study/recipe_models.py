"""Recipes as they are published: YAML in a file of its own, with hub ids and folders instead of names."""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.merges.recipes import NOT_MODELS, models_of, with_paths
from lexmerge.models.adapted import ADDED, Models, unadapted
from lexmerge.study.paths import locate, looked_at
from lexmerge.study.reader import read_config

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
COMMIT = "0123abc"  # a commit in the examples of errors


def with_published_recipes(config: dict[str, Any], folders: list[Path]) -> tuple[dict[str, Any], list[str]]:
    """Read the recipes that are files, and define the models that recipes name by hub id or folder.

    `org/name@revision` and folders become models of the study. A source that `models` has already is taken
    under its name there. Other names are left for the checks.

    Args:
        config: A config laid over the toy study's, with its paths found.
        folders: The folders of the config files, in which the folders that recipes name are looked for.

    Returns:
        The config, with recipes that refer to models by their names in the study, and a line for each recipe
        whose file is missing or cannot be read. Such a merge is left out of the selection.
    """
    merges, study = config.get("merges"), config.get("study")
    if (
        not isinstance(merges, dict)
        or not isinstance(config.get("models"), dict)
        or not isinstance(study, dict)
    ):
        return config, []  # the schema reports it
    models, published = dict(config["models"]), {}
    unread: dict[str, str] = {}
    selection = study.get("merges")
    selection = selection if isinstance(selection, list) else []
    for name in selection:
        merge = merges.get(name) if isinstance(name, str) else None
        if isinstance(merge, dict) and isinstance(merge.get("recipe"), dict | str):
            try:
                recipe = _named(f"merges.{name}.recipe", merge["recipe"], models, merges, folders)
            except StudyError as error:
                unread[name] = str(error)
                continue
            published[name] = merge | {"recipe": recipe}
    if unread:
        study = study | {"merges": [name for name in selection if name not in unread]}
    known = {name: merge for name, merge in merges.items() if name not in unread}
    models = with_unadapted(models, merges)
    return config | {"study": study, "models": models, "merges": known | published}, list(unread.values())


def _named(place: str, recipe: Any, models: Models, taken: Iterable[str], folders: list[Path]) -> Any:
    """A recipe with the study's names of its models; models that it brings are added to `models`."""
    if isinstance(recipe, str):
        file = Path(recipe)
        if not file.is_file():
            raise StudyError(f"{place}: there is no file {looked_at(recipe)}")
        folders, recipe = [file.absolute().parent], read_config(file)
    names = {model: _name(model, models, folders, taken) for model in models_of(recipe)}
    return with_paths(recipe, lambda model: names[model])


def _name(model: str, models: Models, folders: list[Path], taken: Iterable[str]) -> str:
    """The study's name of a model in a recipe, which is added to `models` if it is new; else as it is.

    `taken` are names of other things, which a new model must not have.
    """
    if model in models:
        return model
    if "+" in model:
        return _adapted_name(model, models, folders, taken)
    source, _, revision = model.partition("@")
    found = locate(source, folders)
    folder = Path(found).is_dir()
    if not folder and not HUB_ID.fullmatch(source):
        return model
    plain = {n: known for n, known in models.items() if isinstance(known, dict) and "adapter" not in known}
    for name, known in plain.items():
        same_revision = folder or not revision or known.get("revision") == revision
        if known.get("source") == found and same_revision:
            return name
    if not folder and not revision:
        return model
    name = free_name(Path(found).name, {*models, *taken, *NOT_MODELS})
    models[name] = {"source": found} | ({} if folder else {"revision": revision})
    return name


def with_unadapted(models: Models, taken: Iterable[str]) -> Models:
    """Add the models that adapters are folded into and that have no name of their own yet.

    Args:
        models: The models by name, as the config defines them.
        taken: Names of other things, which a new model must not have.

    Returns:
        The models by name.
    """
    found = dict(models)
    for name, model in models.items():
        source = model.get("source") if isinstance(model, dict) else None
        sound = isinstance(source, str) and all(
            isinstance(known, dict) and "source" in known for known in found.values()
        )
        if sound and "adapter" in model and unadapted(found, name) is None:
            alone = {key: value for key, value in model.items() if key not in ("adapter", "language")}
            found[free_name(f"{name}{ADDED}", {*found, *taken, *NOT_MODELS})] = alone
    return found


def free_name(name: str, taken: set[str]) -> str:
    """A name for a model that is not taken, after its hub id or folder."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def _adapted_name(model: str, models: Models, folders: list[Path], taken: Iterable[str]) -> str:
    """The study's name of a `model+adapter`, which is added to `models` if it is new; else as it is."""
    first, _, last = model.partition("+")
    if not first or not last:
        return model
    whole = _name(first, models, folders, taken)
    source, _, revision = last.partition("@")
    found = locate(source, folders)
    folder = Path(found).is_dir()
    if (
        whole not in models
        or "adapter" in models[whole]
        or not (folder or (HUB_ID.fullmatch(source) and revision))
    ):
        return model
    adapter = {"adapter": found if folder else last}
    alone = {key: value for key, value in models[whole].items() if key not in ("language", "parameters")}
    for name, known in models.items():
        if known == alone | adapter:
            return name
    name = free_name(f"{whole}_{Path(found).name}", {*models, *taken, *NOT_MODELS})
    models[name] = alone | adapter
    return name


def model_to_add(place: str, model: str) -> str | None:
    """A fault of a recipe that names a model by hub id or adapter, with its remedy; None for other names.

    Args:
        place: The place of the recipe in the config.
        model: The name in the recipe, which `models` does not have.
    """
    if "+" in model:
        return (
            f"{place}: {model!r} has to be MODEL+ADAPTER. MODEL is one of `models` without an adapter, a "
            "folder, or a hub id with its commit; ADAPTER is a folder or a hub id with its commit, such as "
            f"`org/name@{COMMIT}`"
        )
    if not HUB_ID.fullmatch(model):
        return None
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", model.split("/")[1])
    return (
        f"{place}: the hub model {model!r} has no commit; write `{model}@{COMMIT}` with its commit in "
        f"the recipe, or add under `models` a line\n      {name}: {{source: {model}, revision: {COMMIT}}}"
    )
