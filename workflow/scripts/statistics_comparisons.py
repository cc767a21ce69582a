"""Every merge against both parents, on the same terms or documents: paired differences with intervals."""

import json
from pathlib import Path

import pandas as pd
from lexmerge.controls import controls_of
from lexmerge.files import read_jsonl, write_tsv
from lexmerge.harness import column, limits, metrics
from lexmerge.jobs import job
from lexmerge.measures import Measure, of_samples, of_scores, paired
from statsmodels.stats.multitest import multipletests
from tqdm import tqdm

COLUMNS = ["kind", "measure", "model", "baseline", "n", "mean_difference", "ci_low", "ci_high", "p", "p_holm"]


def compare(
    measures: dict[tuple[str, str, str], Measure], merges: list[str], baselines: list[str], seed: int
) -> pd.DataFrame:
    """All pairs, from {(kind, name, model): measure}; Holm's correction within each measure."""
    rows = []
    families = list(dict.fromkeys((kind, measure) for kind, measure, _ in measures))
    for kind, measure in tqdm(families, unit="measure"):
        family = [
            {"kind": kind, "measure": measure, "model": merge, "baseline": baseline}
            | paired(measures[kind, measure, merge], measures[kind, measure, baseline], seed)
            for baseline in baselines
            for merge in merges
            if {(kind, measure, merge), (kind, measure, baseline)} <= measures.keys()
        ]
        tested = [row for row in family if row["p"] is not None]
        if tested:
            corrected = multipletests([row["p"] for row in tested], method="holm")[1]
            for row, p in zip(tested, corrected, strict=True):
                row["p_holm"] = p
        rows += family
    return pd.DataFrame(rows, columns=COLUMNS).round(4)


def judge_scores(judgements: list[dict]) -> Measure:
    return of_scores({row["term"]: row["score"] for row in judgements if row["score"] is not None})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        measures = {
            ("judge", judge, model): judge_scores(read_jsonl(file))
            for (model, judge), file in zip(params.judged, given.judgements, strict=True)
        }
        suites = [json.loads(Path(file).read_text(encoding="utf-8")) for file in given.results]
        for (model, _), results, samples in zip(params.benchmarked, suites, given.samples, strict=True):
            rows = read_jsonl(samples)
            for name, metric, _ in metrics(results):
                if measure := of_samples(results, rows, name, metric):
                    measures["benchmark", column(name, metric), model] = measure
        table = compare(measures, params.merges, params.baselines, params.seed)
        controls = controls_of(given.controls)
        table["controls"] = table.measure.map(controls).where(table.kind == "judge", "")
        write_tsv(snakemake.output[0], table, dict.fromkeys(limits(suites)))
