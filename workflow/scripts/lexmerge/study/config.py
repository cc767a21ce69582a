"""A study's config: laid over the toy study, checked as a whole, reduced to what it selects."""

from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.study.faults import faults_of
from lexmerge.study.resolution import resolved
from lexmerge.study.schema import schema, with_defaults
from lexmerge.study.selection import overlay, selected, with_sweeps


def load(given: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Resolve the config of one study.

    Args:
        given: The user's config, as Snakemake merged its files and command line.
        base: The toy study's config, over which it is laid.

    Returns:
        The resolved study: what it selects, with all defaults. Jobs receive it as `config["resolved"]`.

    Raises:
        StudyError: With every fault of the config, a line each.
    """
    config = overlay(base, given)
    if faults := faults_of(config):
        raise StudyError("\n".join(["the study's config has faults:", *(f"  - {fault}" for fault in faults)]))
    config.pop("local_rules", None)  # where jobs run is no part of a study
    return resolved(with_defaults(selected(with_sweeps(config)), schema()))


def defined_models(given: dict[str, Any], base: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The models that a config defines, whether the study selects them or not."""
    return overlay(base, given)["models"]
