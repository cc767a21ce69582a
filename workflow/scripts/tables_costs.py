"""Table of the judges' requests and costs, including controls and repeated requests."""

from typing import Any

import pandas as pd
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES
from lexmerge.judgements.outcome import Judgement
from lexmerge.run.job import job
from lexmerge.services.costs import cost

COLUMNS = ["judge", "calls", "input_tokens", "output_tokens", "usd"]


def spent(judge: str, settings: dict[str, Any], rows: list[Judgement]) -> dict[str, Any]:
    """Sum the requests, tokens and costs (US dollars) of a judge; lexical judges cost nothing.

    Args:
        judge: Name of the judge.
        settings: Its settings in the resolved study.
        rows: Its judgements, those of controls included.

    Returns:
        A row with `COLUMNS`; `usd` is None if the price is unknown.
    """
    calls = sum(row["asked"] for row in rows)
    read = sum(row["input_tokens"] for row in rows)
    written = sum(row["output_tokens"] for row in rows)
    usd = 0.0 if settings["provider"] in LEXICAL_JUDGES else cost(settings, read, written)
    return {
        "judge": judge,
        "calls": calls,
        "input_tokens": read,
        "output_tokens": written,
        "usd": None if usd is None else round(usd, 4),
    }


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        rows = {judge: [] for judge in params.names}
        for (_, judge), file in zip(params.judged, given.judgements, strict=True):
            rows[judge] += read_jsonl(file)
        for judge, file in zip(params.names, given.controls, strict=True):
            rows[judge] += read_jsonl(file)
        table = [spent(judge, params.judges[judge], asked) for judge, asked in rows.items()]
        write_tsv(snakemake.output[0], pd.DataFrame(table, columns=COLUMNS))
