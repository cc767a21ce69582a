"""Tasks of LM Evaluation Harness, ready to run, and one of them run on a model that is loaded."""

import functools
import hashlib
import json
import math
import random
import re
from dataclasses import dataclass, fields
from pathlib import Path

from lexmerge.benchmarks.tasks import defined, leaves, prompts, read_task
from lexmerge.common.errors import StudyError, nearest
from lexmerge.common.files import sha256

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


def ask_other_documents(suite: Suite, count: int, seed: int) -> None:
    """Let tasks that bring their own documents ask `count` of those that the tables do not report.

    They are drawn from another split of their data set: the validation's where the test's is reported, or the
    training's.
    """
    for name, task in suite.tasks.items():
        config = task.config
        reported = config.test_split or config.validation_split
        splits = [s for s in (config.validation_split, config.training_split) if s and s != reported]
        if not splits:
            raise StudyError(
                f"search: {name} has no documents but those that the tables report; leave it out"
            )
        if (config.num_fewshot or 0) and getattr(task.fewshot_cfg, "split", None) == reported:
            raise StudyError(f"search: {name} shows documents that the tables report, solved; leave it out")
        documents = task.dataset[splits[0]]
        if len(documents) < count:
            raise StudyError(
                f"search: {name} has {len(documents)} documents beside those of the tables, and not {count}; "
                "lower `search.documents`"
            )
        task.dataset[splits[0]] = documents.shuffle(seed=seed).select(range(count))
        task.set_config(key="test_split", value=splits[0])


def documents_hash(task: object) -> str:
    """A hash of what a task asks and shows, for tasks that bring their own documents."""
    shown = task.fewshot_docs() if task.get_config("num_fewshot") else []
    found = hashlib.sha256()
    for document in (*task.eval_docs, *(shown or [])):
        found.update(json.dumps(document, sort_keys=True, default=str).encode())
    return found.hexdigest()


def definition_of(task: object) -> dict:
    """A task as the harness has it, without what is of this machine."""
    addresses = re.compile(r" at 0x[0-9a-f]+")
    definition = json.loads(addresses.sub("", json.dumps(strict(task.dump_config()))))
    definition["metadata"] = of_any_machine(definition.get("metadata"))
    return {key: value for key, value in definition.items() if key != "dataset_kwargs"}


def of_any_machine(metadata: dict | None) -> dict:
    """The metadata without the path of the file that it is from."""
    return {key: value for key, value in (metadata or {}).items() if key != "config_source"}


@functools.cache
def compile_templates_once() -> None:
    """The harness compiles templates anew for each document, which takes longer than to fill them."""
    from lm_eval.utils import env

    env.from_string = functools.cache(env.from_string)


def run_task(model: object, name: str, task: object, settings: dict, resamples: int = 0) -> dict:
    """What `lm_eval.evaluate` gives for one task, with so many resamples behind its standard errors."""
    import lm_eval

    compile_templates_once()
    # A document that is asked with several prompts is as many samples.
    limit = settings.get("limit") and settings["limit"] * len(prompts(task.dump_config()))
    set_seeds(task)
    # `simple_evaluate` does this too, and asks the machine for all its packages after each task, for 0.7 s.
    return lm_eval.evaluate(
        lm=model,
        task_dict={"tasks": {name: task}, "groups": {}, "group_map": {}},
        limit=limit,
        bootstrap_iters=resamples,
        apply_chat_template=settings["chat_template"],
        fewshot_as_multiturn=settings["chat_template"],
    )


def one_task(model: object, name: str, task: object, settings: dict) -> dict:
    """What lm-eval says of one task, and its samples, as strict JSON."""
    given = run_task(model, name, task, settings, resamples=1000)
    results = {key: given[key].get(name) for key in KEPT} | {"configs": definition_of(task)}
    return strict({"results": results, "samples": rows_of(given, name, task)})


def rows_of(given: dict, name: str, task: object) -> list[dict]:
    """One row for each sample of a task that `run_task` ran, in order of the documents."""
    samples = sorted(given["samples"][name], key=lambda sample: sample["doc_id"])
    several = len(prompts(task.dump_config())) > 1
    return [{"task": name, **sample_row(sample, several)} for sample in samples]


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
