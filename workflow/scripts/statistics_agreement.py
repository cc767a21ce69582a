"""Agreement of every two judges on the definitions that both scored, for each model and over all models."""

from itertools import combinations
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.judgements.control_results import controls_of, noise_of
from lexmerge.run.job import job
from scipy.stats import kendalltau, spearmanr
from sklearn.metrics import cohen_kappa_score

COLUMNS = [
    *(
        "judge_a",
        "judge_b",
        "model",
        "n",
        "mean_offset",
        "spearman",
        "quadratic_kappa",
        "krippendorff_ordinal",
    ),
    "systems_kendall",
]


def agreement(one: list[int], other: list[int]) -> dict[str, Any]:
    """Agreement of two judges.

    Args:
        one: The first judge's scores, 0 to 10.
        other: The second judge's scores of the same definitions.

    Returns:
        The number `n` of definitions, the `mean_offset` (one minus other), Spearman's correlation, Cohen's
        kappa with quadratic weights, and Krippendorff's ordinal alpha; None if not defined.
    """
    row: dict[str, Any] = {"n": len(one), **dict.fromkeys(COLUMNS[4:])}
    if not one:
        return row
    row["mean_offset"] = float(np.mean(one) - np.mean(other))
    if len(set(one)) > 1 and len(set(other)) > 1:
        row["spearman"] = float(spearmanr(one, other).statistic)
        row["quadratic_kappa"] = float(
            cohen_kappa_score(one, other, weights="quadratic", labels=list(range(11)))
        )
    if len({*one, *other}) > 1:
        row["krippendorff_ordinal"] = float(
            krippendorff.alpha([one, other], level_of_measurement="ordinal", value_domain=list(range(11)))
        )
    return row


def same_ranks(one: list[float], other: list[float]) -> float | None:
    """Kendall's tau-b of two judges' mean scores of the models; None if one judge's are all equal."""
    if len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return float(kendalltau(one, other).statistic)


def table(judgements: dict[tuple[str, str], dict[str, int]]) -> pd.DataFrame:
    """The table statistics/agreement.tsv.

    Args:
        judgements: The scores by (model, judge) and term.

    Returns:
        A row with the columns `COLUMNS` for every two judges and each model; the row of the model `all` pools
        the definitions of all models.
    """
    models = list(dict.fromkeys(model for model, _ in judgements))
    judges = list(dict.fromkeys(judge for _, judge in judgements))
    rows = []
    for a, b in combinations(judges, 2):
        pooled: tuple[list[int], list[int]] = ([], [])
        means: tuple[list[float], list[float]] = ([], [])
        for model in models:
            one, other = judgements[model, a], judgements[model, b]
            shared = sorted(one.keys() & other.keys())
            pair = [one[term] for term in shared], [other[term] for term in shared]
            rows.append({"judge_a": a, "judge_b": b, "model": model} | agreement(*pair))
            for side, scores in enumerate(pair):
                pooled[side].extend(scores)
                means[side].extend([float(np.mean(scores))] if scores else [])
        whole = agreement(*pooled) | {"systems_kendall": same_ranks(*means)}
        rows.append({"judge_a": a, "judge_b": b, "model": "all"} | whole)
    return pd.DataFrame(rows, columns=COLUMNS).round(4)


if __name__ == "__main__":
    with job(snakemake.log[0]):
        judgements = {
            tuple(cell): {row["term"]: row["score"] for row in read_jsonl(file) if row["score"] is not None}
            for cell, file in zip(snakemake.params.cells, snakemake.input.judgements, strict=True)
        }
        controls, agreed = controls_of(snakemake.input.controls), table(judgements)
        noise = noise_of(snakemake.input.controls)
        for judge in ("judge_a", "judge_b"):
            agreed[judge.replace("judge", "controls")] = agreed[judge].map(controls)
            agreed[judge.replace("judge", "noise")] = agreed[judge].map(noise)
        write_tsv(snakemake.output[0], agreed)
