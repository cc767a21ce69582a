"""Hugging Face Transformers, on a CPU or one GPU."""

from typing import TYPE_CHECKING, Any

from lexmerge.models.backend import BackEnd

if TYPE_CHECKING:
    from lexmerge.models.generation import Engine


def start(folder: str, settings: dict[str, Any], longest: int, resources: dict[str, Any]) -> "Engine":
    """Load a checkpoint; see `BackEnd.start`."""
    from lexmerge.models.transformers_engine import TransformersEngine

    return TransformersEngine(folder, settings["dtype"], settings["device"], resources["threads"])


def batches(lengths: list[int], folder: str, settings: dict[str, Any]) -> list[list[int]]:
    """Split prompts into batches that fit in memory next to the weights; see `BackEnd.batches`."""
    from lexmerge.models import transformers_engine

    return transformers_engine.batches_of(
        lengths,
        folder,
        settings["dtype"],
        settings["device"],
        settings["batch_size"],
        settings["max_new_tokens"],
    )


REGISTERED = BackEnd(
    start=start,
    batches=batches,
    harness="hf",
    environment="models",
    harness_environment="benchmarks",
    packages=("torch", "transformers"),
    batch_size=128,
)
