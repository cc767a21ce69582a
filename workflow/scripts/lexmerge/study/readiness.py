"""Checks that a run needs and a dry run does not: the user's data, API keys and installed packages."""

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.suite_members import tasks_of
from lexmerge.models.backend import BACK_ENDS, harness_back_ends
from lexmerge.study.folder import unsupported_folder
from lexmerge.study.paths import looked_at

TABLES = (
    *("judging.ratings", "vocabulary.terms", "translations.path", "translations.overrides"),
    *("published.definition_scores", "published.benchmarks"),
)


def readiness_faults(
    config: dict[str, Any], results: str, environments: bool = False, models: bool = True
) -> list[str]:
    """Check that the user's data, API keys and optional packages are there.

    Args:
        config: The resolved study.
        results: The folder of its results.
        environments: True if each rule gets its own environment, so that packages here do not matter.
        models: False if no model is asked, so that only the vocabulary's data is needed.

    Returns:
        A line for each thing that is missing, with its remedy.
    """
    faults = []
    if not environments and (fault := unsupported_folder(sys.executable)):
        faults.append(fault)
    for place, path in _data_paths(config):
        if not (models or place.startswith("vocabulary.")):
            continue
        if path and not Path(path).exists():
            known = place in ("vocabulary.terminology.path", "vocabulary.corpus.path")
            hint = "; docs/paper.md says where to get it" if known else ""
            faults.append(f"{place}: there is no {looked_at(path)}{hint}")
        elif path and place in TABLES and not Path(path).is_file():
            faults.append(f"{place}: {Path(path).absolute()} is a folder; a table is needed")
    if not models:
        return faults
    back_ends = {"definitions": BACK_ENDS[config["definitions"]["backend"]]}
    if config["benchmarks"]:
        back_ends["benchmarking"] = harness_back_ends()[config["benchmarking"]["backend"]]
    for section, back_end in back_ends.items():
        if back_end.module and not environments and find_spec(back_end.module) is None:
            install = "install envs/workstation-vllm.txt, or run with --software-deployment-method conda"
            faults.append(
                f"{section}.backend: {back_end.module} is not installed in this environment; {install}"
            )
    for name, judge in config["judges"].items():
        variable = judge.get("key_variable")
        if variable and not os.environ.get(variable) and not _judged(config, name, Path(results)):
            faults.append(f"judges.{name}: no API key; put it into the environment variable {variable}")
    variable = config["translations"].get("key_variable")
    translated = Path(results, "vocabulary", "translations.tsv").exists()
    if variable and not os.environ.get(variable) and not translated:
        faults.append(f"translations: no API key; put it into the environment variable {variable}")
    return faults


def _judged(config: dict[str, Any], judge: str, results: Path) -> bool:
    """True if all judgements and controls of a judge exist, so that it will not be asked."""
    study = config["study"]
    folders = ["judgements", *(["transfer/judgements"] if config["definitions"]["both_languages"] else [])]
    tested = (*study["models"], *study["merges"])
    files = [f"{folder}/{judge}/{model}.jsonl" for folder in folders for model in tested]
    return all((results / file).exists() for file in (*files, f"controls/{judge}.jsonl"))


def _data_paths(config: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield the config key and value of each path to the user's data; None if the key is not set."""
    vocabulary, translations = config["vocabulary"], config["translations"]
    yield "vocabulary.terms", vocabulary.get("terms")
    yield "vocabulary.terminology.path", vocabulary.get("terminology", {}).get("path")
    if vocabulary.get("corpus", {}).get("format") != "nltk":  # NLTK's data is downloaded
        yield "vocabulary.corpus.path", vocabulary.get("corpus", {}).get("path")
    for key in ("path", "overrides"):
        yield f"translations.{key}", translations.get(key)
    for name, judge in config["judges"].items():
        yield f"judges.{name}.gold", judge.get("gold")
    if config["judges"]:
        yield "judging.ratings", config["judging"].get("ratings")
    for key, part in (("definition_scores", "judges"), ("benchmarks", "benchmarks")):
        if config[part]:
            yield f"published.{key}", config.get("published", {}).get(key)
    for name, suite in config["benchmarks"].items():
        source = DATA_SOURCES[suite["data"]["source"]]
        if source.needs_path:
            for task in tasks_of(suite):
                for file in source.files(task, "test", suite["data"]["path"]):
                    yield f"benchmarks.{name}.data.path", str(file)
