"""A study's config: laid over the toy study, checked as a whole, reduced to what it selects."""

import copy
import functools
import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from lexmerge.benchmarks.pins import LOCAL, pins
from lexmerge.benchmarks.tasks import data_faults, defined, leaves, own_tasks, read_task
from lexmerge.benchmarks.toy import MAKERS
from lexmerge.common.errors import StudyError, nearest
from lexmerge.common.prompts import read_prompt
from lexmerge.merges.recipes import expanded, models_of, placeholder_faults, with_base
from lexmerge.services.providers import KEYS, OPENAI
from lexmerge.study.recipe_faults import methods, recipe_faults, recipe_notes
from lexmerge.study.search_faults import search_faults, tried_recipes

CATALOGUES = ("models", "merges", "judges", "benchmarks")
# What each kind of judge takes, beside `provider`.
LEXICAL_KEYS = ("against", "gold")
MODEL_KEYS = (
    *("model", "substitute_for", "base_url", "key_variable", "blind", "prompt", "parameters", "mode"),
    *("connections", "requests_per_minute", "price"),
)
JUDGE_KEYS = {"chrf": LEXICAL_KEYS, "rouge": LEXICAL_KEYS, "openai": MODEL_KEYS, "gemini": MODEL_KEYS}
JUDGE_PARAMETERS = {
    "openai": {"temperature": 0, "seed": 1, "max_completion_tokens": 500},
    "gemini": {"temperature": 0, "seed": 1, "max_output_tokens": 4000},
}
# What each provider of translations takes, beside `provider` and `overrides`.
TRANSLATION_KEYS = {
    "table": ["path"],
    "openai": [
        *("model", "base_url", "key_variable", "prompt", "parameters"),
        *("connections", "requests_per_minute"),
    ],
    "none": [],
}
BATCH_SIZES = {"transformers": 128, "vllm": 1024}  # what each back end is fast with
TABLES = (
    *("judging.ratings", "vocabulary.terms", "translations.path", "translations.overrides"),
    *("published.definition_scores", "published.benchmarks"),
)
SCHEMA = Path(__file__).parents[3] / "schemas" / "config.schema.yaml"
RULES = Path(__file__).parents[3] / "rules"
TOY_MODELS = ("toy:ancestor", "toy:generalist", "toy:expert")


def load(given: dict, base: dict) -> dict:
    """The config of one study; a StudyError lists everything that is wrong with it."""
    config = overlay(base, given)
    if faults := faults_of(config):
        raise StudyError("\n".join(["the study's config has faults:", *(f"  - {fault}" for fault in faults)]))
    config.pop("local_rules", None)  # where jobs run is no part of a study
    return without_the_unused(with_defaults(selected(with_sweeps(config)), schema()))


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


@functools.cache
def schema() -> dict:
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def overlay(base: dict, given: dict) -> dict:
    """Lay a user's config over the toy study's.

    Snakemake's own merge goes all the way down, so that a user's merge `slerp` would inherit keys from the
    toy's `slerp`. Here a definition, a section, or a key under `study` is the user's as a whole.
    """
    merged = copy.deepcopy(base)
    for key, value in given.items():
        whole = key not in (*CATALOGUES, "study") or not isinstance(value, dict)
        merged[key] = value if whole or not isinstance(merged.get(key), dict) else {**merged[key], **value}
    try:
        return json.loads(json.dumps(merged))  # plain dicts and lists, whatever Snakemake handed over
    except TypeError as error:
        raise StudyError(f"the config has a value that is no text, number or list: {error}") from None


def selected(config: dict) -> dict:
    """The config without the definitions that the study does not use."""
    study = config["study"]
    merges = {name: config["merges"][name] for name in study["merges"]}
    needed = {study["expert"], study["generalist"], *study["models"]}
    needed |= {model for merge in merges.values() for model in models_of(merge["recipe"])}
    return config | {
        "models": {name: value for name, value in config["models"].items() if name in needed},
        "merges": merges,
        "judges": {name: config["judges"][name] for name in study["judges"]},
        "benchmarks": {name: config["benchmarks"][name] for name in study["benchmarks"]},
    }


def with_sweeps(config: dict) -> dict:
    """The config with each sweep replaced by its points, in the definitions and in the selection."""
    points = {name: expanded(name, config["merges"][name]) for name in config["study"]["merges"]}
    merges = {name: merge for part in points.values() for name, merge in part.items()}
    for merge in merges.values():
        merge["recipe"] = with_base(merge["recipe"], methods()[merge["recipe"]["merge_method"]]["base"])
    return config | {
        "merges": merges,
        "study": config["study"] | {"merges": list(merges)},
        "merging": _merging(config.get("merging", {}), points),
    }


def _merging(merging: dict, points: dict[str, dict]) -> dict:
    """How merges are computed, where a sweep that is kept stands for all its points, in the study's order."""
    if "checkpoints" not in merging:
        return merging
    given = merging["checkpoints"]
    keep = _kept(given.get("keep", []), points)
    return merging | {"checkpoints": {"at_most": int(given["at_most"]), "keep": keep}}


def _kept(names: list[str], points: dict[str, dict]) -> list[str]:
    return [m for sweep, part in points.items() for m in part if m in names or sweep in names]


def with_defaults(value: object, spec: dict) -> object:
    """The value with the schema's defaults filled in, at every depth."""
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for key, sub in spec.get("properties", {}).items():
        if key not in filled and "default" in sub:
            filled[key] = copy.deepcopy(sub["default"])
    for key, item in filled.items():
        sub = spec.get("properties", {}).get(key, spec.get("additionalProperties"))
        filled[key] = with_defaults(item, sub if isinstance(sub, dict) else {})
    return filled


def without_the_unused(config: dict) -> dict:
    """The config without defaults that have no part in this study, so that it says what was done."""
    translations, vocabulary = config["translations"], config["vocabulary"]
    taken = ("provider", "overrides", *TRANSLATION_KEYS[translations["provider"]])
    translations = {key: value for key, value in translations.items() if key in taken}
    if base_url := translations.get("base_url", "").rstrip("/"):
        translations["base_url"] = base_url  # with and without a slash it is one server, and one request
    if base_url == OPENAI:
        translations = {"key_variable": "OPENAI_API_KEY"} | translations
    if "terms" in vocabulary:
        vocabulary = {key: value for key, value in vocabulary.items() if key in ("terms", "published")}
    elif vocabulary["corpus"]["format"] == "nltk":
        corpus = {key: value for key, value in vocabulary["corpus"].items() if key != "files"}
        vocabulary = vocabulary | {"corpus": corpus}
    definitions = {"batch_size": BATCH_SIZES[config["definitions"]["backend"]]} | config["definitions"]
    for key in ("batch_size", "max_new_tokens"):
        definitions[key] = int(definitions[key])  # 64.0 is an integer to a schema
    return config | {
        "translations": translations,
        "vocabulary": vocabulary,
        "definitions": definitions,
        "judges": {name: _judge(judge) for name, judge in config["judges"].items()},
        "benchmarks": {name: _suite(suite) for name, suite in config["benchmarks"].items()},
        "merges": {name: _merge(merge) for name, merge in config["merges"].items()},
    }


def _merge(merge: dict) -> dict:
    """A merge whose search, if it has one, has its objectives by name and a weight in each of their parts."""
    if "search" not in merge:
        return merge
    search = {key: value for key, value in merge["search"].items() if key != "objective"}
    given = merge["search"]["objective"]
    named = given if isinstance(given, dict) else {"score": given}
    objectives = {name: [{"weight": 1, **part} for part in parts] for name, parts in named.items()}
    for key in ("documents", "population", "workers"):  # 2.0 is an integer to a schema
        search |= {key: int(search[key])} if key in search else {}
    search["seeds"] = [int(seed) for seed in search["seeds"]]
    search["budget"] = search["budget"] | {"evaluations": int(search["budget"]["evaluations"])}
    search["parameters"] = {
        name: spec | ({"blocks": int(spec["blocks"])} if "blocks" in spec else {})
        for name, spec in search["parameters"].items()
    }
    return merge | {"search": {**search, "objectives": objectives}}


def _suite(suite: dict) -> dict:
    """A suite with the folder of its data, where it has one."""
    path = {"path": LOCAL} if suite["data"]["source"] == "pinned" else {}
    return suite | {"data": path | suite["data"]}


def _judge(judge: dict) -> dict:
    """A judge with what its provider takes, and with the defaults that depend on it."""
    provider = judge["provider"]
    taken = {key: value for key, value in judge.items() if key in ("provider", *JUDGE_KEYS[provider])}
    if provider not in KEYS:
        return taken
    base_url = judge.get("base_url", OPENAI if provider == "openai" else "").rstrip("/") or None
    own_server = base_url != OPENAI
    made = {
        "base_url": base_url,
        "prompt": f"resources/prompts/judgement{'_blind' if judge['blind'] else ''}.txt",
        "parameters": JUDGE_PARAMETERS[provider],
    }
    key = {} if own_server and provider == "openai" else {"key_variable": KEYS[provider]}
    return key | made | {k: v for k, v in taken.items() if k != "base_url"}


def selected_models(config: dict) -> list[str]:
    """The models that the study uses, of those that exist."""
    study = config["study"]
    used = [study["expert"], study["generalist"], *study["models"]]
    for name in study["merges"]:
        used += models_of(config["merges"].get(name, {}).get("recipe"))
    return [name for name in dict.fromkeys(used) if name in config["models"]]


def schema_faults(config: dict) -> list[str]:
    """One line for each place where the config does not follow the schema."""
    errors = Draft202012Validator(schema()).iter_errors(config)
    ordered = sorted(errors, key=lambda error: (error.json_path, error.message))
    return [line for error in ordered for line in _explain(error)]


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
    kept = _kept(given.get("keep", []), points)
    if given["at_most"] < (least := min(len(kept) + 1, len(merges))):
        yield (
            f"{place}.at_most: {given['at_most']} leaves no room beside the merges that are kept "
            f"({len(kept)}); set it to {least} or more, or keep fewer"
        )


def notes_of(config: dict) -> list[str]:
    """What is allowed in a study's recipes and worth a look, a line each."""
    return [
        note
        for name, merge in config["merges"].items()
        for note in recipe_notes(tried_recipes(merge)[0], f"merges.{name}.recipe")
    ]


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
    if definitions.get("one_engine") and definitions.get("backend") != "vllm":
        yield "definitions.one_engine: only with the back end 'vllm'; set definitions.backend, or drop it"


def _judge_faults(config: dict) -> Iterator[str]:
    """Settings of another kind of judge, and prompts that a judge cannot be asked with."""
    if injection := config.get("judging", {}).get("controls", {}).get("injection"):
        yield from _prompt_faults("judging.controls.injection", injection, [])
    for name in (name for name in config["study"]["judges"] if name in config["judges"]):
        judge, place = config["judges"][name], f"judges.{name}"
        kind = "a lexical judge" if judge["provider"] not in KEYS else "a language model"
        for key in judge:
            if key not in ("provider", *JUDGE_KEYS[judge["provider"]]):
                yield f"{place}.{key}: {judge['provider']} is {kind}, which has no such setting"
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
    owners = {key: provider for provider, keys in TRANSLATION_KEYS.items() for key in keys}
    for key in config["translations"]:
        if owners.get(key, chosen) != chosen:
            yield f"translations.{key}: only for the provider {owners[key]!r}, and this one is {chosen!r}"


def _terminology_faults(vocabulary: dict, source: str) -> Iterator[str]:
    terminology, tagger = vocabulary["terminology"], vocabulary.get("tagger", "nltk")
    names, refset = terminology.get("names", []), terminology.get("language_refset")
    if terminology["format"] != "rf2" and refset:
        yield "vocabulary.terminology.language_refset: only for the format 'rf2'"
    if "preferred" in names and not refset:
        yield "vocabulary.terminology.names: preferred terms are those of a `language_refset`; name one"
    if terminology["format"] == "tsv" and names not in ([], ["fully_specified"]):
        yield "vocabulary.terminology.names: a 'tsv' has one name a row"
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
        source = data["source"]
        if "path" in data and source in ("own", "toy"):
            yield f"{place}.data.path: nothing reads it with the source {source!r}"
        for task in suite["tasks"]:
            if task in owners:
                yield f"{place}.tasks: {task!r} is a column of the suite {owners[task]!r} already"
            owners[task] = name
        if "folder" not in suite:
            if source != "own":
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
        for task in found if source != "own" else []:
            for fault in data_faults(read_task(defined(suite["folder"])[task])):
                yield f"{place}.data: {defined(suite['folder'])[task]}: {fault}"
        known = {"pinned": pins(), "toy": MAKERS}.get(source)
        for task in found if known is not None else []:
            if task not in known:
                hint = nearest(task, list(known))
                yield f"{place}.data.source: there is no {source} data of {task}; {hint}"


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
    for section in ("definitions", "benchmarking"):
        if config[section]["backend"] == "vllm" and not environments and find_spec("vllm") is None:
            install = "install envs/workstation-vllm.txt, or run with --software-deployment-method conda"
            faults.append(f"{section}.backend: there is no vllm in this environment; {install}")
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
        if suite["data"]["source"] == "jsonl":  # what is missing of pinned data is fetched
            for task in leaves(suite["folder"], suite["tasks"]):
                yield f"benchmarks.{name}.data.path", f"{suite['data']['path']}/{task}.jsonl"


def _known(place: str, name: str, catalogue: dict) -> Iterator[str]:
    if name not in catalogue:
        yield f"{place}: unknown name {name!r}; {nearest(name, list(catalogue))}"


def _explain(error) -> Iterator[str]:
    """A jsonschema error as a sentence: where, what, and what would be right."""
    place = error.json_path.removeprefix("$").removeprefix(".") or "the config"
    if error.validator == "additionalProperties":
        allowed = list(error.schema.get("properties", {}))
        for key in sorted(set(error.instance) - set(allowed)):
            where = key if place == "the config" else f"{place}.{key}"
            yield f"{where}: unknown key; {nearest(key, allowed)}"
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        key = next(k for k in missing if f"'{k}'" in error.message)
        where = key if place == "the config" else f"{place}.{key}"
        about = error.schema.get("properties", {}).get(key, {}).get("description", "")
        yield f"{where}: missing. {about}".rstrip()
    elif error.validator == "enum":
        allowed = [str(item) for item in error.validator_value]
        yield f"{place}: {error.instance!r} is not one of the choices; {nearest(error.instance, allowed)}"
    else:
        yield f"{place}: {error.message}"
