"""The table statistics/distances.tsv: its columns and the notes above it.

The notes name pairs of models that are the same or nearly the same, and merges without distances.
"""

import pandas as pd

COLUMNS = ["model_a", "model_b", "group", "cosine", "distance", "same_weights"]
NOT_MEASURED = "not measured because their weights are not kept (merging.checkpoints): "


def same_model_notes(table: pd.DataFrame, same_below: float) -> list[str]:
    """Describe the pairs of models that are the same or nearly the same.

    Args:
        table: The distances, with the columns `COLUMNS`.
        same_below: The distance between whole models below which two models count as nearly the same, in
            units of the distance between the expert and the generalist.

    Returns:
        One sentence per pair.
    """
    whole = table[(table.group == "whole") & (table.same_weights | (table.distance < same_below))]
    return [
        f"{row.model_a} and {row.model_b} "
        + (
            "have identical weights"
            if row.same_weights
            else f"are nearly identical (distance {row.distance:.4f})"
        )
        for row in whole.itertuples()
    ]


def unmeasured_notes(merges: list[str]) -> list[str]:
    """Name the merges that have no distances, in one note.

    Args:
        merges: The merges whose weights are not kept.

    Returns:
        One note, or none when the list is empty.
    """
    return [NOT_MEASURED + ", ".join(merges)] if merges else []


def split_notes(notes: list[str]) -> tuple[list[str], str]:
    """Split the table's notes into their two kinds.

    Args:
        notes: The lines above the table, without the leading `#`.

    Returns:
        The sentences of `same_model_notes`, and the names of the merges without distances, separated by
        commas (empty when there are none).
    """
    unmeasured = [note.removeprefix(NOT_MEASURED) for note in notes if note.startswith(NOT_MEASURED)]
    return [note for note in notes if not note.startswith(NOT_MEASURED)], ", ".join(unmeasured)
