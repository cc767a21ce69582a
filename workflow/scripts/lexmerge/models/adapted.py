"""Models with an adapter in a study, and the models that these adapters are folded into."""

from pathlib import Path
from typing import Any

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


def _origin(model: dict[str, Any]) -> tuple[str, str | None]:
    """The folder of a model, or its hub id and revision."""
    return model["source"], None if Path(model["source"]).is_dir() else model.get("revision")


def adapter_source(adapter: str) -> tuple[str, str | None]:
    """The folder or hub id of an adapter, and its revision; None for a folder."""
    if Path(adapter).is_dir():
        return adapter, None
    source, _, revision = adapter.partition("@")
    return source, revision or None
