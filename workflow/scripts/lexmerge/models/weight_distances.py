"""Cosines and distances of weight tensors, from their inner products.

Inner products are summed in float64 over parts of the tensors, which saves memory and keeps precision.
"""

import torch

CHUNK = 1 << 18  # elements of a tensor at a time, so that they fit in the processor's cache


def inner_products(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Compute the inner product of every tensor with every other (their Gram matrix).

    Args:
        tensors: n tensors of one shape and any dtype.

    Returns:
        An n × n matrix in float64; entry (i, j) is the inner product of tensors i and j.
    """
    flat = [tensor.flatten() for tensor in tensors]
    total = torch.zeros(len(flat), len(flat), dtype=torch.float64)
    for start in range(0, flat[0].numel(), CHUNK):
        rows = torch.stack([part[start : start + CHUNK].double() for part in flat])
        total += rows @ rows.T
    return total


def cosine(products: torch.Tensor, i: int, j: int) -> float | None:
    """Compute the cosine of two tensors.

    Args:
        products: A result of `inner_products`, or the sum of such matrices over several tensors.
        i: The index of the first tensor.
        j: The index of the second tensor.

    Returns:
        A number from -1 to 1; None when one of the tensors is all zeros.
    """
    norms = (products[i, i] * products[j, j]).sqrt().item()
    return products[i, j].item() / norms if norms else None


def distance(products: torch.Tensor, i: int, j: int) -> float:
    """Compute the Euclidean norm of the difference of two tensors.

    Args:
        products: A result of `inner_products`, or the sum of such matrices over several tensors.
        i: The index of the first tensor.
        j: The index of the second tensor.

    Returns:
        The norm, in the unit of the weights; never negative, despite rounding errors.
    """
    return (products[i, i] + products[j, j] - 2 * products[i, j]).clamp(min=0).sqrt().item()
