"""Every merge against both parents, on the same terms or documents: paired differences with intervals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from lexmerge.controls import controls_of
from lexmerge.files import read_jsonl, write_tsv
from lexmerge.harness import column, metrics, sample_scores
from lexmerge.jobs import job
from scipy import stats
from statsmodels.stats.multitest import multipletests
from tqdm import tqdm

RESAMPLES = 9999
COLUMNS = ["kind", "measure", "model", "baseline", "n", "mean_difference", "ci_low", "ci_high", "p", "p_holm"]
Scores = dict[object, float]  # a term or a document -> its score


def paired(one: Scores, other: Scores, seed: int) -> dict:
    """The mean difference over what both scored: 95 % bootstrap interval, sign-flip permutation p.

    The interval is the percentile one: with few documents and differences of 0 and 1, the BCa interval holds
    the truth less often than it says (tests/test_statistics.py).
    """
    shared = sorted(one.keys() & other.keys())
    differences = np.array([one[key] - other[key] for key in shared], dtype=float)
    row = {"n": len(shared), "mean_difference": None, "ci_low": None, "ci_high": None, "p": None}
    if shared:
        row["mean_difference"] = differences.mean()
    if len(shared) < 2:  # from one difference nothing can be drawn
        return row
    interval = stats.bootstrap(
        (differences,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    test = stats.permutation_test(
        (differences,),
        lambda d, axis: np.mean(d, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    return row | {"ci_low": interval.low, "ci_high": interval.high, "p": test.pvalue}


def compare(
    scores: dict[tuple[str, str, str], Scores], merges: list[str], baselines: list[str], seed: int
) -> pd.DataFrame:
    """All pairs, from {(kind, measure, model): scores}; Holm's correction within each measure."""
    rows = []
    families = list(dict.fromkeys((kind, measure) for kind, measure, _ in scores))
    for kind, measure in tqdm(families, unit="measure"):
        family = [
            {"kind": kind, "measure": measure, "model": merge, "baseline": baseline}
            | paired(scores[kind, measure, merge], scores[kind, measure, baseline], seed)
            for baseline in baselines
            for merge in merges
        ]
        tested = [row for row in family if row["p"] is not None]
        if tested:
            corrected = multipletests([row["p"] for row in tested], method="holm")[1]
            for row, p in zip(tested, corrected, strict=True):
                row["p_holm"] = p
        rows += family
    return pd.DataFrame(rows, columns=COLUMNS).round(4)


def judge_scores(judgements: list[dict]) -> Scores:
    return {row["term"]: row["score"] for row in judgements if row["score"] is not None}


if __name__ == "__main__":
    with job(snakemake.log[0]):
        scores = {
            ("judge", judge, model): judge_scores(read_jsonl(file))
            for (model, judge), file in zip(snakemake.params.judged, snakemake.input.judgements, strict=True)
        }
        for (model, _), results, samples in zip(
            snakemake.params.benchmarked, snakemake.input.results, snakemake.input.samples, strict=True
        ):
            rows = read_jsonl(samples)
            for task, metric, _ in metrics(json.loads(Path(results).read_text(encoding="utf-8"))):
                if each := sample_scores(rows, task, metric):
                    scores["benchmark", column(task, metric), model] = each
        table = compare(scores, snakemake.params.merges, snakemake.params.baselines, snakemake.params.seed)
        controls = controls_of(snakemake.input.controls)
        judged = table.kind == "judge"
        table["controls"] = table.measure.map(controls).where(judged, "")
        write_tsv(snakemake.output[0], table)
