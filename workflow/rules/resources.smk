"""The resources that the study's jobs request, see `lexmerge/plan/estimates.py`. A profile's `set-resources` wins.

Some are only for `make plan`: `expected_seconds` of work without waiting, `output_mb` that stay on the disk, `calls`
of a paid service, `fetches` as a description of downloads, and `merged_again` as the number of merges whose weights
were removed, so that the job remakes them first.
"""

from lexmerge.merges import checkpoint_pool
from lexmerge.plan import estimates

SIZES = {
    name: estimates.size_of(model["source"], model.get("parameters"), f"{RESULTS}/models/{name}")
    for name, model in STUDY["models"].items()
}


def asks_for(need, log="", gpu=False):
    """The resources of a rule.

    Args:
        need: Returns an estimate from the wildcards and the number of threads.
        log: The path of the job's log below the folder of its rule, without the ending, with wildcards.
        gpu: True to request the GPUs of the estimate.
    """

    def mem_mb(wildcards, attempt, threads, rulename):
        file = Path(RESULTS, "logs", own_name(rulename), log.format(**wildcards))
        return estimates.grown(need(wildcards, threads)["mem_mb"], attempt, f"{file}.log")

    asked = {
        "mem_mb": mem_mb,
        "runtime": lambda w, threads: estimates.minutes(need(w, threads)["seconds"]),
        "expected_seconds": working(need),
    }
    return asked | ({"gpu": lambda w, threads: need(w, threads)["gpu"]} if gpu else {})


def working(need):
    """The seconds of work of an estimate, without waiting."""

    def seconds(wildcards, threads):
        asked = need(wildcards, threads)
        return round(asked.get("work", asked["seconds"]))

    return seconds


def reads(wildcard, need, log):
    """The resources of a rule that reads the weights of the model or merge in a wildcard.

    They include a remake of the merge if its weights are or may be removed, for which the plan has a line of its
    own. For `need` and `log` see `asks_for`.
    """

    def model(wildcards):
        return getattr(wildcards, wildcard)

    asked = asks_for(lambda w, threads: room_for(model(w), need(w, threads)), log, gpu=True)
    return asked | {"expected_seconds": working(need), "merged_again": lambda w: merged_again(model(w))}


def light(cells=0):
    """The resources of tables, figures and the like, with a row in memory for each term of `cells` cells."""
    return asks_for(lambda w, threads: estimates.light(cells * terms()))


def merged_again(*models):
    """The number of merges among the models whose weights were removed, so that their readers remake them."""
    return sum(model in MERGES and checkpoint_pool.is_removed(checkpoint_of(model)) for model in models)


@cache
def terms():
    """The number of terms: counted, or the size of the sample, or assumed."""
    vocabulary = STUDY["vocabulary"]
    return estimates.terms([f"{RESULTS}/vocabulary/terms.tsv", vocabulary.get("terms")], vocabulary)


@cache
def size_of(model):
    """The size of a model or merge under test."""
    if model in MERGES:
        return estimates.merged(STUDY["merges"][model]["recipe"], SIZES)
    return SIZES[model]


def room_for(model, need):
    """The estimate of a job that reads a model, including a remake of the merge if that may be necessary."""
    may_be_removed = model in MERGES and (model not in KEPT or merged_again(model))
    return estimates.one_after_the_other(merging(model), need) if may_be_removed else need
