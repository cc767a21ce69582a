"""The definitions: languages, prompts, the back end, and what asking a model takes."""

from lexmerge.models.backend import BACK_ENDS


def language_of(model):
    """The language that a model under test is asked in."""
    return STUDY["models"].get(model, {}).get("language", LANGUAGES["target"])


def other_language_of(model):
    """The study's language that a model under test is not asked in."""
    own = language_of(model)
    return next(code for code in LANGUAGES.values() if code != own)


def side_of(language):
    """Is a language the study's `source` or its `target`?"""
    return next(side for side, code in LANGUAGES.items() if code == language)


def prompt_of(language):
    return STUDY["definitions"]["prompts"][language]


@cache
def asking(model, threads):
    return estimates.asking(size_of(model), STUDY["definitions"], terms(), threads)


def defining(model, threads):
    """The expert's definitions are copies of its references, unless they are drawn a second time."""
    return estimates.copying() if model == EXPERT and not SECOND_PASS else asking(model, threads)


def asking_all(threads):
    """One engine that takes one merge after the other."""
    each = [asking(merge, threads) for merge in MERGES]
    return {key: max(need[key] for need in each) for key in ("mem_mb", "gpu")} | {
        "seconds": sum(need["seconds"] for need in each)
    }


ASKING = canonical(
    {key: STUDY["definitions"][key] for key in ("backend", "batch_size", "device", "dtype", "max_new_tokens")}
)
# What an answer in the journal depends on; other code may change without a text that is made anew.
ENGINE = code_of(BACK_ENDS, ASKING["backend"])
# Of the expert: how its judged definitions are drawn, if they are not its references.
SECOND_PASS = STUDY["definitions"].get("second_pass", {})
ONE_ENGINE = STUDY["definitions"]["one_engine"] and MERGES
# What only vLLM reads: how much of a GPU's memory it takes, and its longest text; 0 is as much as is needed.
OF_VLLM = {"gpu_memory_percent": 90, "max_model_len": 0}
