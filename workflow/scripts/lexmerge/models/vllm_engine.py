"""Generation with vLLM, for GPUs; its CPU build runs the same code in the tests.

vLLM is imported only when an engine starts: it takes ten seconds, and most machines do not have it.
"""

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from transformers import AutoConfig

from lexmerge.common.device import VLLM_ENVIRONMENT
from lexmerge.common.errors import StudyError
from lexmerge.common.files import sha256
from lexmerge.models.generation import Decoding, cache_bytes

GIB = 2**30
# Files, besides weights and config, that must be the same in all checkpoints that one engine loads.
SHARED_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
NOT_THE_SHAPE = ("dtype", "torch_dtype", "transformers_version", "_name_or_path")


class VllmEngine:
    """A checkpoint in a vLLM engine (see `generation.Engine`); `load` replaces its weights."""

    def __init__(
        self, folder: str, dtype: str, device: str, longest: int, rows: int, resources: dict[str, Any]
    ) -> None:
        """Start vLLM with a checkpoint.

        Args:
            folder: The checkpoint's folder.
            dtype: The number format of the weights.
            device: `auto`, `cpu` or `cuda`, which must match the build of vLLM.
            longest: The longest prompt with its answer, in tokens.
            rows: The maximum number of prompts in a batch.
            resources: The job's resources: `gpu` (a number of GPUs), `gpu_memory_percent` and
                `max_model_len` (in tokens; 0 for `longest`).

        Raises:
            StudyError: vLLM is missing or is a build for another device, or `max_model_len` is too small
                (vLLM would cut the answers silently).
        """
        length = resources["max_model_len"] or longest
        if length < longest:
            raise StudyError(
                f"max_model_len is {length}, but the longest prompt with its answer takes {longest} tokens; "
                "raise max_model_len in the profile, or lower definitions.max_new_tokens"
            )
        os.environ.update(VLLM_ENVIRONMENT)
        try:
            import vllm
            from vllm.platforms import current_platform
        except ImportError as error:
            raise StudyError(
                f"definitions.backend is vllm, but vLLM cannot be imported ({error}); install "
                "envs/workstation-vllm.txt, or run with --software-deployment-method conda"
            ) from None
        on_cpu = current_platform.is_cpu()
        if device != "auto" and (device == "cpu") != on_cpu:
            raise StudyError(
                f"definitions.device is {device}, but this build of vLLM is for "
                f"{current_platform.device_type}; change the setting or install another build"
            )
        if on_cpu:
            os.environ.setdefault(
                "VLLM_CPU_KVCACHE_SPACE", str(_cpu_cache_gib(folder, dtype, longest * rows))
            )
        self._sampling, self._shape = vllm.SamplingParams, shape_of(folder)
        with constant_path(folder) as path:
            self.llm = vllm.LLM(
                model=path,
                trust_remote_code=False,
                skip_tokenizer_init=True,  # token ids go in and out
                dtype=dtype,
                seed=0,
                generation_config="vllm",  # ignore the checkpoint's own
                max_model_len=length,
                gpu_memory_utilization=resources["gpu_memory_percent"] / 100,
                tensor_parallel_size=1 if on_cpu else resources["gpu"],
                enforce_eager=on_cpu,  # compiling takes a minute on a CPU and saves nothing
                enable_prefix_caching=False,  # no answer may depend on earlier prompts
                disable_log_stats=True,
            )
        where = "cpu" if on_cpu else f"{resources['gpu']} x {current_platform.get_device_name()}"
        self.name = f"vllm {vllm.__version__}, torch {version('torch')}, {dtype}, {where}"

    def generate(
        self, ids: list[list[int]], ends: list[int], decoding: Decoding
    ) -> Iterator[tuple[int, list[int]]]:
        """See `generation.Engine`."""
        sampling = [
            self._sampling(
                temperature=decoding.temperature,
                top_p=decoding.top_p,
                seed=decoding.seed_of(row),
                max_tokens=decoding.max_new_tokens,
                stop_token_ids=ends,
                ignore_eos=True,  # use `ends` only, not the end tokens that vLLM finds
                detokenize=False,
            )
            for row in ids
        ]
        given = self.llm.generate([{"prompt_token_ids": row} for row in ids], sampling)
        for i, output in enumerate(given):
            yield i, list(output.outputs[0].token_ids)

    def load(self, folder: str) -> None:
        """Replace the weights by those of another checkpoint with the same config and tokenizer files.

        Args:
            folder: The other checkpoint.

        Raises:
            StudyError: The checkpoints differ in more than their weights, or vLLM kept cached values of the
                old weights, which would make the output silently wrong.
        """
        if shape_of(folder) != self._shape:
            raise StudyError(
                f"{folder} differs in its config or tokenizer from the model that the engine was started "
                "with, so the engine cannot load it; set definitions.one_engine to false"
            )
        self.llm.collective_rpc("reload_weights", kwargs={"weights_path": str(Path(folder).resolve())})
        if not self.llm.reset_prefix_cache():
            raise StudyError(
                f"vLLM could not clear its cache before loading {folder}; nothing was written. Run again, or "
                "set definitions.one_engine to false"
            )


@contextmanager
def constant_path(folder: str) -> Iterator[str]:
    """Provide a path to a folder that is the same string, `model`, for every folder and job.

    vLLM caches compiled code under the model's path, so that models of one shape share it. The path is
    relative to a temporary working directory, so that jobs do not share a link.
    """
    target = Path(folder).resolve()
    with tempfile.TemporaryDirectory() as place, chdir(place):
        Path("model").symlink_to(target)
        yield "model"


def shape_of(folder: str) -> dict[str, Any]:
    """Describe what an engine reads of a checkpoint besides weights: its config and other files' sha256."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key not in NOT_THE_SHAPE}
    files = [file for file in map(Path(folder).joinpath, SHARED_FILES) if file.exists()]
    return {"config": kept} | {file.name: sha256(file) for file in files}


def _cpu_cache_gib(folder: str, dtype: str, tokens: int) -> int:
    """GiB for the key-value cache on a CPU: enough for all rows, at most a quarter of the memory."""
    wanted = tokens * cache_bytes(AutoConfig.from_pretrained(folder, trust_remote_code=False), dtype)
    memory: int = psutil.virtual_memory().total
    return max(1, math.ceil(min(wanted, memory / 4) / GIB))
