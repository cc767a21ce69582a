"""Put a study's model in its place: a hub checkpoint at a pinned commit, or links to a local folder."""

import json
from pathlib import Path

from lexmerge.errors import StudyError
from lexmerge.files import fresh_folder, hashes, write_json
from lexmerge.jobs import job


def link(source: str, target: str) -> None:
    """A folder of links to the files of a local checkpoint."""
    files = sorted(f for f in Path(source).iterdir() if f.is_file() and f.name != "provenance.json")
    if not any(f.name == "config.json" for f in files):
        raise StudyError(f"models: {source} has no config.json; is it a Hugging Face checkpoint?")
    with fresh_folder(target) as part:
        for file in files:
            (part / file.name).symlink_to(file.resolve())
        write_json(part / "provenance.json", {"source": source, "files": hashes(part)})


def download(headers: dict, target: str) -> None:
    """The files of a hub model at the commit of its headers, checked against the hub's own hashes."""
    from lexmerge.hub import SMALL, WEIGHTS, fetch, published_hashes

    source, commit = headers["source"], headers["commit"]
    fetch(source, commit, target, [*SMALL, *WEIGHTS])
    files = hashes(target)
    for name, published in published_hashes(source, commit).items():
        if name in files and files[name] != published:
            (Path(target) / name).unlink()
            raise StudyError(f"{source}: {name} came damaged and was removed; run again to fetch it anew")
    found = {"source": source, "revision": headers["revision"], "commit": commit, "files": files}
    write_json(Path(target) / "provenance.json", found)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        source, folder = snakemake.params.source, str(Path(snakemake.output[0]).parent)
        if Path(source).is_dir():
            link(source, folder)
        else:
            download(json.loads(Path(snakemake.input.headers).read_text(encoding="utf-8")), folder)
