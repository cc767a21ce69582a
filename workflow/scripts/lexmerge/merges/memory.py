"""What MergeKit holds in memory; it imports nothing, so that Snakemake may read it at every start."""

# Copies of a tensor that a method holds at its peak beside its inputs, in the dtype of the computation: from
# MergeKit's behaviour on tensors of 29 million numbers; 6 where nothing was measured.
COPIES = {"linear": 2, "slerp": 3, "task_arithmetic": 5, "dare_ties": 8, "ties": 10, "passthrough": 1}
OTHER_COPIES = 6
SHARD = 5_000_000_000  # bytes that MergeKit gathers before it writes them


def at_peak(method: str, models: int, tensor: float, written: float) -> float:
    """Bytes that a merge of so many models holds, whose largest tensor and whose output are so large."""
    return tensor * (COPIES.get(method, OTHER_COPIES) + models) + min(written, SHARD)
