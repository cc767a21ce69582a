"""Checks of searches, before anything runs."""

from collections.abc import Iterator
from typing import Any

from lexmerge.benchmarks.own_tasks import is_tag, own_leaves
from lexmerge.benchmarks.suite_members import definition_in, suite_of, tasks_in
from lexmerge.common.errors import StudyError, nearest
from lexmerge.common.plurals import counted
from lexmerge.search.budget import least_evaluations
from lexmerge.search.starts import tried_recipes


def search_faults(merge: dict[str, Any], place: str, config: dict[str, Any]) -> Iterator[str]:
    """Check the parameters, recipe, objectives and budget of a search.

    Args:
        merge: A merge as in the config, at one point if it is a sweep.
        place: Its place in the config, for the messages.
        config: The whole config, for the suites whose tasks are objectives.

    Yields:
        A line for each fault; none for a merge without a search.
    """
    if "search" not in merge:
        return
    where, recipe = f"{place}.search", merge["recipe"]
    for name, spec in merge["search"]["parameters"].items():
        yield from _parameter_faults(spec, f"{where}.parameters.{name}")
    for key in ("tokenizer", "tokenizer_source", "chat_template"):
        if key in recipe:
            yield f"{place}.recipe.{key}: candidates are merged in memory, with one tokenizer; drop it"
    if "modules" in recipe:
        yield f"{place}.recipe.modules: a search merges whole models; use models or slices"
    if any("blocks" in spec for spec in merge["search"]["parameters"].values()):
        if not isinstance(recipe.get("models"), list):
            yield f"{where}.parameters: `blocks` make slices, and the recipe has its own; drop one of them"
        spread = {k: v for k, v in tried_recipes(merge)[0].items() if k in ("models", "parameters")}
        if gradients := list(_gradients(spread)):
            yield (
                f"{place}.recipe: the gradient {gradients[0]} would begin anew in each of the `blocks`; "
                "drop one of them"
            )
    if config["study"]["benchmarks"]:
        yield from _objective_faults(merge["search"]["objective"], f"{where}.objective", config)
    else:
        yield (
            f"{where}.objective: a search scores its candidates on benchmark tasks, and study.benchmarks is "
            "empty; select the suites of its tasks, or deselect this merge"
        )
    evaluations, least = merge["search"]["budget"]["evaluations"], least_evaluations(merge["search"])
    if evaluations < least:
        yield (
            f"{where}.budget.evaluations: {counted(evaluations, 'evaluation')} cannot cover the start and "
            f"one generation of {least - 1}; at least {least} are needed"
        )


def _objective_faults(
    given: dict[str, Any] | list[dict[str, Any]], place: str, config: dict[str, Any]
) -> Iterator[str]:
    """Check the weights and the parts of a search's objective, or of its objectives by name."""
    for name, parts in given.items() if isinstance(given, dict) else [("", given)]:
        at = f"{place}.{name}" if name else place
        if not any(part.get("weight", 1) for part in parts):
            yield f"{at}: all weights are 0, so there is nothing to optimise"
        for number, part in enumerate(parts):
            yield from _part_faults(part, f"{at}[{number}]", config)


def _parameter_faults(spec: dict[str, Any], place: str) -> Iterator[str]:
    """Check the range, start and published values of one parameter."""
    low, high = spec["range"]
    if low >= high:
        yield f"{place}.range: {low} is not less than {high}"
    for key in ("start", "published"):
        value = spec.get(key)
        if isinstance(value, list) and len(value) != spec.get("blocks", 1):
            values, blocks = counted(len(value), "value"), counted(spec.get("blocks", 1), "block")
            yield f"{place}.{key}: {values} for {blocks}"
    for value in spec["start"] if isinstance(spec.get("start"), list) else [spec.get("start", low)]:
        if not low <= value <= high:
            yield f"{place}.start: {value} is not in the range from {low} to {high}"


def _gradients(node: object) -> Iterator[list[Any]]:
    """Yield the gradients in a recipe: lists of values that MergeKit spreads over the layers."""
    if isinstance(node, list) and node and not any(isinstance(item, dict) for item in node):
        yield node
    elif isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _gradients(item)


def _part_faults(part: dict[str, Any], place: str, config: dict[str, Any]) -> Iterator[str]:
    """Check the task, metric, filter and sign of the weight of one part of an objective."""
    suites = {n: config["benchmarks"][n] for n in config["study"]["benchmarks"] if n in config["benchmarks"]}
    owner = suite_of(part["task"], suites)
    if owner is None:
        if any(part["task"] in suite["tasks"] for suite in suites.values()) and is_tag(part["task"]):
            named = ", ".join(own_leaves([part["task"]]))
            yield f"{place}.task: {part['task']!r} is a tag, which has no score; name its tasks: {named}"
            return
        known = [task for suite in suites.values() for task in tasks_in(suite)]
        hint = nearest(part["task"], known)
        yield (
            f"{place}.task: no selected suite has the task {part['task']!r}; {hint}. "
            "Select a suite that has it, or deselect this merge"
        )
        return
    suite = suites[owner]
    try:
        definition = definition_in(suite, part["task"])
    except StudyError:  # reported by the check of the suite
        return
    metrics, metric = _metrics(definition), part["metric"].split(",")[0]
    if metrics and metric not in metrics:
        yield f"{place}.metric: {part['task']} has no {metric!r}; {nearest(metric, list(metrics))}"
    elif (by := part["metric"].partition(",")[2]) and by not in (_filters(definition) or [by]):
        yield f"{place}.metric: {part['task']} has no filter {by!r}; {nearest(by, _filters(definition))}"
    elif metrics.get(metric) is False and part.get("weight", 1) > 0:
        yield f"{place}.weight: a lower {metric} is better; give it a negative weight"


def _filters(definition: dict[str, Any]) -> list[str]:
    """The names of a task's filters, or `none`; empty for a group and for a task in Python code."""
    if not definition.keys().isdisjoint(("group", "class")):
        return []
    return [str(f.get("name")) for f in definition.get("filter_list") or []] or ["none"]


def _metrics(definition: dict[str, Any]) -> dict[str, bool | None]:
    """The metrics of a task or group, and whether higher is better; empty if the harness's defaults apply."""
    listed = definition.get("metric_list") or definition.get("aggregate_metric_list") or []
    return {
        item["metric"].rsplit(".")[-1]: item.get("higher_is_better")
        for item in ([listed] if isinstance(listed, dict) else listed)
        if isinstance(item.get("metric"), str)
    }
