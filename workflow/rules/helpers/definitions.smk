"""The definitions: languages, prompts, the back end, and the resources to write them."""

from lexmerge.models.backend import BACK_ENDS


def language_of(model):
    """The language of a model's prompt."""
    return STUDY["models"].get(model, {}).get("language", LANGUAGES["target"])


def other_language_of(model):
    """The study's other language, in which a model is asked to measure transfer."""
    own = language_of(model)
    return next(code for code in LANGUAGES.values() if code != own)


def side_of(language):
    """The side of a language in the study, `source` or `target`."""
    return next(side for side, code in LANGUAGES.items() if code == language)


def prompt_of(language):
    """The file of the prompt in a language."""
    return STUDY["definitions"]["prompts"][language]


@cache
def asking(model, threads):
    """The resources and seconds that a model takes to define all terms."""
    return estimates.asking(size_of(model), STUDY["definitions"], terms(), threads)


def defining(model, threads):
    """The resources and seconds of a model's definitions; without a second pass, the expert's are a copy."""
    return estimates.copying() if model == EXPERT and not SECOND_PASS else asking(model, threads)


def asking_all(threads):
    """The resources and seconds of one engine that writes the definitions of all merges in turn."""
    each = [asking(merge, threads) for merge in MERGES]
    return {key: max(need[key] for need in each) for key in ("mem_mb", "gpu")} | {
        "seconds": sum(need["seconds"] for need in each)
    }


ASKING = canonical(
    {key: STUDY["definitions"][key] for key in ("backend", "batch_size", "device", "dtype", "max_new_tokens")}
)
# The fingerprint in the journal's keys: a change of other code generates no text again.
ENGINE = code_of(BACK_ENDS, ASKING["backend"])
# The decoding of the expert's judged definitions, if these are not a copy of its references.
SECOND_PASS = STUDY["definitions"].get("second_pass", {})
ONE_ENGINE = STUDY["definitions"]["one_engine"] and MERGES
# For vLLM alone: its share of the GPU's memory, and the longest text in tokens (0: as long as needed).
VLLM_RESOURCES = {"gpu_memory_percent": 90, "max_model_len": 0}
