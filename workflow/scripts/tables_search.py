"""The tables of searches: gains on the search's documents and on held-out documents, and the values found."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.run.job import job
from lexmerge.search.history import best, by_seed

COLUMNS = [
    *("merge", "seed", "chosen", "objective", "evaluations", "failed", "winner"),
    *("search_start", "search_winner", "search_gain"),
    *("held_out_start", "held_out_winner", "held_out_gain", "n", "ci_low", "ci_high", "p", "drop"),
    "scored_again",
]


def search_rows(
    merge: str, histories: dict[int, list[dict[str, Any]]], scores: dict[str, Any]
) -> list[dict[str, Any]]:
    """The gains of one search.

    Args:
        merge: The name of the searched merge.
        histories: The rows of every candidate, by seed.
        scores: The file search/<merge>/scores.json.

    Returns:
        A row with the columns `COLUMNS` for each seed and objective. `drop` is `search_gain` minus
        `held_out_gain`, which estimates the selection bias of the search.
    """
    rows = []
    for of_seed in scores["seeds"]:
        history = histories[of_seed["seed"]]
        for number, objective in enumerate(scores["objectives"]):
            values = {
                f"{split}_{who}": from_["score"][number]
                for split in ("search", "held_out")
                for who, from_ in (("start", scores["start"][split]), ("winner", of_seed[split]))
            }
            gains = {
                f"{split}_gain": values[f"{split}_winner"] - values[f"{split}_start"]
                for split in ("search", "held_out")
            }
            drawn = {key: of_seed["gains"][number][key] for key in ("n", "ci_low", "ci_high", "p")}
            rows.append(
                {
                    "merge": merge,
                    **{key: of_seed[key] for key in ("seed", "chosen", "scored_again")},
                    "objective": objective,
                    "evaluations": len(history),
                    "failed": sum(row["status"] == "failed" for row in history),
                    "winner": of_seed["evaluation"],
                    **values,
                    **gains,
                    **drawn,
                    "drop": gains["search_gain"] - gains["held_out_gain"],
                }
            )
    return rows


def parameter_rows(
    merge: str, histories: dict[int, list[dict[str, Any]]], search: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row for each placeholder and block: its range, start, published value, and each seed's best value."""
    rows = []
    for name, spec in search["parameters"].items():
        blocks = spec.get("blocks", 1)
        start = histories[next(iter(histories))][0]["values"][name]
        taken = {f"seed_{seed}": best(history)["values"][name] for seed, history in histories.items()}
        for block in range(blocks):
            rows.append(
                {
                    "merge": merge,
                    "parameter": name,
                    "block": block + 1,
                    "blocks": blocks,
                    "low": spec["range"][0],
                    "high": spec["range"][1],
                    "start": _at(start, block),
                    "published": _at(spec.get("published"), block),
                    **{seed: _at(value, block) for seed, value in taken.items()},
                }
            )
    return rows


def _at(value: list[float] | float | None, block: int) -> float | None:
    """The value of one block; a single value is that of every block."""
    return value[block] if isinstance(value, list) else value


if __name__ == "__main__":
    with job(snakemake.log[0]):
        rows, parameters = [], []
        for file in snakemake.input.scores:
            merge = Path(file).parent.name
            own = [file for file in snakemake.input.histories if Path(file).parent.name == merge]
            histories = by_seed(own, read_jsonl)
            rows += search_rows(merge, histories, json.loads(Path(file).read_text(encoding="utf-8")))
            parameters += parameter_rows(merge, histories, snakemake.params.searches[merge])
        write_tsv(snakemake.output.search, pd.DataFrame(rows, columns=COLUMNS).round(6))
        write_tsv(snakemake.output.parameters, pd.DataFrame(parameters))
