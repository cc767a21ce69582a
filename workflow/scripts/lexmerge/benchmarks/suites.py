"""Load the tasks of a suite into LM Evaluation Harness, run them on a model, and assemble the results."""

import functools
import hashlib
import json
import math
import random
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexmerge.benchmarks.fetched import named_data_sets, revisions
from lexmerge.benchmarks.own_tasks import own_fault, own_needed
from lexmerge.benchmarks.rows import Results, Sample
from lexmerge.benchmarks.tasks import TaskDefinition, defined, definition_files, leaves, read_task, variants
from lexmerge.common.errors import StudyError, nearest
from lexmerge.common.files import sha256

if TYPE_CHECKING:  # importing lm-eval takes seconds
    from lm_eval.api.group import Group
    from lm_eval.api.model import LM
    from lm_eval.api.task import Task
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._index import Entry

SEEDS = {"random_seed": 0, "numpy_random_seed": 1234, "torch_random_seed": 1234, "fewshot_random_seed": 1234}
KEPT = ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples")


@dataclass(frozen=True)
class Suite:
    """A suite's tasks, ready to run.

    Attributes:
        names: The tasks and groups that the config names, with each tag replaced by its tasks.
        tasks: lm-eval's Task objects by name.
        groups: lm-eval's Group objects by name.
        data: The SHA-256 of each task's documents, by task and split; for tasks that bring their own empty
            until `with_documents` adds it.
        modules: The SHA-256 of each Python file in the folder of the definitions, and of each other file
            except YAML that they depend on, by relative path.
    """

    names: list[str]
    tasks: "dict[str, Task]"
    groups: "dict[str, Group]"
    data: dict[str, dict[str, str]]
    modules: dict[str, str]


def load_suite(names: list[str], folder: str | None, data: dict[str, dict[str, Path]]) -> Suite:
    """Load the tasks of a suite.

    Args:
        names: The tasks, groups and tags that the config names.
        folder: The folder of their definitions; None for the harness's own tasks.
        data: The file of documents by task and split; empty if the tasks bring their own documents.

    Returns:
        The suite.

    Raises:
        StudyError: The harness does not know one of the names, a data set cannot be loaded, or a group
            changes a task that the suite also has without the change.
    """
    manager = manager_of(names, folder)
    if unknown := [name for name in names if name not in manager.task_index]:
        fault = own_fault(unknown[0]) if folder is None else None
        known = nearest(unknown[0], manager.all_tasks) if folder else "see `lm-eval ls tasks`"
        raise StudyError(f"benchmarks: {fault or f'there is no task {unknown[0]!r}; {known}'}")
    modules = {}
    if folder:
        read = {Path(file) for file in definition_files(folder, names) if not file.endswith(".yaml")}
        code = sorted(read | set(Path(folder).rglob("*.py")))
        modules = {file.relative_to(folder).as_posix(): sha256(file) for file in code}
    asked, names = names, [task for name in names for task in tagged(manager.task_index[name])]
    if not data:
        with named_data_sets(asked, folder):
            return Suite(names, *load_each(manager, names), {}, modules)
    given = [
        {"task": task, "dataset_kwargs": {"data_files": {k: str(f.resolve()) for k, f in files.items()}}}
        for task, files in data.items()
    ]
    with named_data_sets(asked, folder):
        tasks = manager.load([{"group": "suite", "task": given}])["tasks"]
    assert folder is not None  # only tasks that a folder defines are given documents
    groups = {name: group_of(folder, name, tasks) for name in names if name not in tasks}
    checksums = {task: {split: sha256(file) for split, file in files.items()} for task, files in data.items()}
    return Suite(names, tasks, groups, checksums, modules)


def manager_of(names: list[str], folder: str | None) -> "TaskManager":
    """Make the harness's index of tasks.

    Args:
        names: The tasks, groups and tags to load.
        folder: The folder of their definitions; None for the harness's own tasks.

    Returns:
        The index of the folder; of the harness's own definitions only those that `names` need, since the
        harness would parse all of them.
    """
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._index import Entry, Kind

    manager = TaskManager(include_path=folder, include_defaults=False)
    for name, entry in own_needed(names).items() if folder is None else []:
        if isinstance(entry, frozenset):
            manager.task_index[name] = Entry(name, Kind.TAG, None, tags=set(entry))
        else:
            kind = Kind.GROUP if "group" in read_task(entry) else Kind.TASK
            manager.task_index[name] = Entry(name, kind, entry)
    return manager


def load_each(manager: "TaskManager", names: list[str]) -> "tuple[dict[str, Task], dict[str, Group]]":
    """Load tasks that bring their own documents; a task may be both listed and in a listed group.

    Args:
        manager: The harness's index.
        names: Tasks and groups.

    Returns:
        lm-eval's Task and Group objects by name.

    Raises:
        StudyError: A data set cannot be loaded, or a group changes a task that is also there unchanged.
    """
    tasks: dict[str, Task] = {}
    groups: dict[str, Group] = {}
    for name in names:
        loaded = manager.load([name])
        for task, made in loaded["tasks"].items():
            if definition_of(made) != definition_of(tasks.setdefault(task, made)):
                raise StudyError(
                    f"benchmarks: {name} changes the definition of {task}, which the suite also has without "
                    "this change; drop one of them"
                )
        groups |= loaded["groups"]
    return tasks, groups


def tagged(entry: "Entry") -> list[str]:
    """List the names that an entry of lm-eval's index stands for: itself, or the tasks of a tag."""
    return sorted(entry.tags) if entry.yaml_path is None and entry.tags else [entry.name]


def group_of(folder: str, name: str, tasks: "dict[str, Task]") -> "Group":
    """Make lm-eval's Group of a name from loaded tasks."""
    from lm_eval.api.group import Group
    from lm_eval.config.group import GroupConfig

    definition = read_task(defined(folder)[name])
    known = {field.name for field in fields(GroupConfig)}
    group = Group.from_config(GroupConfig(**{k: v for k, v in definition.items() if k in known}))
    for task in leaves(folder, [name]):
        group.add(tasks[task])
    return group


def ask_other_documents(suite: Suite, count: int, seed: int) -> None:
    """Switch tasks that bring their own documents to documents that the tables do not report.

    These are drawn from another split of the data set: the validation split if the tables report the test
    split, or else the training split.

    Args:
        suite: The suite, whose tasks are changed in place.
        count: The number of documents for each task.
        seed: The seed of the draw.

    Raises:
        StudyError: A task has too few such documents, or shows reported documents as solved examples.
    """
    for name, task in suite.tasks.items():
        config = task.config
        reported, shown = config.test_split or config.validation_split, shown_split(task)
        splits = [s for s in (config.validation_split, config.training_split) if s and s != reported]
        if not splits:
            raise StudyError(
                f"search: {name} has only documents that the tables report; leave it out of the objective"
            )
        if shown == reported:
            raise StudyError(
                f"search: {name} has documents that the tables report as few-shot examples; leave it out of "
                "the objective"
            )
        documents = task.dataset[splits[0]]
        if len(documents) < count:
            raise StudyError(
                f"search: {name} has {len(documents)} documents that the tables do not report, "
                f"fewer than {count}; lower `search.documents`"
            )
        task.dataset[splits[0]] = documents.shuffle(seed=seed).select(range(count))
        task.set_config(key="test_split", value=splits[0])
        if shown == splits[0]:
            show_other_examples(name, task)


def shown_split(task: "Task") -> str | None:
    """Name the split of a task's few-shot examples; None if it has none or lists them itself."""
    config, examples = task.config, task.fewshot_cfg
    if not config.num_fewshot:
        return None
    default = config.training_split or config.validation_split or config.test_split
    split: str | None = examples.split or (None if examples.samples is not None else default)
    return split


def show_other_examples(name: str, task: "Task") -> None:
    """Remove the documents that a task asks from those that it shows as solved examples.

    Args:
        name: The task's name.
        task: lm-eval's Task object.

    Raises:
        StudyError: Too few solved examples are left.
    """
    asked = list(task.eval_docs)
    left = [example for example in task.sampler.df if example not in asked]
    if len(left) <= task.config.num_fewshot:  # the harness may draw one more than it shows
        raise StudyError(
            f"search: {name} has only {len(left)} documents left for few-shot examples; lower "
            "`search.documents`"
        )
    task.sampler.replace_df(left)


def documents_hash(task: "Task") -> str:
    """Hash the documents and the solved examples of a task that brings its own.

    Args:
        task: lm-eval's Task object.

    Returns:
        The SHA-256 in hexadecimal digits.
    """
    shown = task.fewshot_docs() if task.get_config("num_fewshot") else []
    digest = hashlib.sha256()
    for document in (*task.eval_docs, *(shown or [])):
        digest.update(json.dumps(document, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def with_documents(suite: Suite) -> Suite:
    """Add the hash of the documents of tasks that bring their own to a suite's `data`."""
    data = dict(suite.data)
    for name in suite.tasks.keys() - data.keys():
        data[name] = {"documents": documents_hash(suite.tasks[name])}
    return replace(suite, data=data)


def definition_of(task: "Task") -> TaskDefinition:
    """Describe a task as the harness has loaded it, without paths and addresses of this machine.

    Args:
        task: lm-eval's Task object.

    Returns:
        The task's definition, as strict JSON.
    """
    addresses = re.compile(r" at 0x[0-9a-f]+")
    definition: TaskDefinition = json.loads(addresses.sub("", json.dumps(strict(task.dump_config()))))
    definition["metadata"] = of_any_machine(definition.get("metadata"))
    return {key: value for key, value in definition.items() if key != "dataset_kwargs"}


def of_any_machine(metadata: dict[str, Any] | None) -> dict[str, Any]:
    """Remove the path of the definition's file from metadata."""
    return {key: value for key, value in (metadata or {}).items() if key != "config_source"}


@functools.cache
def compile_templates_once() -> None:
    """Cache the harness's compiled templates: it compiles them again for each document, which is slow."""
    from lm_eval.utils import env

    env.from_string = functools.cache(env.from_string)


def run_task(
    model: "LM", name: str, task: "Task", settings: dict[str, Any], resamples: int = 0
) -> dict[str, Any]:
    """Run one task on a model.

    Args:
        model: lm-eval's LM object.
        name: The task's name.
        task: lm-eval's Task object.
        settings: `chat_template`, True to put questions into the model's chat template, and `limit`, the
            number of documents (None or absent: all).
        resamples: The number of bootstrap resamples for lm-eval's standard errors.

    Returns:
        The return value of `lm_eval.evaluate`, with the samples.
    """
    import lm_eval

    compile_templates_once()
    # lm-eval counts each variant of a document as a sample.
    limit = settings.get("limit") and settings["limit"] * len(variants(task.dump_config()))
    set_seeds(task)
    # Not `simple_evaluate`: it lists the installed packages after each task, which takes 0.7 s.
    evaluated: dict[str, Any] = lm_eval.evaluate(
        lm=model,
        task_dict={"tasks": {name: task}, "groups": {}, "group_map": {}},
        limit=limit,
        bootstrap_iters=resamples,
        apply_chat_template=settings["chat_template"],
        fewshot_as_multiturn=settings["chat_template"],
    )
    return evaluated


def one_task(model: "LM", name: str, task: "Task", settings: dict[str, Any]) -> dict[str, Any]:
    """Run one task on a model and select the parts of its results that the workflow uses.

    Args:
        model: lm-eval's LM object.
        name: The task's name.
        task: lm-eval's Task object.
        settings: See `run_task`.

    Returns:
        `results`, lm-eval's results for the keys in KEPT, and `samples`, one row for each; as strict JSON.
    """
    evaluated = run_task(model, name, task, settings, resamples=1000)
    results = {key: evaluated[key].get(name) for key in KEPT} | {"configs": definition_of(task)}
    plain: dict[str, Any] = strict({"results": results, "samples": rows_of(evaluated, name, task)})
    return plain


def suite_results(
    suite: Suite, by_task: dict[str, dict[str, Any]], settings: dict[str, Any], files: dict[str, str]
) -> tuple[Results, list[Sample]]:
    """Assemble the results of a suite from the results of its tasks.

    Args:
        suite: The suite.
        by_task: The return value of `one_task` for each task of the suite.
        settings: The settings that the suite was run with.
        files: The SHA-256 of each of the model's files, by name.

    Returns:
        The results in lm-eval's form, with the values of the suite's groups; and the samples of all tasks.
    """
    import lm_eval

    results: Results = {key: {task: by_task[task]["results"][key] for task in suite.tasks} for key in KEPT}
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
        "data_revisions": {name: revisions(task) for name, task in suite.tasks.items()},
        "model_files": files,
        "config": {**settings, "softmax_dtype": "float32", **SEEDS},
        "lm_eval_version": lm_eval.__version__,
    }, [row for task in suite.tasks for row in by_task[task]["samples"]]


def columns(suite: Suite) -> list[str]:
    """List the tasks and groups that have a column in the tables.

    Args:
        suite: The suite.

    Returns:
        The tasks and groups that the config names; a group without a mean is replaced by its members.
    """

    def shown(name: str) -> list[str]:
        group = suite.groups.get(name)
        if group is None or group.has_aggregation:
            return [name]
        return [column for child in group.child_names for column in shown(child)]

    return list(dict.fromkeys(column for name in suite.names for column in shown(name)))


def rows_of(evaluated: dict[str, Any], name: str, task: "Task") -> list[Sample]:
    """Make the rows of a task's samples.

    Args:
        evaluated: The return value of `run_task`.
        name: The task's name.
        task: lm-eval's Task object.

    Returns:
        One row for each sample, in the order of the documents; see `sample_row`.
    """
    samples = sorted(evaluated["samples"][name], key=lambda sample: sample["doc_id"])
    several = len(variants(task.dump_config())) > 1
    return [{"task": name, **sample_row(sample, several)} for sample in samples]


def set_seeds(task: "Task") -> None:
    """Set the seeds and the default of no solved examples, as lm-eval's `simple_evaluate` does."""
    import numpy
    import torch

    random.seed(SEEDS["random_seed"])
    numpy.random.seed(SEEDS["numpy_random_seed"])
    torch.manual_seed(SEEDS["torch_random_seed"])
    if task.get_config("num_fewshot") is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=SEEDS["fewshot_random_seed"])


def sample_row(sample: dict[str, Any], several: bool) -> Sample:
    """Select the parts of a sample that the statistics use.

    Args:
        sample: lm-eval's sample; a task with several filters has one for each filter.
        several: True if the task asks each document in several variants. The task's `process_docs` then
            adds the fields `document`, the same for all variants of a document, and `template`, the variant.

    Returns:
        The row, without `task`; see `rows.Sample`.
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


def strict(value: Any) -> Any:
    """Convert a value to strict JSON, which has no NaN.

    Args:
        value: Any value.

    Returns:
        The value with NaN and infinite numbers as None, tuples as lists, and objects as their name or text.
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
