"""Generation with vLLM, for GPUs; its CPU build runs the same code in the tests.

vLLM is imported when an engine starts and not before: it takes ten seconds, and is absent on most machines.
"""

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from importlib.metadata import version
from pathlib import Path

import psutil
from transformers import AutoConfig

from lexmerge.common.device import VLLM_ENVIRONMENT
from lexmerge.common.errors import StudyError
from lexmerge.common.files import sha256
from lexmerge.models.generation import Decoding, cache_bytes

GIB = 2**30
# The files of a checkpoint beside its weights that must be the same in all models of one engine.
SHARED_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
NOT_THE_SHAPE = ("dtype", "torch_dtype", "transformers_version", "_name_or_path")


class VllmEngine:
    """A checkpoint in a vLLM engine; `load` puts another model of the same shape in its place."""

    def __init__(self, folder: str, dtype: str, device: str, longest: int, rows: int, resources: dict):
        """`longest` is a prompt with its answer, in tokens; `rows` the most prompts that come at a time.

        `resources` are the job's: `gpu`, `gpu_memory_percent`, and `max_model_len`, of which 0 is as much as
        is needed, and less than `longest` an error here, where vLLM would silently cut the answers.
        """
        length = resources["max_model_len"] or longest
        if length < longest:
            raise StudyError(
                f"max_model_len is {length}, and the longest prompt with its answer takes {longest} tokens: "
                "raise it in the profile, or lower definitions.max_new_tokens"
            )
        os.environ.update(VLLM_ENVIRONMENT)
        try:
            import vllm
            from vllm.platforms import current_platform
        except ImportError as error:
            raise StudyError(
                f"definitions.backend is vllm, which cannot be imported here ({error}): install "
                "envs/workstation-vllm.txt, or run with --software-deployment-method conda"
            ) from None
        on_cpu = current_platform.is_cpu()
        if device != "auto" and (device == "cpu") != on_cpu:
            raise StudyError(
                f"definitions.device is {device}, and this vLLM is for {current_platform.device_type}"
            )
        if on_cpu:
            os.environ.setdefault(
                "VLLM_CPU_KVCACHE_SPACE", str(_cpu_cache_gib(folder, dtype, longest * rows))
            )
        self._sampling, self._shape = vllm.SamplingParams, shape_of(folder)
        with constant_path(folder) as path:
            self.llm = vllm.LLM(
                model=path,
                skip_tokenizer_init=True,  # token ids go in and out
                dtype=dtype,
                seed=0,
                generation_config="vllm",  # nothing of the checkpoint's own
                max_model_len=length,
                gpu_memory_utilization=resources["gpu_memory_percent"] / 100,
                tensor_parallel_size=1 if on_cpu else resources["gpu"],
                enforce_eager=on_cpu,  # compiling takes a minute there and gains nothing
                enable_prefix_caching=False,  # what was computed before must have no part in what comes
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
                ignore_eos=True,  # the end tokens are these, and not those that vLLM finds by itself
                detokenize=False,
            )
            for row in ids
        ]
        given = self.llm.generate([{"prompt_token_ids": row} for row in ids], sampling)
        for i, output in enumerate(given):
            yield i, list(output.outputs[0].token_ids)

    def load(self, folder: str) -> None:
        """Put another checkpoint's weights in the place of those that are there.

        The engine keeps the config and the tokenizer of its first model: another shape is an error. What it
        has cached of the old weights must go, or the output is silently wrong.
        """
        if shape_of(folder) != self._shape:
            raise StudyError(
                f"{folder} has another config or tokenizer than the model before: it cannot take its place "
                "in one engine; set definitions.one_engine to false"
            )
        self.llm.collective_rpc("reload_weights", kwargs={"weights_path": str(Path(folder).resolve())})
        if not self.llm.reset_prefix_cache():
            raise StudyError(
                "vLLM did not forget what it had cached of the model before; nothing was written"
            )


@contextmanager
def constant_path(folder: str) -> Iterator[str]:
    """A path to a folder that is the same text for every folder and job.

    vLLM keeps compiled code by that text: models of one shape share it if they have one name. It is relative
    to a working directory of the job's own, so that two jobs do not share a link.
    """
    target = Path(folder).resolve()
    with tempfile.TemporaryDirectory() as place, chdir(place):
        Path("model").symlink_to(target)
        yield "model"


def shape_of(folder: str) -> dict:
    """All of a checkpoint but its weights that an engine reads."""
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key not in NOT_THE_SHAPE}
    files = [file for file in map(Path(folder).joinpath, SHARED_FILES) if file.exists()]
    return {"config": kept} | {file.name: sha256(file) for file in files}


def _cpu_cache_gib(folder: str, dtype: str, tokens: int) -> int:
    """GiB for the cache of keys and values on a CPU: what all rows take, at most a quarter of the memory."""
    wanted = tokens * cache_bytes(AutoConfig.from_pretrained(folder), dtype)
    return max(1, math.ceil(min(wanted, psutil.virtual_memory().total / 4) / GIB))
