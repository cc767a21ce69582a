"""Make a blank sheet for human raters: definitions in random order, without the names of the models."""

import pandas as pd
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.judgements.ratings import SHEET, sheet
from lexmerge.run.job import job

if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        definitions, references = map(read_jsonl, given.definitions), read_jsonl(given.references)
        rows = sheet(list(definitions), references, params.sample, params.seed)
        head = ["score: 0 to 10, empty where you cannot say"]
        write_tsv(snakemake.output[0], pd.DataFrame(rows, columns=SHEET), head)
