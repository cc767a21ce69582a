"""The lines above the table of distances: which models are one, and which were not measured."""

NOT_MEASURED = "not measured, since their weights are not kept (merging.checkpoints): "


def unmeasured_notes(merges: list[str]) -> list[str]:
    """A line that names the merges without distances; none where there are none."""
    return [NOT_MEASURED + ", ".join(merges)] if merges else []


def parted(notes: list[str]) -> tuple[list[str], str]:
    """The pairs that are one model, or nearly; and the merges that were not measured, as one text."""
    unmeasured = [note.removeprefix(NOT_MEASURED) for note in notes if note.startswith(NOT_MEASURED)]
    return [note for note in notes if not note.startswith(NOT_MEASURED)], ", ".join(unmeasured)
