"""Put a study's model in its place: a hub checkpoint at a pinned revision, or links to a local folder."""

from pathlib import Path

from lexmerge.errors import StudyError
from lexmerge.files import fresh_folder, hashes, write_json
from lexmerge.jobs import job

WANTED = ["*.safetensors", "*.json", "*.jinja", "*.model", "tokenizer*"]


def link(source: str, target: str) -> None:
    """A folder of links to the files of a local checkpoint."""
    files = sorted(f for f in Path(source).iterdir() if f.is_file() and f.name != "provenance.json")
    if not any(f.name == "config.json" for f in files):
        raise StudyError(f"models: {source} has no config.json; is it a Hugging Face checkpoint?")
    with fresh_folder(target) as part:
        for file in files:
            (part / file.name).symlink_to(file.resolve())
        write_json(part / "provenance.json", {"source": source, "files": hashes(part)})


def download(source: str, revision: str, target: str) -> None:
    """A snapshot of a hub repository; what is already there is not fetched again."""
    from huggingface_hub import HfApi, snapshot_download

    commit = HfApi().model_info(source, revision=revision).sha
    snapshot_download(source, revision=commit, local_dir=target, allow_patterns=WANTED)
    found = {"source": source, "revision": revision, "commit": commit, "files": hashes(target)}
    write_json(Path(target) / "provenance.json", found)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        source, folder = snakemake.params.source, str(Path(snakemake.output[0]).parent)
        if Path(source).is_dir():
            link(source, folder)
        else:
            download(source, snakemake.params.revision, folder)
