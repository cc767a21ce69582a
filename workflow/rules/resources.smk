"""What the study's jobs ask of a scheduler: see `lexmerge/plan/estimates.py`. A profile's `set-resources` wins.

The plan reads the resources of each job, and some are for the plan alone. `expected_seconds` are of work, without
waiting. `output_mb` stay on the disk. `calls` go to a paid service. `fetches` says what is downloaded.
`merged_again` counts merges whose weights were removed, so that the job makes them again first.
"""

from lexmerge.merges import checkpoint_pool
from lexmerge.plan import estimates

SIZES = {
    name: estimates.size_of(model["source"], model.get("parameters"), f"{RESULTS}/models/{name}")
    for name, model in STUDY["models"].items()
}


def asks_for(need, log="", gpu=False):
    """Resources, from a function of the wildcards and threads.

    `log` is what follows the rule.s name in the path of the log. With `gpu` the job asks for as many GPUs as it needs.
    """

    def mem_mb(wildcards, attempt, threads, rulename):
        file = Path(RESULTS, "logs", rulename, log.format(**wildcards))
        return estimates.grown(need(wildcards, threads)["mem_mb"], attempt, f"{file}.log")

    def seconds(wildcards, threads):
        asked = need(wildcards, threads)
        return round(asked.get("work", asked["seconds"]))

    asked = {
        "mem_mb": mem_mb,
        "runtime": lambda w, threads: estimates.minutes(need(w, threads)["seconds"]),
        "expected_seconds": seconds,
    }
    return asked | ({"gpu": lambda w, threads: need(w, threads)["gpu"]} if gpu else {})


def reads(wildcard, need, log):
    """Resources of jobs that read the weights of the model or merge that a wildcard names.

    A merge whose weights were removed is made again first.
    """

    def model(wildcards):
        return getattr(wildcards, wildcard)

    asked = asks_for(lambda w, threads: room_for(model(w), need(w, threads)), log, gpu=True)
    return asked | {"merged_again": lambda w: merged_again(model(w))}


def light(cells=0):
    """The resources of tables, figures and the like, which hold a row a term for each of so many cells."""
    return asks_for(lambda w, threads: estimates.light(cells * terms()))


def merged_again(*models):
    """How many of the models are merges whose weights were removed, so that a job that reads them makes them."""
    return sum(model in MERGES and checkpoint_pool.is_removed(checkpoint_of(model)) for model in models)


@cache
def terms():
    """How many terms the study has: counted, or as many as it samples, or assumed."""
    vocabulary = STUDY["vocabulary"]
    return estimates.terms([f"{RESULTS}/vocabulary/terms.tsv", vocabulary.get("terms")], vocabulary)


@cache
def size_of(model):
    """The size of a model or merge under test."""
    if model in MERGES:
        return estimates.merged(STUDY["merges"][model]["recipe"], SIZES)
    return SIZES[model]


def room_for(model, need):
    """What a job that reads a model asks for: of a merge that may have to be made again, for that too."""
    may_be_removed = model in MERGES and (model not in KEPT or merged_again(model))
    return estimates.one_after_the_other(merging(model), need) if may_be_removed else need
