"""How MergeKit is run, for every merge alike."""

from mergekit.options import MergeOptions

from lexmerge.common.device import device


def options(seed: int, settings: dict) -> MergeOptions:
    """MergeKit's options; those about memory and speed change no bit on one device."""
    return MergeOptions(
        random_seed=seed,
        device=device(settings["device"]),
        low_cpu_memory=settings["low_cpu_memory"],
        out_shard_size=settings["shard_size"],
        quiet=True,
    )
