"""What a run needs and a dry run does not: the user's data, keys, and packages."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.tasks import leaves
from lexmerge.models.backend import BACK_ENDS, harness_back_ends

TABLES = (
    *("judging.ratings", "vocabulary.terms", "translations.path", "translations.overrides"),
    *("published.definition_scores", "published.benchmarks"),
)


def readiness_faults(config: dict, environments: bool = False, models: bool = True) -> list[str]:
    """What a run needs and a dry run does not: the user's data, keys, and what is not installed everywhere.

    With `environments`, each rule gets one of its own, and what is installed here does not matter. Without
    `models`, only the vocabulary is made.
    """
    faults = []
    for place, path in _data_paths(config):
        if not (models or place.startswith("vocabulary.")):
            continue
        if path and not Path(path).exists():
            known = place in ("vocabulary.terminology.path", "vocabulary.corpus.path")
            hint = "; the README says where to get it" if known else ""
            faults.append(f"{place}: there is nothing at {path}{hint}")
        elif path and place in TABLES and not Path(path).is_file():
            faults.append(f"{place}: {path} is a folder and no table")
    if not models:
        return faults
    back_ends = {
        "definitions": BACK_ENDS[config["definitions"]["backend"]],
        "benchmarking": harness_back_ends()[config["benchmarking"]["backend"]],
    }
    for section, back_end in back_ends.items():
        if back_end.module and not environments and find_spec(back_end.module) is None:
            install = "install envs/workstation-vllm.txt, or run with --software-deployment-method conda"
            faults.append(f"{section}.backend: there is no {back_end.module} in this environment; {install}")
    for name, judge in config["judges"].items():
        variable = judge.get("key_variable")
        if variable and not os.environ.get(variable) and not _judged(config, name):
            faults.append(f"judges.{name}: no key; set the environment variable {variable} to it")
    variable = config["translations"].get("key_variable")
    translated = Path("results", config["study"]["name"], "vocabulary", "translations.tsv").exists()
    if variable and not os.environ.get(variable) and not translated:
        faults.append(f"translations: no key; set the environment variable {variable} to it")
    return faults


def _judged(config: dict, judge: str) -> bool:
    """Is there already everything that this judge is asked for?"""
    results, study = Path("results", config["study"]["name"]), config["study"]
    folders = ["judgements", *(["transfer/judgements"] if config["definitions"]["both_languages"] else [])]
    tested = (*study["models"], *study["merges"])
    files = [f"{folder}/{judge}/{model}.jsonl" for folder in folders for model in tested]
    return all((results / file).exists() for file in (*files, f"controls/{judge}.jsonl"))


def _data_paths(config: dict) -> Iterator[tuple[str, str | None]]:
    vocabulary, translations = config["vocabulary"], config["translations"]
    yield "vocabulary.terms", vocabulary.get("terms")
    yield "vocabulary.terminology.path", vocabulary.get("terminology", {}).get("path")
    if vocabulary.get("corpus", {}).get("format") != "nltk":  # what is missing of NLTK's data is fetched
        yield "vocabulary.corpus.path", vocabulary.get("corpus", {}).get("path")
    for key in ("path", "overrides"):
        yield f"translations.{key}", translations.get(key)
    for name, judge in config["judges"].items():
        yield f"judges.{name}.gold", judge.get("gold")
    yield "judging.ratings", config["judging"].get("ratings")
    for key in ("definition_scores", "benchmarks"):
        yield f"published.{key}", config.get("published", {}).get(key)
    for name, suite in config["benchmarks"].items():
        source = DATA_SOURCES[suite["data"]["source"]]
        if source.needs_path:
            for task in leaves(suite["folder"], suite["tasks"]):
                for file in source.files(task, "test", suite["data"]["path"]):
                    yield f"benchmarks.{name}.data.path", str(file)
