"""Checks of a study's config, before anything runs."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.own_tasks import own_fault
from lexmerge.benchmarks.suite_members import columns_of, tasks_of
from lexmerge.benchmarks.tasks import defined, read_task
from lexmerge.common.errors import StudyError, nearest
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.merges.methods import methods
from lexmerge.merges.recipes import expanded, merged_models
from lexmerge.models.adapted import answers_for_source
from lexmerge.models.backend import BACK_ENDS
from lexmerge.search.starts import tried_recipes
from lexmerge.services.provider import PROVIDERS
from lexmerge.study.address_faults import address_faults
from lexmerge.study.checkpoint_faults import local_faults
from lexmerge.study.name_faults import name_faults, secret_faults
from lexmerge.study.paths import looked_at
from lexmerge.study.prompt_faults import JUDGEMENT, TRANSLATION, prompt_faults
from lexmerge.study.recipe_faults import (
    placeholder_faults,
    recipe_faults,
    recipe_notes,
    search_notes,
    tokenizer_source_faults,
    without_pasted,
)
from lexmerge.study.recipe_models import model_to_add
from lexmerge.study.resolution import judge_keys
from lexmerge.study.schema import schema_faults
from lexmerge.study.search_faults import search_faults
from lexmerge.study.selection import CATALOGUES, kept_merges, selected_models
from lexmerge.study.size_faults import size_faults, with_small_grids
from lexmerge.study.source_faults import source_faults
from lexmerge.study.table_faults import table_faults
from lexmerge.study.task_faults import data_faults
from lexmerge.vocabulary.terminology import TERMINOLOGY_FORMATS
from lexmerge.vocabulary.translator import TRANSLATORS

RULES = Path(__file__).parents[3] / "rules"
# Resources that rules ask for, so that no provider can be named so.
RESOURCES = {
    *("mem_mb", "disk_mb", "runtime", "gpu", "tmpdir", "connections", "requests_per_minute"),
    *("expected_seconds", "output_mb", "calls", "fetches", "merged_again"),
    *("gpu_memory_percent", "max_model_len"),
}
TOY_MODELS = ("toy:ancestor", "toy:generalist", "toy:expert")


def faults_of(config: dict[str, Any]) -> list[str]:
    """Check a config as a whole.

    Args:
        config: A config laid over the toy study's, before the selection.

    Returns:
        A line for each fault, with its place. If the schema finds faults, checks that fail because of them
        are skipped.
    """
    config, faults = without_pasted(config)
    faults += [_with_defined(fault, config) for fault in schema_faults(config)]
    unsound = bool(faults)
    reported = {fault.partition(": ")[0] for fault in faults}
    languages = any(place.startswith("study.languages") for place in reported)
    whole, config = config, with_small_grids(config)
    for check in (
        _registration_faults,
        _number_faults,
        lambda _: size_faults(whole),
        name_faults,
        secret_faults,
        _selection_faults,
        _recipe_faults,
        _checkpoint_faults,
        _model_faults,
        source_faults,
        local_faults,
        _language_faults,
        _definition_faults,
        _judge_faults,
        address_faults,
        _published_faults,
        _vocabulary_faults,
        _translation_faults,
        _benchmark_faults,
        _file_faults,
        table_faults,
        _local_rule_faults,
    ):
        if languages and check in (_language_faults, _vocabulary_faults, table_faults):
            continue  # they would report the same languages again
        try:
            faults += [fault for fault in check(config) if fault.partition(": ")[0] not in reported]
        except (KeyError, TypeError, AttributeError, ValueError):
            if not unsound:
                raise
    return faults


def _with_defined(fault: str, config: dict[str, Any]) -> str:
    """A fault; of a selection that is missing, with the names that it could have."""
    for catalogue in CATALOGUES:
        names = config.get(catalogue)
        if fault.startswith(f"study.{catalogue}: missing.") and isinstance(names, dict) and names:
            return f"{fault} The config defines {', '.join(map(str, names))}."
    return fault


def notes_of(config: dict[str, Any]) -> list[str]:
    """A line for each setting of a resolved study that is allowed but probably unintended."""
    recipes = [
        note
        for name, merge in config["merges"].items()
        for note in (
            *recipe_notes(tried_recipes(merge)[0], f"merges.{name}.recipe"),
            *search_notes(merge, f"merges.{name}"),
        )
    ]
    return [*recipes, *_unused_notes(config)]


def _unused_notes(config: dict[str, Any]) -> Iterator[str]:
    """Name the tables of the user's that are not read, since the study has no judges or no benchmarks."""
    if not config["judges"]:
        if "ratings" in config["judging"]:
            yield "judging.ratings: not used, since study.judges is empty"
        if "definition_scores" in config.get("published", {}):
            yield "published.definition_scores: not used, since study.judges is empty"
    if not config["benchmarks"] and "benchmarks" in config.get("published", {}):
        yield "published.benchmarks: not used, since study.benchmarks is empty"


def _number_faults(config: object, place: str = "") -> Iterator[str]:
    """Find YAML's `.nan` and `.inf`, which JSON Schema takes for numbers."""
    if isinstance(config, dict | list):
        parts = config.items() if isinstance(config, dict) else enumerate(config)
        for key, value in parts:
            yield from _number_faults(value, f"{place}.{key}" if place else str(key))
    elif isinstance(config, float) and not math.isfinite(config):
        yield f"{place}: not a finite number"


def _selection_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find names under `study` that are not defined."""
    study = config["study"]
    for catalogue in CATALOGUES:
        for name in study[catalogue]:
            yield from _known(f"study.{catalogue}", name, config[catalogue])
    for role in ("expert", "generalist"):
        yield from _known(f"study.{role}", study[role], config["models"])
        if study[role] not in study["models"]:
            yield f"study.models: the {role} {study[role]!r} is missing; add it, since it is a baseline"


def _recipe_faults(config: dict[str, Any]) -> Iterator[str]:
    """Check the recipes that the study selects, at each point of a sweep."""
    named: dict[str, str] = {}
    for name in (name for name in dict.fromkeys(config["study"]["merges"]) if name in config["merges"]):
        merge, place = config["merges"][name], f"merges.{name}"
        yield from tokenizer_source_faults(merge["recipe"], f"{place}.recipe", config["models"])
        for model in merged_models(merge["recipe"]):
            to_add = None if model in config["models"] else model_to_add(f"{place}.recipe", model)
            yield from [to_add] if to_add else _known(f"{place}.recipe", model, config["models"])
        open_places = list(placeholder_faults(merge, place))
        yield from open_places
        if open_places or merge["recipe"].get("merge_method") not in methods():
            continue
        points = expanded(name, merge)
        yield from dict.fromkeys(
            fault for point in points.values() for fault in search_faults(point, place, config)
        )
        yield from dict.fromkeys(
            fault
            for point in points.values()
            for recipe in tried_recipes(point)
            for fault in recipe_faults(recipe, f"{place}.recipe")
        )
        for point in points:
            if point in config["models"] or (point != name and point in config["merges"]) or point in named:
                yield f"{place}: {point!r} is also the name of another model or merge; rename one of them"
            named[point] = name


def _checkpoint_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find merges to keep that the study lacks, and a limit without room for another merge."""
    if "checkpoints" not in config.get("merging", {}):
        return
    given, place = config["merging"]["checkpoints"], "merging.checkpoints"
    selected = [name for name in config["study"]["merges"] if name in config["merges"]]
    points = {name: expanded(name, config["merges"][name]) for name in selected}
    merges = [merge for part in points.values() for merge in part]
    for name in given.get("keep", []):
        yield from _known(f"{place}.keep", name, dict.fromkeys([*points, *merges]))
    kept = kept_merges(given.get("keep", []), points)
    if given["at_most"] < (least := min(len(kept) + 1, len(merges))):
        yield (
            f"{place}.at_most: {given['at_most']} leaves no room to make a merge when {len(kept)} are kept; "
            f"set it to {least} or more, or keep fewer"
        )


def _model_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find sources that are not a toy model, a folder or a pinned hub model."""
    for name in selected_models(config):
        if not answers_for_source(config["models"], name):
            continue
        source, pinned = config["models"][name]["source"], "revision" in config["models"][name]
        if source.startswith("toy:"):
            if source not in TOY_MODELS:
                hint = nearest(source, list(TOY_MODELS))
                yield f"models.{name}.source: {source!r} is not a toy model; {hint}"
        elif not Path(source).is_dir():
            if source.count("/") != 1 or source.startswith((".", "/", "~")):
                yield (
                    f"models.{name}.source: {source!r} is not a hub id such as org/name, and there is no "
                    f"folder {looked_at(source)}"
                )
            elif not pinned:
                yield (
                    f"models.{name}.revision: missing; pin the hub model {source!r} to a commit. If a folder "
                    f"is meant, there is none at {looked_at(source)}"
                )


def _language_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find equal or unknown languages, and languages without a prompt."""
    source, target = (config["study"]["languages"][end] for end in ("source", "target"))
    prompts = config["definitions"].get("prompts", {})
    if source == target:
        yield f"study.languages: source and target are both {source!r}"
    for language in dict.fromkeys((source, target)):
        if language not in prompts:
            yield (
                f"definitions.prompts.{language}: missing; give the path of a text file with the prompt in "
                "this language, in which {term} stands for the term"
            )
    for name in selected_models(config):
        language = config["models"][name].get("language", target)
        if language not in (source, target):
            hint = nearest(language, [source, target])
            yield f"models.{name}.language: {language!r} is not one of the study's languages; {hint}"


def _definition_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find `one_engine` with a back end that cannot swap weights."""
    definitions = config["definitions"]
    able = [name for name, back_end in BACK_ENDS.items() if back_end.swaps_weights]
    if definitions.get("one_engine") and definitions.get("backend") not in able:
        one_of = " or ".join(map(repr, able))
        yield f"definitions.one_engine: only with the back end {one_of}; set definitions.backend, or drop it"


def _registration_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find registered files whose names clash: with each other, or with a resource of jobs."""
    for name in sorted(set(LEXICAL_JUDGES) & set(PROVIDERS)):
        files = f"{LEXICAL_JUDGES.file(name)} and {PROVIDERS.file(name)}"
        yield f"judges: {files} have the same name; rename one of them"
    for name in sorted(set(PROVIDERS) & RESOURCES):
        yield f"{PROVIDERS.file(name)}: {name!r} is a resource of jobs; rename the file"
    for name in sorted(set(PROVIDERS) & set(TRANSLATORS)):
        if "model" not in TRANSLATORS[name].keys:
            files = f"{TRANSLATORS.file(name)} and {PROVIDERS.file(name)}"
            yield f"translations: {files} have the same name; rename one of them"


def _judge_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find settings of another kind of judge, and prompts without a placeholder that the judge needs."""
    if injection := config.get("judging", {}).get("controls", {}).get("injection"):
        yield from prompt_faults("judging.controls.injection", injection, (), ())
    for name in (name for name in config["study"]["judges"] if name in config["judges"]):
        judge, place = config["judges"][name], f"judges.{name}"
        if judge["provider"] not in (*LEXICAL_JUDGES, *PROVIDERS):
            continue  # the schema reports it
        kind = "a lexical judge" if judge["provider"] in LEXICAL_JUDGES else "a language model"
        for key in judge:
            if key not in ("provider", *judge_keys(judge["provider"])):
                yield f"{place}.{key}: {judge['provider']} is {kind}, which has no such setting"
        if judge.get("mode") == "batch" and not PROVIDERS[judge["provider"]].batches:
            yield f"{place}.mode: {judge['provider']} has no batches; use `now`"
        if "prompt" in judge:
            needed = ["term", "definition", *(["reference"] if not judge.get("blind") else [])]
            yield from prompt_faults(f"{place}.prompt", judge["prompt"], JUDGEMENT, needed)


def _published_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find a `published` section without a table."""
    if "published" in config and not {"definition_scores", "benchmarks"} & config["published"].keys():
        yield "published: no table is given; give definition_scores, benchmarks, or both"


def _vocabulary_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find settings of the vocabulary that contradict each other or have no effect."""
    vocabulary = config["vocabulary"]
    if "terms" in vocabulary:
        for key in ("terminology", "corpus", "tagger", "filters"):
            if key in vocabulary:
                yield f"vocabulary.{key}: it has no effect when `terms` is given; drop one of them"
    else:
        yield from _terminology_faults(vocabulary, config["study"]["languages"]["source"])


def _translation_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find settings of a provider other than the study's."""
    chosen = config["translations"]["provider"]
    for key in config["translations"].keys() - {"provider", "overrides", *TRANSLATORS[chosen].keys}:
        owners = " or ".join(repr(name) for name, other in TRANSLATORS.items() if key in other.keys)
        if owners:
            yield f"translations.{key}: only for the provider {owners}; this study uses {chosen!r}"


def _terminology_faults(vocabulary: dict[str, Any], source: str) -> Iterator[str]:
    """Find settings that the terminology's format or the tagger does not support."""
    terminology, tagger = vocabulary["terminology"], vocabulary.get("tagger", "nltk")
    names, refset = terminology.get("names", []), terminology.get("language_refset")
    chosen = TERMINOLOGY_FORMATS[terminology["format"]]
    if refset and not chosen.has_language_refset:
        able = [repr(name) for name, known in TERMINOLOGY_FORMATS.items() if known.has_language_refset]
        yield f"vocabulary.terminology.language_refset: only for the format {' or '.join(able)}"
    if "preferred" in names and not refset:
        yield "vocabulary.terminology.names: preferred terms need a `language_refset`; give one"
    if absent := [kind for kind in names if kind not in chosen.kinds]:
        yield (
            f"vocabulary.terminology.names: the format {terminology['format']!r} has no "
            f"{' or '.join(absent)} names, only {' and '.join(chosen.kinds)}"
        )
    if tagger == "nltk" and source != "en":
        yield f"vocabulary.tagger: NLTK's tagger knows only English, not {source!r}; use corpus or none"
    if tagger == "corpus" and vocabulary["corpus"]["format"] == "text":
        yield "vocabulary.tagger: plain text has no tags to train on; use nltk or none, or a tagged corpus"
    if tagger == "none" and "parts_of_speech" in vocabulary.get("filters", {}):
        yield "vocabulary.filters.parts_of_speech: this needs a tagger; choose one, or drop the filter"


def _benchmark_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find tasks that do not exist or are listed twice, and data that no task reads."""
    owners: dict[str, str] = {}
    for name in (name for name in config["study"]["benchmarks"] if name in config["benchmarks"]):
        suite, place = config["benchmarks"][name], f"benchmarks.{name}"
        data = suite.get("data", {"source": "own"})
        name_of_source = data["source"]
        source = DATA_SOURCES[name_of_source]
        if "path" in data and not source.takes_path:
            yield f"{place}.data.path: it has no effect with the source {name_of_source!r}; drop it"
        if "folder" not in suite:
            if source.documents:
                yield f"{place}.data: only for tasks in a `folder`; the harness's own tasks bring their data"
            if unknown := [fault for task in suite["tasks"] if (fault := own_fault(task))]:
                yield from (f"{place}.tasks: {fault}" for fault in unknown)
                continue
        try:
            found, shown = tasks_of(suite), columns_of(suite)
        except StudyError as error:
            yield f"{place}.tasks: {error}"
            continue
        for task in dict.fromkeys([*suite["tasks"], *shown]):
            if task in owners:
                yield f"{place}.tasks: {task!r} is already in the suite {owners[task]!r}; drop one of them"
            owners.setdefault(task, name)
        if "folder" not in suite:
            continue
        for task in found if source.documents else []:
            for fault in data_faults(read_task(defined(suite["folder"])[task])):
                yield f"{place}.data: {defined(suite['folder'])[task]}: {fault}"
        known_tasks = source.tasks() if source.tasks else None
        if known_tasks is None:
            continue
        for task in found:
            if task not in known_tasks:
                hint = nearest(task, list(known_tasks))
                yield f"{place}.data.source: {name_of_source!r} has no data for {task!r}; {hint}"


def _file_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find prompts that do not exist. The user's data is checked when a run starts, see `readiness`."""
    for language, path in config["definitions"].get("prompts", {}).items():
        yield from prompt_faults(f"definitions.prompts.{language}", path)
    if prompt := config["translations"].get("prompt"):
        yield from prompt_faults("translations.prompt", prompt, TRANSLATION)


def _local_rule_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find names of rules that no study has; a rule that only other studies have is allowed."""
    if names := config.get("local_rules"):
        text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(RULES.glob("*.smk")))
        rules = dict.fromkeys(re.findall(r"^ *(?:use rule \w+ as|rule) (\w+)", text, re.MULTILINE))
        for name in names:
            yield from _known("local_rules", name, rules)


def _known(place: str, name: str, catalogue: dict[str, Any]) -> Iterator[str]:
    """A fault if a name is not defined in the catalogue."""
    if name not in catalogue:
        yield f"{place}: unknown name {name!r}; {nearest(name, list(catalogue))}"
