"""Write one merge's recipe as the YAML that `mergekit-yaml` itself would run."""

from lexmerge.files import write_text
from lexmerge.jobs import job
from lexmerge.recipes import recipe_text

if __name__ == "__main__":
    with job(snakemake.log[0]):
        seed, threads = snakemake.params.seed, snakemake.params.threads
        same = f"mergekit-yaml {snakemake.output[0]} FOLDER --random-seed {seed} --num-threads {threads}"
        write_text(snakemake.output[0], recipe_text(snakemake.params.recipe, snakemake.params.folders, same))
