"""What the study's jobs ask of a scheduler: see `lexmerge/needs.py`. A profile's `set-resources` wins."""

from functools import cache

from lexmerge import needs
from lexmerge.pins import pins as pinned_data

SIZES = {
    name: needs.size_of(model["source"], model.get("parameters"), f"{RESULTS}/models/{name}")
    for name, model in STUDY["models"].items()
}


def asks_for(need, log="", gpu=False):
    """A rule's `resources:` from a function of its wildcards and threads.

    `log` is what follows the rule in the log's name. With `gpu` the job asks for as many cards as it needs.
    """

    def mem_mb(wildcards, attempt, threads, rulename):
        file = Path(RESULTS, "logs", rulename, log.format(**wildcards))
        return needs.grown(need(wildcards, threads)["mem_mb"], attempt, f"{file}.log")

    def of(key):
        return lambda wildcards, threads: need(wildcards, threads)[key]

    asked = {"mem_mb": mem_mb, "runtime": lambda w, threads: needs.minutes(need(w, threads)["seconds"])}
    return asked | ({"gpu": of("gpu")} if gpu else {})


def light(cells=0):
    """The resources of tables, figures and the like, which hold a row a term for each of so many cells."""
    return asks_for(lambda w, threads: needs.light(cells * terms()))


@cache
def terms():
    """How many terms the study has: counted, or as many as it samples, or assumed."""
    vocabulary = STUDY["vocabulary"]
    return needs.terms([f"{RESULTS}/vocabulary/terms.tsv", vocabulary.get("terms")], vocabulary)


@cache
def documents(suite):
    """How many documents a suite asks: counted, or those of its source, or assumed."""
    limit = STUDY["benchmarks"][suite].get("limit")
    return sum(
        needs.documents(
            f"{RESULTS}/benchmark_data/{suite}/{task}/test.jsonl",
            pinned_data().get(task, {}) if is_pinned(suite) else {},
            limit,
        )
        for task in tasks_of(suite)
    )


@cache
def size_of(model):
    """The size of a model or merge under test."""
    if model in MERGES:
        return needs.merged(STUDY["merges"][model]["recipe"], SIZES)
    return SIZES[model]


@cache
def merging(merge):
    return needs.merging(STUDY["merges"][merge]["recipe"], SIZES, STUDY["merging"])


@cache
def asking(model, threads):
    return needs.asking(size_of(model), STUDY["definitions"], terms(), threads)


def asking_all(threads):
    """One engine that takes one merge after the other."""
    each = [asking(merge, threads) for merge in MERGES]
    return {key: max(need[key] for need in each) for key in ("mem_mb", "gpu")} | {
        "seconds": sum(need["seconds"] for need in each)
    }


@cache
def testing(model, suite, threads):
    return needs.testing(size_of(model), STUDY["benchmarking"], documents(suite), threads)


@cache
def searching(merge, threads):
    search = search_of(merge)
    tasks = sum(map(len, objective_of(merge).values()))
    asked = needs.testing(size_of(merge), STUDY["benchmarking"], tasks * search["documents"], threads)
    recipe = STUDY["merges"][merge]["recipe"]
    return needs.searching(recipe, SIZES, search, merging(merge), asked)


@cache
def scoring_searched(merge, threads):
    """The parents and some merges of a search, on the documents that the tables report."""
    tested = [testing(merge, suite, threads) for suite in objective_of(merge)]
    seconds = 4 * sum(need["seconds"] for need in tested) + merging(merge)["seconds"]
    memory = max(need["mem_mb"] for need in tested) + merging(merge)["mem_mb"]
    return {"seconds": seconds, "mem_mb": memory, "gpu": max(need["gpu"] for need in tested)}


def judging(judge, calls):
    """A judge's calls; a lexical one asks nobody."""
    settings = STUDY["judges"][judge]
    return needs.requests(calls if settings["provider"] in study_config.KEYS else 0, settings)


def controlling(judge):
    controls = STUDY["judging"]["controls"]
    return judging(judge, controls["terms"] * (3 + controls["repeats"]))


def translating():
    """Calls that the translations take: none where they are read from a table."""
    return terms() if STUDY["translations"]["provider"] == "openai" else 0
