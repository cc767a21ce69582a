"""Put a study's model in its place: a hub checkpoint at a pinned commit, or links to a local folder."""

import tempfile
from pathlib import Path

import yaml
from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_folder, hashes, write_json
from lexmerge.merges.preflight import preflight_all
from lexmerge.merges.recipes import models_of
from lexmerge.models.checkpoints import Headers, headers_from_files, read_headers
from lexmerge.models.hub import SMALL, WEIGHTS, commit_of, fetch, headers_of, published_hashes
from lexmerge.run.job import job


def link(source: str, target: str) -> None:
    """A folder of links to the files of a local checkpoint."""
    files = sorted(f for f in Path(source).iterdir() if f.is_file() and f.name != "provenance.json")
    if not any(f.name == "config.json" for f in files):
        raise StudyError(f"models: {source} has no config.json; is it a Hugging Face checkpoint?")
    with fresh_folder(target) as part:
        for file in files:
            (part / file.name).symlink_to(file.resolve())
        write_json(part / "provenance.json", {"source": source, "files": hashes(part)})


def headers(name: str, model: dict) -> Headers:
    """The headers of a model wherever it is; of a hub model a few megabytes are fetched, and no weight."""
    if Path(model["source"]).is_dir():
        return read_headers(model["source"], name)
    commit, tensors = headers_of(model["source"], model["revision"])
    with tempfile.TemporaryDirectory() as folder:
        fetch(model["source"], commit, folder, SMALL)
        return headers_from_files(folder, name, tensors)


def check(name: str, study: dict, folder: str) -> None:
    """Stop before the weights are fetched if a merge of the study that needs this model cannot be made.

    What a merge will take is printed. The toy models have no headers before they are trained: merges with
    them are left to the merge's own check.
    """
    recipes = {n: m["recipe"] for n, m in study["merges"].items() if name in models_of(m["recipe"])}
    needed = dict.fromkeys(model for recipe in recipes.values() for model in models_of(recipe))
    models = {n: study["models"][n] for n in needed if not study["models"][n]["source"].startswith("toy:")}
    taken = preflight_all(recipes, {n: headers(n, model) for n, model in models.items()}, folder)
    print(yaml.safe_dump(taken, sort_keys=False))


def download(source: str, revision: str, target: str) -> None:
    """A snapshot of a hub model, checked against the hub's hashes; what is there is not fetched again."""
    commit = commit_of(source, revision)
    fetch(source, commit, target, [*SMALL, *WEIGHTS])
    files = hashes(target)
    for name, published in published_hashes(source, commit).items():
        if name in files and files[name] != published:
            (Path(target) / name).unlink()
            raise StudyError(f"{source}: {name} came damaged and was removed; run again to fetch it anew")
    provenance = {"source": source, "revision": revision, "commit": commit, "files": files}
    write_json(Path(target) / "provenance.json", provenance)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        source, folder = snakemake.params.source, str(Path(snakemake.output[0]).parent)
        if Path(source).is_dir():
            link(source, folder)
        else:
            # Not by parameters: a merge that is added to a study must not fetch its models again.
            check(snakemake.wildcards.model, snakemake.config["resolved"], folder)
            download(source, snakemake.params.revision, folder)
