"""Fetch a model from the hub at a pinned commit, or link a local folder."""

import tempfile
from pathlib import Path
from typing import Any

import yaml
from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_folder, hashes, write_json
from lexmerge.common.shipped import workflow_version
from lexmerge.merges.preflight import preflight_all
from lexmerge.merges.recipes import models_of
from lexmerge.models.adapted import adapter_source, unadapted
from lexmerge.models.adapters import adapter_faults, folded_headers, read_adapter
from lexmerge.models.checkpoints import Headers, headers_from_files, read_headers
from lexmerge.models.files import SMALL, folder_files
from lexmerge.models.hub import adapter_on_hub, checked_hashes, commit_of, fetch, files_of, headers_of
from lexmerge.models.own_code import own_code
from lexmerge.run.job import job


def link(source: str, target: str) -> None:
    """Make a folder of links to the files of a local checkpoint and nothing else, with a provenance.json.

    Args:
        source: The checkpoint's folder.
        target: The new folder.

    Raises:
        StudyError: The source has no config.json, or see `files.weight_names`.
    """
    if not Path(source, "config.json").is_file():
        raise StudyError(
            f"models: {Path(source).absolute()} has no config.json; name the folder of a Hugging Face "
            "checkpoint"
        )
    with fresh_folder(target) as part:
        for file in folder_files(source):
            (part / file.name).symlink_to(file.resolve())
        provenance = {"source": source, "lexmerge": workflow_version(), "files": hashes(part)}
        write_json(part / "provenance.json", provenance)


def headers(name: str, model: dict[str, Any]) -> Headers:
    """Read the headers of a local or hub model; a few megabytes are fetched from the hub, but no weights.

    Args:
        name: The model's name in the study.
        model: Its config entry, with `source` and `revision`.
    """
    if "adapter" in model:
        return _with_adapter(name, model)
    if Path(model["source"]).is_dir():
        return read_headers(model["source"], name)
    commit, tensors = headers_of(model["source"], model["revision"])
    with tempfile.TemporaryDirectory() as folder:
        fetch(model["source"], commit, folder, [*SMALL])
        return headers_from_files(folder, name, tensors)


def _with_adapter(name: str, model: dict[str, Any]) -> Headers:
    """The headers of a model with an adapter, as `headers`.

    Raises:
        StudyError: The adapter cannot be folded into its model.
    """
    alone = headers(name, {key: value for key, value in model.items() if key != "adapter"})
    source, revision = adapter_source(model["adapter"])
    adapter = read_adapter(source) if revision is None else adapter_on_hub(source, revision)
    if faults := list(adapter_faults(adapter, alone, model["source"])):
        raise StudyError("\n  - ".join([f"models.{name}.adapter cannot be folded into its model:", *faults]))
    return folded_headers(alone, adapter, name)


def check(name: str, study: dict[str, Any], folder: str) -> None:
    """Check, before weights are fetched, that a model's adapters and all its merges can be made.

    The merges' sizes are printed.

    Merges with toy models are skipped, since these have no headers before they are trained.

    Args:
        name: The model's name in the study.
        study: The resolved study.
        folder: A folder on the disk that will hold the merges.

    Raises:
        StudyError: A merge cannot be made.
    """
    of_it = {name, *(other for other in study["models"] if unadapted(study["models"], other) == name)}
    recipes = {n: m["recipe"] for n, m in study["merges"].items() if of_it & {*models_of(m["recipe"])}}
    needed = dict.fromkeys([*of_it, *(model for recipe in recipes.values() for model in models_of(recipe))])
    models = {n: study["models"][n] for n in needed if not study["models"][n]["source"].startswith("toy:")}
    taken = preflight_all(recipes, {n: headers(n, model) for n, model in models.items()}, folder)
    print(yaml.safe_dump(taken, sort_keys=False))


def remove_others(folder: Path, names: list[str]) -> None:
    """Remove the files in a folder, such as those of another commit, that are not in a model's listing."""
    for file in folder.iterdir() if folder.is_dir() else []:
        if file.is_file() and file.name not in names:
            file.unlink()


def download(source: str, revision: str, target: str) -> None:
    """Fetch a hub model and check it against the hub's hashes; complete files are not fetched again.

    Args:
        source: The model's name on the hub.
        revision: A branch, tag or commit.
        target: The target folder.

    Raises:
        StudyError: The hub is not reachable, denies access, or sent a damaged file; or the model needs code
            of its own, in which case no weights are fetched.
    """
    commit = commit_of(source, revision)
    names = files_of(source, commit, target)
    remove_others(Path(target), names)
    small = [name for name in names if not name.endswith(".safetensors")]
    fetch(source, commit, target, small)
    if fault := own_code(target, source):
        raise StudyError(f"models: {fault}, and name its folder as the model's source")
    fetch(source, commit, target, names)
    files = checked_hashes(source, commit, target)
    provenance = {"source": source, "revision": revision, "commit": commit, "lexmerge": workflow_version()}
    write_json(Path(target) / "provenance.json", provenance | {"files": files})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        source, folder = snakemake.params.source, str(Path(snakemake.output[0]).parent)
        if Path(source).is_dir():
            link(source, folder)
        else:
            # The study is not a parameter, so that adding a merge does not fetch its models again.
            check(snakemake.wildcards.model, snakemake.config["resolved"], folder)
            download(source, snakemake.params.revision, folder)
