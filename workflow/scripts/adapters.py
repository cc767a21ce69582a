"""Fold a LoRA adapter into its model, from a local folder or from the hub at a pinned commit."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_folder, hashes, known_hashes, write_json
from lexmerge.common.shipped import workflow_version
from lexmerge.models.adapted import adapter_source
from lexmerge.models.files import ADAPTER_WEIGHTS, SMALL
from lexmerge.models.folding import fold
from lexmerge.models.hub import checked_hashes, commit_of, fetch
from lexmerge.models.own_code import own_code
from lexmerge.run.job import job


def fold_adapter(model: dict[str, Any], folder: str, target: str) -> None:
    """Write the checkpoint of a model with an adapter, and its provenance.

    Args:
        model: The model's config entry, with `source`, `revision` and `adapter`.
        folder: The folder of the model without the adapter.
        target: The folder to write.

    Raises:
        StudyError: The adapter cannot be fetched, needs code of its own, or does not fit the model.
    """
    source, revision = adapter_source(model["adapter"])
    known = {key: model[key] for key in ("source", "revision", "adapter") if key in model}
    with ExitStack() as stack:
        place = source
        if revision is not None:
            place = stack.enter_context(tempfile.TemporaryDirectory())
            known["adapter_commit"] = download_adapter(source, revision, place)
        if fault := own_code(place, source):
            raise StudyError(f"models: {fault}, and name its folder as the adapter")
        part = stack.enter_context(fresh_folder(target))
        fold(Path(folder), Path(place).absolute(), model["source"], part)
        inputs = {"model": known_hashes(folder), "adapter": hashes(place)}
        write_json(
            part / "provenance.json",
            {**known, "lexmerge": workflow_version(), "inputs": inputs, "files": hashes(part)},
        )


def download_adapter(source: str, revision: str, folder: str) -> str:
    """Fetch an adapter from the hub and check it against the hub's hashes.

    Args:
        source: The adapter's name on the hub.
        revision: A tag or commit.
        folder: The target folder.

    Returns:
        The commit.

    Raises:
        StudyError: The hub is not reachable, denies access, or sent a damaged file.
    """
    commit = commit_of(source, revision)
    fetch(source, commit, folder, [*SMALL, ADAPTER_WEIGHTS])
    checked_hashes(source, commit, folder)
    return commit


if __name__ == "__main__":
    with job(snakemake.log[0]):
        folder = str(Path(snakemake.input.model).parent)
        fold_adapter(snakemake.params.model, folder, str(Path(snakemake.output[0]).parent))
