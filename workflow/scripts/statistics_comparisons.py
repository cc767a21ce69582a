"""Every merge compared with both parents on the same terms or documents: differences and verdicts."""

import pandas as pd
from lexmerge.benchmarks.results import column, limits, metrics, read_evaluations
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.judgements.control_results import controls_of
from lexmerge.run.job import job
from lexmerge.statistics.measures import Measure, by_document, of_samples, of_scores, paired, unseen
from lexmerge.statistics.rows import Comparison
from lexmerge.statistics.validity import caveats, read_facts
from lexmerge.statistics.verdicts import by_ranks, counts, detectable, exact_mcnemar, verdict, worst_case
from statsmodels.stats.multitest import multipletests
from tqdm import tqdm

COLUMNS = [
    *("kind", "measure", "model", "baseline", "verdict", "n", "n_missing"),
    *("mean_difference", "ci_low", "ci_high", "worst_low", "worst_high", "p", "p_holm"),
    *("p_wilcoxon", "p_mcnemar", "rank_biserial", "wins", "ties", "losses", "detectable", "margin"),
]
SCALE = (0, 10)  # of a judge's scores
Key = tuple[str, str, str]  # (kind, measure, model)


def compare(
    measures: dict[Key, Measure],
    merges: list[str],
    baselines: list[str],
    seed: int,
    margins: dict[str, float],
    asked: dict[Key, dict[str, float | None]],
) -> pd.DataFrame:
    """Compare every merge with every baseline by every measure.

    Holm's correction is over all comparisons by one measure.

    Args:
        measures: The measures by (kind, measure, model).
        merges: The names of the merges.
        baselines: The names of the parents.
        seed: The seed of the resampling and of the permutations.
        margins: The smallest difference that matters, by kind.
        asked: Judges' scores by (kind, measure, model) and term; None for a missing score.

    Returns:
        A row for each comparison, with the columns `COLUMNS`.
    """
    rows: list[Comparison] = []
    families = list(dict.fromkeys((kind, measure) for kind, measure, _ in measures))
    for kind, measure in tqdm(families, unit="measure"):
        family = [
            {"kind": kind, "measure": measure, "model": merge, "baseline": baseline, "margin": margins[kind]}
            | pair(*[(kind, measure, model) for model in (merge, baseline)], measures, asked, seed)
            for baseline in baselines
            for merge in merges
        ]
        tested = [row for row in family if row["p"] is not None]
        if tested:
            corrected = multipletests([row["p"] for row in tested], method="holm")[1]
            for row, p in zip(tested, corrected, strict=True):
                row["p_holm"] = p
        rows += [row | {"verdict": verdict(row, margins[kind])} for row in family]
    table = pd.DataFrame(rows, columns=COLUMNS).round(4)
    return table.astype(dict.fromkeys(("wins", "ties", "losses"), "Int64"))


def pair(
    one: Key,
    other: Key,
    measures: dict[Key, Measure],
    asked: dict[Key, dict[str, float | None]],
    seed: int,
) -> Comparison:
    """Compare two models by one measure; for a judge, also bound the effect of missing scores."""
    if not {one, other} <= measures.keys():
        return {"n": 0, "n_missing": 0, "p": None}
    row: Comparison = {**paired(measures[one], measures[other], seed, bca=one[0] == "judge"), "n_missing": 0}
    scores = by_document(measures[one], measures[other])
    if scores is not None and len(scores[0]):
        differences = scores[0] - scores[1]
        row |= by_ranks(differences) | counts(differences) | {"detectable": detectable(differences)}
        row["p_mcnemar"] = exact_mcnemar(*scores) if one[0] == "benchmark" else None
        if row["ci_low"] is not None and not differences.any():  # all ties: resamples do not vary
            reach = unseen(len(differences)) * (SCALE[1] if one[0] == "judge" else 1)
            row |= {"ci_low": -reach, "ci_high": reach}
    if one in asked and other in asked and (shared := asked[one].keys() & asked[other].keys()):
        row["n_missing"] = sum(asked[one][key] is None or asked[other][key] is None for key in shared)
        row["worst_low"], row["worst_high"] = worst_case(asked[one], asked[other], *SCALE)
    return row


def scored(judgements: dict[str, float | None]) -> Measure:
    """The measure of a judge's scores, without the missing ones."""
    return of_scores({term: score for term, score in judgements.items() if score is not None})


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        asked = {
            ("judge", judge, model): {row["term"]: row["score"] for row in read_jsonl(file)}
            for (model, judge), file in zip(params.judged, given.judgements, strict=True)
        }
        measures = {key: scored(judgements) for key, judgements in asked.items()}
        suites = []
        for model, results, samples in read_evaluations(params.benchmarked, given.results, given.samples):
            suites.append(results)
            for name, metric, _ in metrics(results):
                if measure := of_samples(results, samples, name, metric):
                    measures["benchmark", column(name, metric), model] = measure
        table = compare(measures, params.merges, params.baselines, params.seed, params.margins, asked)
        controls = controls_of(given.controls) if given.controls else {}
        table["controls"] = table.measure.map(controls).where(table.kind == "judge", "")
        facts = read_facts(given.validity)
        table["caveats"] = [
            "; ".join(caveats(facts, (row.kind, row.measure), row.model, row.baseline, params.tolerance))
            for row in table.itertuples()
        ]
        write_tsv(snakemake.output[0], table, dict.fromkeys(limits(suites)))
