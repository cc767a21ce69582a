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
        about: What the choice means, for the config reference.
        start: Loads a checkpoint. Takes its folder, `definitions` in the config, the longest prompt in
            tokens, and the job's resources with its `threads`.
        batches: Puts the prompts, given by their lengths in tokens, into batches of their numbers. Takes the
            lengths, the checkpoint's folder and `definitions` in the config.
        harness: LM Evaluation Harness's name of it, for `benchmarking.backend`.
        environment: The conda environment in `envs/` of rules that let it write definitions.
        harness_environment: The one of rules that let it answer benchmarks.
        packages: The packages whose versions its texts depend on.
        module: A Python module that is not in `envs/workstation.txt`, and is needed; None if there is none.
        batch_size: The default number of prompts in a batch.
        swaps_weights: True if one engine can take one checkpoint after the other (`definitions.one_engine`).
        spreads: True if it spreads a model that one GPU does not hold over several.
    """

    about: str
    start: "Callable[[str, dict[str, Any], int, dict[str, Any]], Engine]"
    batches: Callable[[list[int], str, dict[str, Any]], list[list[int]]]
    harness: str
    environment: str
    harness_environment: str
    packages: tuple[str, ...]
    batch_size: int
    module: str | None = None
    swaps_weights: bool = False
    spreads: bool = False


BACK_ENDS: Registry[BackEnd] = Registry("lexmerge.models.backends", BackEnd)


def harness_back_ends() -> dict[str, BackEnd]:
    """The back ends by the names that LM Evaluation Harness has for them."""
    return {back_end.harness: back_end for back_end in BACK_ENDS.values()}
