"""Counts of flagged definitions for each model: truncated, empty, echo, wrong language, repetition."""

from typing import Any

import pandas as pd
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.definitions.flags import FLAGS
from lexmerge.definitions.rows import NOT_ASKED, Definition
from lexmerge.run.job import job


def counts(model: str, definitions: list[Definition]) -> dict[str, Any]:
    """The flag counts of one model; `n` excludes skipped terms, and a definition may have several flags."""
    asked = [row for row in definitions if row["finish_reason"] != NOT_ASKED]
    return {
        "model": model,
        "n": len(asked),
        "n_not_asked": len(definitions) - len(asked),
        **{flag: sum(flag in row["flags"] for row in asked) for flag in FLAGS},
        "mean_tokens": round(sum(row["tokens"] for row in asked) / len(asked), 1) if asked else None,
    }


if __name__ == "__main__":
    with job(snakemake.log[0]):
        table = [
            counts(model, read_jsonl(file))
            for model, file in zip(snakemake.params.models, snakemake.input, strict=True)
        ]
        write_tsv(snakemake.output[0], pd.DataFrame(table))
