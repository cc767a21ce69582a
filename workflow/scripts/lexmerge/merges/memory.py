"""MergeKit's peak memory; no imports, since Snakemake reads this module at every start."""

# Copies of a tensor, in addition to the inputs, that a method holds at its peak, in the dtype of the
# computation; measured with MergeKit on tensors of 29 million elements.
COPIES = {"linear": 2, "slerp": 3, "task_arithmetic": 5, "dare_ties": 8, "ties": 10, "passthrough": 1}
OTHER_COPIES = 6  # for methods that were not measured
SHARD = 5_000_000_000  # bytes that MergeKit collects before it writes a file


def at_peak(method: str, models: int, tensor: float, written: float) -> float:
    """Estimate the peak memory of a merge.

    Args:
        method: MergeKit's name of the merge method.
        models: The number of models.
        tensor: The size of the largest tensor in bytes, in the dtype of the computation.
        written: The size of the merged weights in bytes.

    Returns:
        Bytes.
    """
    return tensor * (COPIES.get(method, OTHER_COPIES) + models) + min(written, SHARD)
