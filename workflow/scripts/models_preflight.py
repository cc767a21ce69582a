"""Can the study's merges be made of its models? Told from headers alone, before weights are downloaded."""

import json
from pathlib import Path

from lexmerge.checkpoints import Headers, read_headers
from lexmerge.errors import StudyError
from lexmerge.files import write_json
from lexmerge.jobs import job
from lexmerge.preflight import input_bytes, needs, notes, preflight, room
from lexmerge.recipes import base_of, models_of


def plan(recipes: dict[str, dict], headers: dict[str, Headers], folder: str) -> dict[str, dict]:
    """What each merge will take; a StudyError names every merge that cannot be made, and why.

    Merges of models whose headers are not known yet (such as the toy ones) are left to their own check.
    """
    faults, planned = [], {}
    for name, recipe in recipes.items():
        if not set(models_of(recipe)) <= set(headers):
            continue
        parents, base = [headers[model] for model in models_of(recipe)], base_of(recipe)
        found = [*preflight(recipe, parents, base), *room(recipe, parents, base, folder)]
        faults += [f"{name}: {fault}" for fault in found]
        disk, memory = needs(recipe, parents, base)
        planned[name] = {
            "disk_gb": round(disk / 1e9, 2),
            "memory_gb": round(memory / 1e9, 2),
            "input_gb": round(input_bytes(parents) / 1e9, 2),
            "notes": list(notes(recipe, parents)),
        }
    if faults:
        raise StudyError("\n  - ".join(["no weights were fetched: some merges cannot be made:", *faults]))
    return planned


if __name__ == "__main__":
    with job(snakemake.log[0]):
        hub = [json.loads(Path(file).read_text(encoding="utf-8")) for file in snakemake.input.headers]
        headers = {values["name"]: Headers.of_values(values) for values in hub}
        headers |= {name: read_headers(folder, name) for name, folder in snakemake.params.local.items()}
        write_json(
            snakemake.output[0],
            plan(snakemake.params.recipes, headers, str(Path(snakemake.output[0]).parent)),
        )
