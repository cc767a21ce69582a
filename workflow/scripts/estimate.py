"""Estimate the costs of the study's judges and translations by language models, before any request."""

from typing import Any

import pandas as pd
from lexmerge.common.files import read_tsv, write_tsv
from lexmerge.common.plurals import counted
from lexmerge.common.terminal import show
from lexmerge.run.job import job
from lexmerge.services.costs import COLUMNS, estimate


def estimate_text(rows: list[dict[str, Any]], terms: int, most: float | None) -> str:
    """The estimate as text for the terminal.

    Args:
        rows: The rows of `costs.estimate`.
        terms: The number of terms.
        most: `judging.max_cost` in US dollars, if set.
    """
    if not rows:
        return "no judge or translator of this study is a language model, so it costs nothing"
    known = [row["usd"] for row in rows if row["usd"] is not None]
    lines = [
        f"{row['what']}: {counted(row['calls'], 'call')} of {row['model']}, {_usd(row['usd'])}"
        for row in rows
    ]
    limit = "" if most is None else f"; judging.max_cost is {most:.2f}"
    return "\n".join(
        [f"estimate for {counted(terms, 'term')}:", *lines, f"total {sum(known):.2f} dollars{limit}"]
    )


def _usd(value: float | None) -> str:
    """A price in words."""
    return "price unknown: give it under `price`" if value is None else f"{value:.2f} dollars"


if __name__ == "__main__":
    with job(snakemake.log[0]):
        study, terms = snakemake.params.study, len(read_tsv(snakemake.input[0]))
        rows = estimate(study, terms)
        text = estimate_text(rows, terms, study["judging"].get("max_cost"))
        print(text)
        show(f"\n{text}")
        write_tsv(snakemake.output[0], pd.DataFrame(rows, columns=COLUMNS))
