"""Faults of a study's config, found before anything runs."""

import math
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.tasks import data_faults, defined, leaves, own_tasks, read_task
from lexmerge.common.errors import StudyError, nearest
from lexmerge.common.prompts import read_prompt
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.merges.methods import methods
from lexmerge.merges.recipes import expanded, models_of, placeholder_faults
from lexmerge.models.backend import BACK_ENDS
from lexmerge.search.starts import tried_recipes
from lexmerge.services.provider import PROVIDERS
from lexmerge.study.recipe_faults import recipe_faults, recipe_notes
from lexmerge.study.resolution import judge_keys
from lexmerge.study.schema import schema_faults
from lexmerge.study.search_faults import search_faults
from lexmerge.study.selection import CATALOGUES, kept_merges, selected_models
from lexmerge.vocabulary.terminology import TERMINOLOGY_FORMATS
from lexmerge.vocabulary.translator import TRANSLATORS

RULES = Path(__file__).parents[3] / "rules"
TOY_MODELS = ("toy:ancestor", "toy:generalist", "toy:expert")


def faults_of(config: dict) -> list[str]:
    """Everything that is wrong, a line each; a check that trips over what the schema found is left out."""
    faults = schema_faults(config)
    unsound = bool(faults)
    for check in (
        _number_faults,
        _selection_faults,
        _recipe_faults,
        _checkpoint_faults,
        _model_faults,
        _language_faults,
        _definition_faults,
        _judge_faults,
        _published_faults,
        _vocabulary_faults,
        _translation_faults,
        _benchmark_faults,
        _file_faults,
        _local_rule_faults,
    ):
        try:
            faults += check(config)
        except (KeyError, TypeError, AttributeError):
            if not unsound:
                raise
    return faults


def notes_of(config: dict) -> list[str]:
    """What is allowed in a study's recipes and worth a look, a line each."""
    return [
        note
        for name, merge in config["merges"].items()
        for note in recipe_notes(tried_recipes(merge)[0], f"merges.{name}.recipe")
    ]


def _number_faults(config: object, place: str = "") -> Iterator[str]:
    """YAML's `.nan` and `.inf` are numbers to a schema, and of no use anywhere."""
    if isinstance(config, dict | list):
        parts = config.items() if isinstance(config, dict) else enumerate(config)
        for key, value in parts:
            yield from _number_faults(value, f"{place}.{key}" if place else str(key))
    elif isinstance(config, float) and not math.isfinite(config):
        yield f"{place}: not a finite number"


def _selection_faults(config: dict) -> Iterator[str]:
    """Names under `study` that point nowhere, and names that mean two things."""
    study = config["study"]
    for catalogue in CATALOGUES:
        for name in study[catalogue]:
            yield from _known(f"study.{catalogue}", name, config[catalogue])
            if re.fullmatch(r"\d[\d_]*(e-?\d+)?|nan|inf(inity)?|true|false", name, re.I):
                yield f"study.{catalogue}: {name!r} would be a value in the tables; give it another name"
    for role in ("expert", "generalist"):
        yield from _known(f"study.{role}", study[role], config["models"])
        if study[role] not in study["models"]:
            yield f"study.models: {study[role]!r}, the {role}, is not among them; it is a baseline: add it"


def _recipe_faults(config: dict) -> Iterator[str]:
    """What is wrong with the recipes that the study selects; of a sweep, with any of its points."""
    named: dict[str, str] = {}
    for name in (name for name in config["study"]["merges"] if name in config["merges"]):
        merge, place = config["merges"][name], f"merges.{name}"
        for model in models_of(merge["recipe"]):
            yield from _known(f"{place}.recipe", model, config["models"])
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
                yield f"{place}: {point!r} names another model or merge too; give one of them another name"
            named[point] = name


def _checkpoint_faults(config: dict) -> Iterator[str]:
    """Merges to keep that are none of the study's, and a limit that leaves no room to make another."""
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
            f"{place}.at_most: {given['at_most']} leaves no room beside the merges that are kept "
            f"({len(kept)}); set it to {least} or more, or keep fewer"
        )


def _model_faults(config: dict) -> Iterator[str]:
    for name in selected_models(config):
        source, pinned = config["models"][name]["source"], "revision" in config["models"][name]
        if source.startswith("toy:"):
            if source not in TOY_MODELS:
                hint = nearest(source, list(TOY_MODELS))
                yield f"models.{name}.source: {source!r} is not a toy model; {hint}"
        elif not Path(source).is_dir():
            if source.count("/") != 1 or source.startswith((".", "/", "~")):
                yield f"models.{name}.source: no folder {source!r}, and it is not a hub id such as org/name"
            elif not pinned:
                yield f"models.{name}.revision: missing; pin the hub model {source!r} to a commit"


def _language_faults(config: dict) -> Iterator[str]:
    source, target = (config["study"]["languages"][end] for end in ("source", "target"))
    prompts = config["definitions"]["prompts"]
    if source == target:
        yield f"study.languages: source and target are both {source!r}"
    for language in dict.fromkeys((source, target)):
        if language not in prompts:
            yield f"definitions.prompts.{language}: missing; name the file of the prompt in it"
    for name in selected_models(config):
        language = config["models"][name].get("language", target)
        if language not in (source, target):
            hint = nearest(language, [source, target])
            yield f"models.{name}.language: {language!r} is not one of the study's; {hint}"


def _definition_faults(config: dict) -> Iterator[str]:
    definitions = config["definitions"]
    able = [name for name, back_end in BACK_ENDS.items() if back_end.swaps_weights]
    if definitions.get("one_engine") and definitions.get("backend") not in able:
        one_of = " or ".join(map(repr, able))
        yield f"definitions.one_engine: only with the back end {one_of}; set definitions.backend, or drop it"


def _judge_faults(config: dict) -> Iterator[str]:
    """Settings of another kind of judge, and prompts that a judge cannot be asked with."""
    if injection := config.get("judging", {}).get("controls", {}).get("injection"):
        yield from _prompt_faults("judging.controls.injection", injection, [])
    for name in (name for name in config["study"]["judges"] if name in config["judges"]):
        judge, place = config["judges"][name], f"judges.{name}"
        kind = "a lexical judge" if judge["provider"] in LEXICAL_JUDGES else "a language model"
        for key in judge:
            if key not in ("provider", *judge_keys(judge["provider"])):
                yield f"{place}.{key}: {judge['provider']} is {kind}, which has no such setting"
        if judge.get("mode") == "batch" and not PROVIDERS[judge["provider"]].batches:
            yield f"{place}.mode: {judge['provider']} takes no batches; use now"
        if "prompt" in judge:
            needed = ["term", "definition", *(["reference"] if not judge.get("blind") else [])]
            yield from _prompt_faults(f"{place}.prompt", judge["prompt"], needed)


def _published_faults(config: dict) -> Iterator[str]:
    if "published" in config and not {"definition_scores", "benchmarks"} & config["published"].keys():
        yield "published: it names no table; give it definition_scores, benchmarks, or both"


def _vocabulary_faults(config: dict) -> Iterator[str]:
    """Settings that contradict each other, or that nothing would read."""
    vocabulary = config["vocabulary"]
    if "terms" in vocabulary:
        for key in ("terminology", "corpus", "tagger", "filters"):
            if key in vocabulary:
                yield f"vocabulary.{key}: it has no part in a study with `terms` of its own; drop one of them"
    else:
        yield from _terminology_faults(vocabulary, config["study"]["languages"]["source"])


def _translation_faults(config: dict) -> Iterator[str]:
    """Settings of a provider that is not the study's."""
    chosen = config["translations"]["provider"]
    for key in config["translations"].keys() - {"provider", "overrides", *TRANSLATORS[chosen].keys}:
        owners = " or ".join(repr(name) for name, other in TRANSLATORS.items() if key in other.keys)
        if owners:
            yield f"translations.{key}: only for the provider {owners}, and this one is {chosen!r}"


def _terminology_faults(vocabulary: dict, source: str) -> Iterator[str]:
    terminology, tagger = vocabulary["terminology"], vocabulary.get("tagger", "nltk")
    names, refset = terminology.get("names", []), terminology.get("language_refset")
    chosen = TERMINOLOGY_FORMATS[terminology["format"]]
    if refset and not chosen.has_language_refset:
        able = [repr(name) for name, known in TERMINOLOGY_FORMATS.items() if known.has_language_refset]
        yield f"vocabulary.terminology.language_refset: only for the format {' or '.join(able)}"
    if "preferred" in names and not refset:
        yield "vocabulary.terminology.names: preferred terms are those of a `language_refset`; name one"
    yield from (f"vocabulary.terminology.{fault}" for fault in chosen.faults(terminology))
    if tagger == "nltk" and source != "en":
        yield f"vocabulary.tagger: NLTK's knows English and not {source!r}; use corpus or none"
    if tagger == "corpus" and vocabulary["corpus"]["format"] == "text":
        yield "vocabulary.tagger: plain text has no tags to train on; use nltk or none, or a tagged corpus"
    if tagger == "none" and "parts_of_speech" in vocabulary.get("filters", {}):
        yield "vocabulary.filters.parts_of_speech: there is no tagger; drop it, or choose one"


def _benchmark_faults(config: dict) -> Iterator[str]:
    """Tasks that are not there, or twice, and data that none of them reads."""
    owners: dict[str, str] = {}
    for name in (name for name in config["study"]["benchmarks"] if name in config["benchmarks"]):
        suite, place = config["benchmarks"][name], f"benchmarks.{name}"
        data = suite.get("data", {"source": "own"})
        name_of_source = data["source"]
        source = DATA_SOURCES[name_of_source]
        if "path" in data and not source.takes_path:
            yield f"{place}.data.path: nothing reads it with the source {name_of_source!r}"
        for task in suite["tasks"]:
            if task in owners:
                yield f"{place}.tasks: {task!r} is a column of the suite {owners[task]!r} already"
            owners[task] = name
        if "folder" not in suite:
            if source.documents:
                yield f"{place}.data: only for tasks in a `folder`; the harness's own bring their data"
            for task in suite["tasks"]:
                if (known := own_tasks()) and task not in known:
                    hint = nearest(task, get_close_matches(task, known, n=8))
                    yield f"{place}.tasks: LM Evaluation Harness has no task {task!r}; {hint}"
            continue
        try:
            found = leaves(suite["folder"], suite["tasks"])
        except StudyError as error:
            yield f"{place}.tasks: {error}"
            continue
        for task in found if source.documents else []:
            for fault in data_faults(read_task(defined(suite["folder"])[task])):
                yield f"{place}.data: {defined(suite['folder'])[task]}: {fault}"
        known_tasks = source.tasks() if source.tasks else None
        for task in found if known_tasks is not None else []:
            if task not in known_tasks:
                hint = nearest(task, list(known_tasks))
                yield f"{place}.data.source: there is no {name_of_source} data of {task}; {hint}"


def _file_faults(config: dict) -> Iterator[str]:
    """Prompts and task definitions that are not there. The user's data is looked for when a run starts."""
    for language, path in config["definitions"]["prompts"].items():
        yield from _prompt_faults(f"definitions.prompts.{language}", path)
    if prompt := config["translations"].get("prompt"):
        yield from _prompt_faults("translations.prompt", prompt)


def _local_rule_faults(config: dict) -> Iterator[str]:
    """Names of rules that no study has; a profile may name those that only some have."""
    if names := config.get("local_rules"):
        text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(RULES.glob("*.smk")))
        rules = dict.fromkeys(re.findall(r"^ *(?:use rule \w+ as|rule) (\w+)", text, re.MULTILINE))
        for name in names:
            yield from _known("local_rules", name, rules)


def _prompt_faults(place: str, path: str, needed: Iterable[str] = ("term",)) -> Iterator[str]:
    if not Path(path).is_file():
        yield f"{place}: there is no file {path}"
        return
    try:
        text = read_prompt(path)
        for value in needed:
            if f"{{{value}}}" not in text:
                yield f"{place}: {path} has no {{{value}}} in it"
    except UnicodeDecodeError as error:
        yield f"{place}: {path} is not UTF-8 text: {error.reason}"


def _known(place: str, name: str, catalogue: dict) -> Iterator[str]:
    if name not in catalogue:
        yield f"{place}: unknown name {name!r}; {nearest(name, list(catalogue))}"
