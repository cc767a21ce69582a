"""Run one recipe with MergeKit, check the result, and publish it with its provenance."""

from pathlib import Path

from lexmerge.merges.checkpoint_pool import making
from lexmerge.merges.merge import merge
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job

if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
        target, source = (str(Path(f).parent) for f in (snakemake.output[0], snakemake.input.canonical))
        with making(target):
            merge(snakemake.input.recipe, target, source, snakemake.params.seed, snakemake.params.settings)
