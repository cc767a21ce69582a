"""Fetch what a hub model says before any weight: its commit, config, tokenizer and tensors' shapes."""

from pathlib import Path

from lexmerge.checkpoints import headers_from_files
from lexmerge.files import write_json
from lexmerge.hub import SMALL, fetch, headers_of
from lexmerge.jobs import job


def describe(source: str, revision: str, name: str, folder: str) -> dict:
    """The headers as plain values; the small files stay in `folder`, where the weights will join them."""
    commit, tensors = headers_of(source, revision)
    fetch(source, commit, folder, SMALL)
    headers = headers_from_files(folder, name, tensors)
    return {"source": source, "revision": revision, "commit": commit, **headers.as_values()}


if __name__ == "__main__":
    with job(snakemake.log[0]):
        params, folder = snakemake.params, str(Path(snakemake.params.folder))
        found = describe(params.source, params.revision, snakemake.wildcards.model, folder)
        write_json(snakemake.output[0], found)
