"""The tasks, groups and columns of a suite, from its entry in the config, before anything runs."""

from typing import Any

from lexmerge.benchmarks.own_tasks import is_tag, own_columns, own_definition, own_leaves
from lexmerge.benchmarks.tasks import TaskDefinition, columns, defined, leaves, read_task
from lexmerge.common.errors import StudyError

SuiteConfig = dict[str, Any]  # an entry of `benchmarks`; without `folder` its tasks are the harness's own


def tasks_of(suite: SuiteConfig) -> list[str]:
    """List the tasks of a suite, including those of its groups and tags, without duplicates.

    Args:
        suite: The suite's entry in the config.

    Returns:
        The names; those in the config for the harness's own tasks if the harness is not installed.

    Raises:
        StudyError: A task or group is not defined.
    """
    return leaves(suite["folder"], suite["tasks"]) if "folder" in suite else own_leaves(suite["tasks"])


def columns_of(suite: SuiteConfig) -> list[str]:
    """List the tasks and groups of a suite that get a column in the tables.

    Args:
        suite: The suite's entry in the config.

    Returns:
        The names in the config; a tag and a group without a mean are replaced by their members.
    """
    return columns(suite["folder"], suite["tasks"]) if "folder" in suite else own_columns(suite["tasks"])


def definition_in(suite: SuiteConfig, name: str) -> TaskDefinition:
    """Read the definition of one of a suite's tasks or groups; empty if there is none, as for a tag."""
    if "folder" not in suite:
        return own_definition(name)
    file = defined(suite["folder"]).get(name)
    return read_task(file) if file else {}


def tasks_in(suite: SuiteConfig) -> list[str]:
    """List the names in a suite that a search objective may use.

    Args:
        suite: The suite's entry in the config.

    Returns:
        The suite's tasks and groups, and the tasks of these groups and of its tags.
    """
    try:
        below = tasks_of(suite)
    except StudyError:  # the check of the suite reports it
        below = []
    named = [name for name in suite["tasks"] if "folder" in suite or not is_tag(name)]
    return list(dict.fromkeys([*named, *below]))


def suite_of(task: str, suites: dict[str, SuiteConfig]) -> str | None:
    """Find the suite of a search objective's task.

    Args:
        task: The name of a task or group.
        suites: The suites' entries in the config, by name.

    Returns:
        The suite's name; None if no suite has the task.
    """
    return next((name for name, suite in suites.items() if task in tasks_in(suite)), None)
