"""The table statistics/distances.tsv: its columns, and the notes above it.

The notes name the pairs of models that are the same or nearly, and the merges that were not measured.
"""

import pandas as pd

COLUMNS = ["model_a", "model_b", "group", "cosine", "distance", "same_weights"]
NOT_MEASURED = "not measured, since their weights are not kept (merging.checkpoints): "


def same_model_notes(table: pd.DataFrame, same_below: float) -> list[str]:
    """Name the pairs of models that are the same, or nearly.

    Args:
        table: The distances, with the columns `COLUMNS`.
        same_below: The distance between whole models below which two models count as nearly the same, in
            units of the distance between the expert and the generalist.

    Returns:
        A sentence for each such pair.
    """
    whole = table[(table.group == "whole") & (table.same_weights | (table.distance < same_below))]
    return [
        f"{row.model_a} and {row.model_b} "
        + (
            "are the same model, weight for weight"
            if row.same_weights
            else f"are nearly one ({row.distance:.4f})"
        )
        for row in whole.itertuples()
    ]


def unmeasured_notes(merges: list[str]) -> list[str]:
    """Name the merges that have no distances.

    Args:
        merges: The names of merges whose weights are not kept.

    Returns:
        One note with all the names; no note when there are none.
    """
    return [NOT_MEASURED + ", ".join(merges)] if merges else []


def split_notes(notes: list[str]) -> tuple[list[str], str]:
    """Split the table's notes by what they are about.

    Args:
        notes: The lines above the table, without their `#`.

    Returns:
        The sentences of `same_model_notes`, and the names of the merges that were not measured, separated by
        commas (empty when all were).
    """
    unmeasured = [note.removeprefix(NOT_MEASURED) for note in notes if note.startswith(NOT_MEASURED)]
    return [note for note in notes if not note.startswith(NOT_MEASURED)], ", ".join(unmeasured)
