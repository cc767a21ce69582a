"""The distances: which models are measured, and what that takes."""

MEASURED = [*MODELS, *(merge for merge in MERGES if merge in KEPT)]
UNMEASURED = [merge for merge in MERGES if merge not in KEPT]


def measuring():
    """The distances, and before them the merges whose weights were removed."""
    need = estimates.distances([size_of(model) for model in MEASURED]) | {"gpu": 0}
    for merge in (merge for merge in MEASURED if merged_again(merge)):
        need = estimates.one_after_the_other(merging(merge), need)
    return need
