"""The published tables beside the study's: the difference, and whether the study's interval holds it."""

import pandas as pd
from lexmerge.files import read_notes, read_numbers, write_tsv
from lexmerge.jobs import job

COLUMNS = [
    *("table", "measure", "model", "statistic", "published", "study", "difference"),
    *("ci_low", "ci_high", "contained", "note"),
]
STATISTICS = ("median", "mean", "std")


def same_judge(name: str, judge: dict, published: str) -> str | None:
    """What a judge of the study is to one that was published: the same, `substitute`, or None: another.

    `published` is the model's name, as `judges.<name>.model` has it.
    """
    if judge.get("model") == published:
        return ""
    return f"by {name}, a substitute for {published}" if judge.get("substitute_for") == published else None


def of_scores(published: pd.DataFrame, study: pd.DataFrame, judges: dict[str, dict]) -> list[dict]:
    """Rows of Table 1, for the study's judges that are those of the published one or stand for them."""
    rows = []
    for theirs in published.to_dict("records"):
        for name, judge in judges.items():
            note = same_judge(name, judge, theirs["judge_model"])
            ours = study[(study.model == theirs["model"]) & (study.judge == name)].to_dict("records")
            for mine in ours if note is not None else []:
                for statistic in STATISTICS:
                    ends = (mine["ci_low"], mine["ci_high"]) if statistic == "mean" else (None, None)
                    head = {"table": "definition_scores", "measure": name, "statistic": statistic}
                    head |= {"model": theirs["model"], "note": note}
                    rows.append(head | beside(theirs[statistic], mine[statistic], ends, comparable=not note))
    return rows


def of_benchmarks(published: pd.DataFrame, study: pd.DataFrame) -> list[dict]:
    """Rows of Table 2, for the columns and models that both have."""
    whole = study[study.task.isna() & study.prompt.isna()]
    ours = {(row.model, row.column): row for row in whole.itertuples()}
    rows = []
    for theirs in published.to_dict("records"):
        for column in list(published)[1:]:
            mine = ours.get((theirs["model"], column))
            if mine is None:
                continue
            note = "" if pd.isna(mine.limit) else f"only the first {mine.limit:.0f} documents"
            head = {"table": "benchmarks", "measure": column, "model": theirs["model"], "statistic": "value"}
            ends = (mine.ci_low, mine.ci_high)
            rows.append(head | {"note": note} | beside(theirs[column], mine.value, ends, comparable=not note))
    return rows


def beside(published: float, study: float, ends: tuple, comparable: bool) -> dict:
    """The two numbers; `contained` is empty where there is no interval, or it is of something else."""
    known = comparable and not any(pd.isna(value) for value in (published, study, *ends))
    return {
        "published": published,
        "study": study,
        "difference": None if pd.isna(study) or pd.isna(published) else round(study - published, 4),
        "ci_low": ends[0],
        "ci_high": ends[1],
        "contained": bool(ends[0] <= published <= ends[1]) if known else None,
    }


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        rows, notes = [], []
        if given.published_scores:
            scores = read_numbers(given.published_scores)
            rows += of_scores(scores, read_numbers(given.definition_scores), params.judges)
            notes += read_notes(given.published_scores)
        if given.published_benchmarks:
            benchmarks = read_numbers(given.published_benchmarks)
            rows += of_benchmarks(benchmarks, read_numbers(given.benchmark_scores))
            notes += read_notes(given.published_benchmarks)
        write_tsv(snakemake.output[0], pd.DataFrame(rows, columns=COLUMNS), notes)
