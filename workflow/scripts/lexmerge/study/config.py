"""Loading of a study's config: laid over the toy study's, checked as a whole, reduced to its selection."""

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
        StudyError: If the config has faults; the message lists all of them.
    """
    config = overlay(base, given)
    if faults := faults_of(config):
        raise StudyError("\n".join(["the study's config has faults:", *(f"  - {fault}" for fault in faults)]))
    config.pop("local_rules", None)  # where jobs run is not part of a study
    return resolved(with_defaults(selected(with_sweeps(config)), schema()))


def defined_models(given: dict[str, Any], base: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The models that a config defines, by name, whether or not the study selects them.

    Args:
        given: The user's config.
        base: The toy study's config, over which it is laid.
    """
    models: dict[str, dict[str, Any]] = overlay(base, given)["models"]
    return models
