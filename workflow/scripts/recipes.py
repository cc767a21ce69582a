"""Write one merge's recipe as the YAML that `mergekit-yaml` itself would run."""

import yaml
from lexmerge.files import write_text
from lexmerge.jobs import job
from lexmerge.recipes import with_paths


def recipe_text(recipe: dict, folders: dict[str, str], command: str) -> str:
    body = yaml.safe_dump(with_paths(recipe, folders.__getitem__), sort_keys=False, allow_unicode=True)
    return f"# {command}\n{body}"


if __name__ == "__main__":
    with job(snakemake.log[0]):
        seed, threads = snakemake.params.seed, snakemake.params.threads
        same = f"mergekit-yaml {snakemake.output[0]} FOLDER --random-seed {seed} --num-threads {threads}"
        write_text(snakemake.output[0], recipe_text(snakemake.params.recipe, snakemake.params.folders, same))
