"""The merges: their parents, which of them stay on the disk, and what merging takes."""

from lexmerge.merges.methods import methods
from lexmerge.merges.recipes import models_of

SEARCHED = [name for name in MERGES if "search" in STUDY["merges"][name]]
# The merges whose weights stay on the disk; distances are measured between kept ones and the models.
CHECKPOINTS = STUDY["merging"].get("checkpoints")
KEPT = CHECKPOINTS["keep"] if CHECKPOINTS else MERGES
MERGING = {k: v for k, v in STUDY["merging"].items() if k not in ("same_below", "checkpoints")}
# The priority of jobs that read merges: with few on the disk, before others are begun.
DEPTH_FIRST = int(CHECKPOINTS is not None)


@cache
def parents_of(merge):
    """The models that a merge's recipe names."""
    return models_of(STUDY["merges"][merge]["recipe"])


def adds_base(merge):
    """Does MergeKit's method compare with the base model, and take it for one of the models by itself?"""
    return methods()[STUDY["merges"][merge]["recipe"]["merge_method"]]["base"] != "ignored"


def readers_of(merge):
    """What is written by the jobs that read a merge's weights, but for the distances, which read kept ones."""
    kinds = ("", "transfer/") if BOTH_LANGUAGES else ("",)
    return [
        *(f"{RESULTS}/{kind}definitions/{merge}.jsonl" for kind in kinds),
        *benchmarks_of([(merge, suite) for suite in SUITES], ".json"),
        *([f"{RESULTS}/search/{merge}/scores.json"] if merge in SEARCHED else []),
    ]


@cache
def merging(merge):
    return estimates.merging(STUDY["merges"][merge]["recipe"], SIZES, STUDY["merging"])
