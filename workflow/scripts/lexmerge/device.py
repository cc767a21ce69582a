"""Where a model runs."""

import torch


def device(name: str) -> str:
    """`auto` is the GPU where there is one; `cpu` and `cuda` are what they are."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
