"""Translate the terms: `term, translation, source`."""

import pandas as pd
from lexmerge.errors import StudyError
from lexmerge.files import read_tsv, write_tsv
from lexmerge.jobs import job


def translate_from_table(terms: list[str], table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Look each term up in a table with the columns `term` and `translation`."""
    for column in ("term", "translation"):
        if column not in table:
            raise StudyError(f"{source}: no column {column!r}; it has {', '.join(table.columns)}")
    known = dict(zip(table.term.str.lower(), table.translation, strict=True))
    missing = [term for term in terms if not known.get(term)]
    if missing:
        raise StudyError(
            f"{source}: no translation of {len(missing)} of {len(terms)} terms, such as "
            f"{', '.join(missing[:5])}; add them to the table"
        )
    return pd.DataFrame({"term": terms, "translation": [known[t] for t in terms], "source": source})


def untranslated(terms: list[str]) -> pd.DataFrame:
    """Every term stands for itself, and says so: for a look at the machinery, not for a result."""
    return pd.DataFrame({"term": terms, "translation": terms, "source": "untranslated"})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        words = list(read_tsv(snakemake.input.terms).term)
        if snakemake.params.provider == "table":
            path = snakemake.params.path
            write_tsv(snakemake.output[0], translate_from_table(words, read_tsv(path), path))
        else:
            write_tsv(snakemake.output[0], untranslated(words))
