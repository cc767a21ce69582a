"""Write one merge's recipe as YAML that `mergekit-yaml` can run."""

from lexmerge.common.files import write_text
from lexmerge.merges.recipes import recipe_text
from lexmerge.run.job import job

if __name__ == "__main__":
    with job(snakemake.log[0]):
        seed, threads = snakemake.params.seed, snakemake.params.threads
        same = f"mergekit-yaml {snakemake.output[0]} FOLDER --random-seed {seed} --num-threads {threads}"
        write_text(snakemake.output[0], recipe_text(snakemake.params.recipe, snakemake.params.folders, same))
