"""The distances: the measured models, and the resources they need."""

MEASURED = [*MODELS, *(merge for merge in MERGES if merge in KEPT)]
UNMEASURED = [merge for merge in MERGES if merge not in KEPT]


def measuring():
    """Resources for the distances, including merges that must be remade first."""
    need = estimates.distances([size_of(model) for model in MEASURED]) | {"gpu": 0}
    for merge in (merge for merge in MEASURED if merged_again(merge)):
        need = estimates.one_after_the_other(merging(merge), need)
    return need
