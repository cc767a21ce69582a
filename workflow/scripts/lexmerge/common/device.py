"""Where a model runs."""

import torch

# Before vLLM is imported: one process, in which the same requests are scheduled in the same way; no network.
VLLM_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
}


def device(name: str) -> str:
    """`auto` is the GPU where there is one; `cpu` and `cuda` are what they are."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
