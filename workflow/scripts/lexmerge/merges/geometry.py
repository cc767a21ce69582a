"""Products of whole weight tensors, a part at a time: little memory, and sums that keep their digits."""

import torch

CHUNK = 1 << 18  # numbers of a tensor at a time, so that they stay in the processor's cache


def gram(tensors: list[torch.Tensor]) -> torch.Tensor:
    """The inner product of every tensor with every other, in float64: entry (i, j) is that of i and j."""
    flat = [tensor.flatten() for tensor in tensors]
    total = torch.zeros(len(flat), len(flat), dtype=torch.float64)
    for start in range(0, flat[0].numel(), CHUNK):
        rows = torch.stack([part[start : start + CHUNK].double() for part in flat])
        total += rows @ rows.T
    return total


def cosine(products: torch.Tensor, i: int, j: int) -> float | None:
    """The cosine of two tensors, from their inner products; None where one of them is all zeros."""
    norms = (products[i, i] * products[j, j]).sqrt().item()
    return products[i, j].item() / norms if norms else None


def apart(products: torch.Tensor, i: int, j: int) -> float:
    """The norm of the difference of two tensors."""
    return (products[i, i] + products[j, j] - 2 * products[i, j]).clamp(min=0).sqrt().item()
