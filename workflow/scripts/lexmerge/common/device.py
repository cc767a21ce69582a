"""The device that a model runs on."""

import torch

# Set before vLLM is imported: one process, so that equal requests are scheduled equally; no network access.
VLLM_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
}


def device(name: str) -> str:
    """Resolve the device of a config: `auto` becomes `cuda` if a GPU is available, else `cpu`."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
