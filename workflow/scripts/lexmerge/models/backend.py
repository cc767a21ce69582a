"""The back ends that run local models: see `backends/`, one file each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lexmerge.common.registry import Registry

if TYPE_CHECKING:  # Snakemake reads this at every start
    from lexmerge.models.generation import Engine


@dataclass(frozen=True)
class BackEnd:
    """A library that runs local models.

    Attributes:
        start: Loads a checkpoint and returns its engine. Takes the checkpoint's folder, the config section
            `definitions`, the length of the longest prompt in tokens, and the job's resources including
            `threads`.
        batches: Splits prompts into batches. Takes the prompts' lengths in tokens, the checkpoint's folder
            and the config section `definitions`; returns the prompts' indices, one list for each batch.
        harness: Its name in LM Evaluation Harness, for `benchmarking.backend`: `hf` or `vllm`, the two that
            `workflow/scripts/benchmarks.py` can start. None if it answers no benchmarks.
        environment: The conda environment in `envs/` of rules that write definitions with it.
        harness_environment: The conda environment of rules that run benchmarks with it.
        packages: The packages whose versions affect the generated texts.
        module: A required Python module that `envs/workstation.txt` does not install; None if there is none.
        batch_size: The default number of prompts in a batch.
        swaps_weights: True if a running engine can load another checkpoint (`definitions.one_engine`).
        spreads: True if it splits a model over several GPUs when one GPU cannot hold it.
    """

    start: "Callable[[str, dict[str, Any], int, dict[str, Any]], Engine]"
    batches: Callable[[list[int], str, dict[str, Any]], list[list[int]]]
    environment: str
    packages: tuple[str, ...]
    batch_size: int
    harness: str | None = None
    harness_environment: str = "benchmarks"
    module: str | None = None
    swaps_weights: bool = False
    spreads: bool = False


BACK_ENDS: Registry[BackEnd] = Registry("lexmerge.models.backends", BackEnd)


def harness_back_ends() -> dict[str, BackEnd]:
    """Return the back ends by their names in LM Evaluation Harness."""
    return {back_end.harness: back_end for back_end in BACK_ENDS.values() if back_end.harness}
