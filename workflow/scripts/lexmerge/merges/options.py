"""MergeKit's options, the same for every merge."""

from typing import Any

from mergekit.options import MergeOptions

from lexmerge.common.device import device


def options(seed: int, settings: dict[str, Any]) -> MergeOptions:
    """Build MergeKit's options; those for memory and speed do not affect the weights on one device.

    Args:
        seed: The seed of methods that draw random numbers.
        settings: The config section `merging`.
    """
    return MergeOptions(
        random_seed=seed,
        device=device(settings["device"]),
        low_cpu_memory=settings["low_cpu_memory"],
        out_shard_size=settings["shard_size"],
        quiet=True,
        trust_remote_code=False,
    )
