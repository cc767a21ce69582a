"""A blank sheet for people who rate definitions: shuffled, and without the names of the models."""

import pandas as pd
from lexmerge.files import read_jsonl, write_tsv
from lexmerge.jobs import job
from lexmerge.ratings import SHEET, sheet

if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        definitions, references = map(read_jsonl, given.definitions), read_jsonl(given.references)
        rows = sheet(list(definitions), references, params.sample, params.seed)
        head = ["score: 0 to 10, empty where you cannot say"]
        write_tsv(snakemake.output[0], pd.DataFrame(rows, columns=SHEET), head)
