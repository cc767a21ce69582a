"""Helpers for merges: their parents, which of them stay on the disk, and the resources for merging."""

from lexmerge.merges.methods import methods
from lexmerge.merges.recipes import models_of

SEARCHED = [name for name in MERGES if "search" in STUDY["merges"][name]]
# The merges whose weights stay on the disk; distances are measured between them and the models.
CHECKPOINTS = STUDY["merging"].get("checkpoints")
KEPT = CHECKPOINTS["keep"] if CHECKPOINTS else MERGES
MERGING = {k: v for k, v in STUDY["merging"].items() if k not in ("same_below", "checkpoints")}
# The priority of jobs that read merges: on a bounded disk, merges are read before others are made.
READ_PRIORITY = int(CHECKPOINTS is not None)


@cache
def parents_of(merge):
    """List the models that a merge's recipe names."""
    return models_of(STUDY["merges"][merge]["recipe"])


def adds_base(merge):
    """True if MergeKit's method uses the base model, which then counts as one of the models."""
    return methods()[STUDY["merges"][merge]["recipe"]["merge_method"]]["base"] != "ignored"


def readers_of(merge):
    """List the outputs of the jobs that read a merge's weights, except the distances of kept merges."""
    kinds = ("", "transfer/") if BOTH_LANGUAGES else ("",)
    return [
        *(f"{RESULTS}/{kind}definitions/{merge}.jsonl" for kind in kinds),
        *benchmarks_of([(merge, suite) for suite in SUITES], ".json"),
        *([f"{RESULTS}/search/{merge}/scores.json"] if merge in SEARCHED else []),
    ]


@cache
def merging(merge):
    """Estimate the resources of a merge."""
    return estimates.merging(STUDY["merges"][merge]["recipe"], SIZES, STUDY["merging"])
