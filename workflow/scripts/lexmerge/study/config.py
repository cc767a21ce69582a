"""Loading of a study's config: find its paths, add what it inherits, check it and complete it."""

from pathlib import Path
from typing import Any, NamedTuple

from lexmerge.common.errors import StudyError
from lexmerge.common.shipped import PROJECT
from lexmerge.study.faults import faults_of
from lexmerge.study.paths import located
from lexmerge.study.reader import read_config
from lexmerge.study.recipe_models import with_published_recipes
from lexmerge.study.resolution import resolved, with_shipped_prompts
from lexmerge.study.schema import schema, with_defaults
from lexmerge.study.selection import inherited, overlay, selected, with_sweeps

TOY = "config/config.yaml"  # the config of the toy study, which a config without models of its own varies
NOT_THE_STUDY = ("local_rules", "resolved")  # keys of a config that say nothing of a study
Config = dict[str, Any]


class Loaded(NamedTuple):
    """A study's config.

    Attributes:
        study: The resolved study: what it selects, with all defaults. It is `config["resolved"]` in jobs.
        given: The user's config, with its paths found.
        models: All models that the config defines, selected or not.
        origin: One line on what the study takes from which file.
    """

    study: Config
    given: Config
    models: dict[str, Config]
    origin: str


def load(given: Config, files: list[Path]) -> Loaded:
    """Load the config of one study.

    Args:
        given: The user's config, as Snakemake merged its files and the command line; if empty, the toy
            study's is loaded.
        files: The config files, in the order in which Snakemake merged them.

    Returns:
        The study.

    Raises:
        StudyError: If the config has faults; the message lists all of them.
    """
    contents = [(file, read_config(file)) for file in files]
    given = located({key: value for key, value in given.items() if key != "resolved"}, contents)
    base = inherited(given, located(read_config(PROJECT / TOY), []))
    config, unread = with_published_recipes(overlay(base, given), [file.absolute().parent for file in files])
    config = with_shipped_prompts(config)
    if faults := [*unread, *faults_of(config)]:
        raise StudyError("\n".join(["the study's config has faults:", *(f"  - {fault}" for fault in faults)]))
    config.pop("local_rules", None)  # where jobs run is not part of a study
    study = resolved(with_defaults(selected(with_sweeps(config)), schema()))
    return Loaded(study, given, config["models"], _origin(study["study"]["name"], given, base, files))


def _origin(name: str, given: Config, base: Config, files: list[Path]) -> str:
    """One line on what a study takes from which file."""
    own = {key for key in given if key not in NOT_THE_STUDY}
    config = " and ".join(map(str, files)) or "the command line"
    if not own:
        return f"the study {name!r}: the toy study, {PROJECT / TOY}"
    if not base:
        return f"the study {name!r}: all from {config}"
    selected = [f"study.{key}" for key in base["study"] if key not in given.get("study", {})]
    taken = ", ".join([*selected, *(key for key in base if key not in own)])
    return f"the study {name!r}: {config}, and of the toy study {taken}"
