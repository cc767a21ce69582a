"""Count the words of the general corpus: `word, count`, the most frequent first."""

import pandas as pd
from lexmerge.corpus import count_words, open_corpus
from lexmerge.files import write_tsv
from lexmerge.jobs import job


def frequency_table(counts: dict[str, int]) -> pd.DataFrame:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return pd.DataFrame(ordered, columns=["word", "count"])


if __name__ == "__main__":
    with job(snakemake.log[0]):
        corpus = open_corpus(snakemake.params.format, snakemake.params.path)
        write_tsv(snakemake.output[0], frequency_table(count_words(corpus)))
