"""Models with an adapter in a study, and the models that these adapters are folded into."""

from pathlib import Path
from typing import Any

ADDED = "_without_adapter"  # end of the name of a model that the config has only with an adapter
Models = dict[str, dict[str, Any]]  # the models of a study by name, as its config has them


def unadapted(models: Models, name: str) -> str | None:
    """The model, among those of a study, that the adapter of another is folded into; None without an adapter.

    Args:
        models: The models by name, in which each adapter has its model; see `recipe_models.with_unadapted`.
        name: A model.
    """
    model = models[name]
    if "adapter" not in model:
        return None
    alone = (
        other
        for other, known in models.items()
        if "adapter" not in known and _origin(known) == _origin(model)
    )
    return next(alone, None)


def answers_for_source(models: Models, name: str) -> bool:
    """True if faults of a source are reported of this model: each once, and of one that the config has."""
    alone = unadapted(models, name)
    return not _was_added(models, name) if alone is None else _was_added(models, alone)


def _was_added(models: Models, name: str) -> bool:
    """True if a model is only there for the adapter of another, which its name says."""
    adapted = name.removesuffix(ADDED)
    return adapted != name and adapted in models and unadapted(models, adapted) == name


def _origin(model: dict[str, Any]) -> tuple[str, str | None]:
    """The folder of a model, or its hub id and revision."""
    return model["source"], None if Path(model["source"]).is_dir() else model.get("revision")


def adapter_source(adapter: str) -> tuple[str, str | None]:
    """The folder or hub id of an adapter, and its revision; None for a folder."""
    if Path(adapter).is_dir():
        return adapter, None
    source, _, revision = adapter.partition("@")
    return source, revision or None
