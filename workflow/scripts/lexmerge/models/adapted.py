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
    return next(
        (
            other
            for other, known in models.items()
            if "adapter" not in known
            and (known["source"], known.get("revision")) == (model["source"], model.get("revision"))
        ),
        None,
    )


def adapter_source(adapter: str) -> tuple[str, str | None]:
    """The folder or hub id of an adapter, and its revision; None for a folder."""
    if Path(adapter).is_dir():
        return adapter, None
    source, _, revision = adapter.partition("@")
    return source, revision or None
