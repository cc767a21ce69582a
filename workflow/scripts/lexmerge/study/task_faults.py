"""Faults of benchmark task definitions that the workflow gives documents to."""

from lexmerge.benchmarks.tasks import TaskDefinition, shots


def data_faults(task: TaskDefinition) -> list[str]:
    """List why a definition cannot read the JSONL documents that the workflow provides.

    Args:
        task: The task's definition.

    Returns:
        One line for each reason.
    """
    faults = []
    if task.get("dataset_path") != "json" or task.get("dataset_name"):
        faults.append("needs `dataset_path: json` and no `dataset_name`")
    if task.get("test_split") != "test" or task.get("validation_split"):
        faults.append("needs `test_split: test` and no `validation_split`")
    if task.get("training_split") and not shots(task):
        faults.append("has a `training_split` but no `num_fewshot`: the split would be empty")
    if shots(task) and (task.get("fewshot_split") or task.get("training_split")) != "train":
        faults.append("shows solved examples, so it needs `fewshot_split: train`")
    if "/" in str(task.get("task")):
        faults.append("has a / in its name")
    return faults
