"""Tasks of LM Evaluation Harness, ready to run, and one of them run on a model that is loaded."""

import functools
import hashlib
import json
import math
import random
import re
from dataclasses import dataclass, fields
from pathlib import Path

from lexmerge.benchmarks.tasks import defined, leaves, read_task, variants
from lexmerge.common.errors import StudyError, nearest
from lexmerge.common.files import sha256

SEEDS = {"random_seed": 0, "numpy_random_seed": 1234, "torch_random_seed": 1234, "fewshot_random_seed": 1234}
KEPT = ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples")


@dataclass(frozen=True)
class Suite:
    """A suite's tasks, ready to run.

    Attributes:
        names: The tasks and groups as the config names them.
        tasks: lm-eval's Task objects by name.
        groups: lm-eval's Group objects by name.
        data: The sha256 of each task's documents, by split.
        modules: The sha256 of the Python files in the folder of the definitions, by their path in it.
    """

    names: list[str]
    tasks: dict[str, object]
    groups: dict[str, object]
    data: dict[str, dict[str, str]]
    modules: dict[str, str]


def load_suite(names: list[str], folder: str | None, data: dict[str, dict[str, Path]]) -> Suite:
    """Load the tasks of a suite.

    Args:
        names: The tasks, groups and tags as the config names them.
        folder: The folder of their definitions; None for the harness's own tasks.
        data: The file of documents by task and split; empty when the tasks load what their definitions name.

    Returns:
        The suite.

    Raises:
        StudyError: There is no task of one of the names.
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
    """List what a name of lm-eval's index stands for: the task or group itself, or the tasks of a tag."""
    return sorted(entry.tags) if entry.yaml_path is None and entry.tags else [entry.name]


def group_of(folder: str, name: str, tasks: dict) -> object:
    """Make lm-eval's Group of a name from tasks that are loaded."""
    from lm_eval.api.group import Group
    from lm_eval.config.group import GroupConfig

    definition = read_task(defined(folder)[name])
    known = {field.name for field in fields(GroupConfig)}
    group = Group.from_config(GroupConfig(**{k: v for k, v in definition.items() if k in known}))
    for task in leaves(folder, [name]):
        group.add(tasks[task])
    return group


def ask_other_documents(suite: Suite, count: int, seed: int) -> None:
    """Let tasks that bring their own documents ask some that the tables do not report.

    They are drawn from another split of their data set: the validation split if the test split is reported,
    or the training split.

    Args:
        suite: The suite, whose tasks are changed.
        count: The number of documents of each task.
        seed: The seed of the draw.

    Raises:
        StudyError: A task has too few such documents, or shows reported ones as solved examples.
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
    """Hash what a task asks and shows, for tasks that bring their own documents.

    Args:
        task: lm-eval's Task object.

    Returns:
        The sha256 of its documents and of the examples that it may show, in hexadecimal digits.
    """
    shown = task.fewshot_docs() if task.get_config("num_fewshot") else []
    digest = hashlib.sha256()
    for document in (*task.eval_docs, *(shown or [])):
        digest.update(json.dumps(document, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def definition_of(task: object) -> dict:
    """Describe a task as the harness has it, without what belongs to this machine.

    Args:
        task: lm-eval's Task object.

    Returns:
        Its definition, as strict JSON has it.
    """
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
    """Run one task on a model.

    Args:
        model: lm-eval's LM object.
        name: The task's name.
        task: lm-eval's Task object.
        settings: `chat_template`, whether questions are put into it, and `limit`, the number of documents
            (None or absent: all).
        resamples: The number of bootstrap resamples behind lm-eval's standard errors.

    Returns:
        What `lm_eval.evaluate` returns, with the samples.
    """
    import lm_eval

    compile_templates_once()
    # A document that is asked in several variants is as many samples.
    limit = settings.get("limit") and settings["limit"] * len(variants(task.dump_config()))
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
    """Run one task on a model, and keep what the workflow needs of it.

    Args:
        model: lm-eval's LM object.
        name: The task's name.
        task: lm-eval's Task object.
        settings: See `run_task`.

    Returns:
        `results`, lm-eval's by KEPT, and `samples`, a row each; as strict JSON has them.
    """
    evaluated = run_task(model, name, task, settings, resamples=1000)
    results = {key: evaluated[key].get(name) for key in KEPT} | {"configs": definition_of(task)}
    return strict({"results": results, "samples": rows_of(evaluated, name, task)})


def suite_results(
    suite: Suite, by_task: dict[str, dict], settings: dict, files: dict[str, str]
) -> tuple[dict, list[dict]]:
    """Assemble the results of a suite from those of its tasks.

    Args:
        suite: The suite.
        by_task: What `one_task` returned for each task of the suite.
        settings: How the suite was run.
        files: The sha256 of the model's files by name.

    Returns:
        The results in lm-eval's form, with the values of the suite's groups; and the samples of all tasks,
        a row each.
    """
    import lm_eval

    results = {key: {task: by_task[task]["results"][key] for task in suite.tasks} for key in KEPT}
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
    }, [row for task in suite.tasks for row in by_task[task]["samples"]]


def columns(suite: Suite) -> list[str]:
    """List what has a column in the tables.

    Args:
        suite: The suite.

    Returns:
        The tasks and groups that the config names; in the place of a group without a mean, its members.
    """

    def shown(name: str) -> list[str]:
        group = suite.groups.get(name)
        if group is None or group.has_aggregation:
            return [name]
        return [column for child in group.child_names for column in shown(child)]

    return list(dict.fromkeys(column for name in suite.names for column in shown(name)))


def rows_of(evaluated: dict, name: str, task: object) -> list[dict]:
    """Make the rows of a task's samples.

    Args:
        evaluated: What `run_task` returned.
        name: The task's name.
        task: lm-eval's Task object.

    Returns:
        A row for each sample, in the order of the documents; see `sample_row`.
    """
    samples = sorted(evaluated["samples"][name], key=lambda sample: sample["doc_id"])
    several = len(variants(task.dump_config())) > 1
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
    """Keep what the statistics need of a sample: its document, the target, the responses, and the metrics.

    `document` is the same in the samples of one document that is asked in `several` variants; it and
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
    """Convert a value to what strict JSON has.

    Args:
        value: Any value.

    Returns:
        The value with NaN and infinite numbers as None, tuples as lists, and anything unknown as its name.
    """
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
