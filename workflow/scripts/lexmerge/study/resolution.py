"""Resolution of a study: fill in defaults that depend on other keys, drop keys without effect."""

from typing import Any

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.common.shipped import PROJECT, shipped
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.models.backend import BACK_ENDS
from lexmerge.services.provider import PROVIDERS, is_own_server
from lexmerge.vocabulary.translator import TRANSLATORS

# The settings of each kind of judge, apart from `provider`.
LEXICAL_KEYS = ("against", "gold")
MODEL_KEYS = (
    *("model", "substitute_for", "base_url", "key_variable", "blind", "prompt", "parameters", "mode"),
    *("connections", "requests_per_minute", "price"),
)


def judge_keys(provider: str) -> tuple[str, ...]:
    """The settings that a judge with this provider takes, apart from `provider`."""
    return LEXICAL_KEYS if provider in LEXICAL_JUDGES else MODEL_KEYS


def with_shipped_prompts(config: dict[str, Any]) -> dict[str, Any]:
    """Add the workflow's own prompts for the study's languages that have none in the config."""
    try:
        languages, definitions = config["study"]["languages"].values(), config["definitions"]
        own = {code: f"resources/prompts/definition.{code}.txt" for code in map(str, languages)}
        prompts = {code: shipped(file) for code, file in own.items() if (PROJECT / file).is_file()}
        return config | {"definitions": definitions | {"prompts": prompts | definitions.get("prompts", {})}}
    except (AttributeError, KeyError, TypeError):
        return config  # the schema reports it


def resolved(config: dict[str, Any]) -> dict[str, Any]:
    """Complete a study, so that it has every setting in effect and no other.

    Args:
        config: The selected parts of a config without faults, with the schema's defaults.

    Returns:
        The config with defaults that depend on a provider or back end, and without keys that have no effect.
    """
    definitions = {"batch_size": BACK_ENDS[config["definitions"]["backend"]].batch_size}
    definitions |= config["definitions"]
    for key in ("batch_size", "max_new_tokens"):
        definitions[key] = int(definitions[key])  # 64.0 is an integer to a schema
    return config | {
        "translations": _translations(config["translations"]),
        "judging": _judging(config["judging"], config["study"]["languages"]["target"]),
        "vocabulary": _vocabulary(config["vocabulary"]),
        "definitions": definitions,
        "judges": {name: _judge(judge) for name, judge in config["judges"].items()},
        "benchmarks": {name: _suite(suite) for name, suite in config["benchmarks"].items()},
        "merges": {name: _merge(merge) for name, merge in config["merges"].items()},
    }


def _translations(translations: dict[str, Any]) -> dict[str, Any]:
    """The settings that the provider takes; for a language model, with its server and parameters."""
    name = translations["provider"]
    taken = ("provider", "overrides", *TRANSLATORS[name].keys)
    translations = {key: value for key, value in translations.items() if key in taken}
    if name not in PROVIDERS:
        return translations
    return _asked(name, translations, {"parameters": PROVIDERS[name].translation_parameters})


def _judging(judging: dict[str, Any], target: str) -> dict[str, Any]:
    """The section `judging`; the default injection control also speaks the target language if it can."""
    controls, default = judging["controls"], "resources/prompts/injection.txt"
    own = f"resources/prompts/injection.{target}.txt"
    if controls["injection"] != shipped(default) or not (PROJECT / own).is_file():
        return judging
    return judging | {"controls": controls | {"injection": shipped(own)}}


def _vocabulary(vocabulary: dict[str, Any]) -> dict[str, Any]:
    """The settings with an effect: a study that gives its terms needs no terminology and no corpus."""
    if "terms" in vocabulary:
        return {key: value for key, value in vocabulary.items() if key in ("terms", "published")}
    if vocabulary["corpus"]["format"] != "nltk":
        return vocabulary
    corpus = {key: value for key, value in vocabulary["corpus"].items() if key != "files"}
    return vocabulary | {"corpus": corpus}


def _merge(merge: dict[str, Any]) -> dict[str, Any]:
    """A merge; if it has a search, with the objectives by name and a weight for each of their parts."""
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


def _suite(suite: dict[str, Any]) -> dict[str, Any]:
    """A suite with the default folder of its data, if its source has one."""
    default = DATA_SOURCES[suite["data"]["source"]].default_path
    return suite | {"data": ({"path": default} if default else {}) | suite["data"]}


def _judge(judge: dict[str, Any]) -> dict[str, Any]:
    """A judge with the settings that it takes; for a language model, with its server, key and prompt."""
    name = judge["provider"]
    taken = {key: value for key, value in judge.items() if key in ("provider", *judge_keys(name))}
    if name not in PROVIDERS:
        return taken
    prompt = shipped(f"resources/prompts/judgement{'_blind' if judge['blind'] else ''}.txt")
    return _asked(name, taken, {"prompt": prompt, "parameters": PROVIDERS[name].parameters})


def _asked(name: str, settings: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The settings of a language model with its server, and with its key unless the server needs none.

    A slash at the end of the address is dropped, so that it does not change the requests in the journal.
    """
    provider = PROVIDERS[name]
    base_url = settings.get("base_url", provider.server or "").rstrip("/") or None
    key = {} if is_own_server(name, base_url) else {"key_variable": provider.key_variable}
    return {**key, **defaults, **settings, "base_url": base_url}
