"""Published tables compared with the study's: differences, and whether the intervals contain them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_notes, read_numbers, read_tsv, write_tsv
from lexmerge.run.job import job

COLUMNS = [
    *("table", "measure", "model", "statistic", "published", "study", "difference"),
    *("ci_low", "ci_high", "contained", "note"),
]
STATISTICS = ("median", "mean", "std")
SCORES = ("model", "judge_model", *STATISTICS)  # the columns of published scores


def relation(name: str, judge: dict[str, Any], published: str) -> str | None:
    """Relate a judge of the study to a published one.

    Args:
        name: The name of the judge.
        judge: Its `model`, `substitute_for` and `blind` in the config.
        published: The published judge's model, as in `judges.<name>.model`.

    Returns:
        A note on the relation, empty for the same judge; None if the two are not related.
    """
    if judge.get("substitute_for") == published:
        return f"by {name}, a substitute for {published}"
    if judge.get("model") != published:
        return None
    return "by a blind judge" if judge.get("blind") else ""


def of_scores(
    published: pd.DataFrame, study: pd.DataFrame, judges: dict[str, dict[str, Any]], about_terms: str
) -> list[dict[str, Any]]:
    """Compare a published Table 1 with the study's, for the same judges and their substitutes.

    Args:
        published: The published table, with the columns `SCORES`.
        study: The table tables/definition_scores.tsv.
        judges: `model`, `substitute_for` and `blind` of the study's judges, by name.
        about_terms: A note on the study's terms; empty if it has all terms.

    Returns:
        A row with the columns `COLUMNS` for each model, judge and statistic.
    """
    rows = []
    for theirs in published.to_dict("records"):
        for name, judge in judges.items():
            related = relation(name, judge, theirs["judge_model"])
            ours = study[(study.model == theirs["model"]) & (study.judge == name)].to_dict("records")
            for mine in ours if related is not None else []:
                note = ", ".join(filter(None, [related, about_terms]))
                for statistic in STATISTICS:
                    ends = (mine["ci_low"], mine["ci_high"]) if statistic == "mean" else (None, None)
                    head = {"table": "definition_scores", "measure": name, "statistic": statistic}
                    head |= {"model": theirs["model"], "note": note}
                    rows.append(
                        head | comparison(theirs[statistic], mine[statistic], ends, comparable=not note)
                    )
    return rows


def of_benchmarks(published: pd.DataFrame, study: pd.DataFrame) -> list[dict[str, Any]]:
    """Compare a published Table 2 with tables/benchmark_scores.tsv, for the columns and models in both."""
    whole = study[study.task.isna() & study.prompt.isna()]
    ours = {(row.model, row.column): row for row in whole.itertuples()}
    rows = []
    for theirs in published.to_dict("records"):
        for column in (name for name in published if name != "model"):
            mine = ours.get((theirs["model"], column))
            if mine is None:
                continue
            note = "" if pd.isna(mine.limit) else f"only the first {mine.limit:.0f} documents"
            head = {"table": "benchmarks", "measure": column, "model": theirs["model"], "statistic": "value"}
            ends = (mine.ci_low, mine.ci_high)
            rows.append(
                head | {"note": note} | comparison(theirs[column], mine.value, ends, comparable=not note)
            )
    return rows


def read_published(path: str, needed: Iterable[str], words: Iterable[str], models: set[str]) -> pd.DataFrame:
    """Read and check a published table.

    Args:
        path: The file.
        needed: The columns that it must have.
        words: The columns of text; all others are numbers.
        models: The study's models.

    Raises:
        StudyError: A cell is not a number, or no model is one of the study's.
    """
    table = read_tsv(path, needed)
    for column in (name for name in table if name not in words):
        numbers = pd.to_numeric(table[column].replace("", None), errors="coerce")
        for text in table[column][numbers.isna() & (table[column] != "")]:
            raise StudyError(f"{Path(path).absolute()}: column {column}: {text!r} is not a number")
        table[column] = numbers
    if not models & set(table.model):
        known = ", ".join(sorted(models))
        raise StudyError(
            f"{Path(path).absolute()}: no model of the table is in the study; use the study's names: {known}"
        )
    return table


def left_out(name: str, table: pd.DataFrame, rows: list[dict[str, Any]], judged: bool) -> list[str]:
    """Notes on the parts of a published table that have no counterpart in the study.

    Args:
        name: The table's name in the notes.
        table: The published table.
        rows: The comparisons made of it.
        judged: Whether it is a table of judges' scores; otherwise its columns are benchmark columns.
    """
    missing = set(table.model) - {row["model"] for row in rows}
    missing |= set() if judged else {*table} - {"model"} - {row["measure"] for row in rows}
    notes = [f"{name}: no counterpart in this study for {', '.join(sorted(missing))}"] if missing else []
    if judged and not rows:
        wanted = ", ".join(dict.fromkeys(table.judge_model))
        notes = [f"{name}: no judge of this study is, or is a substitute for, {wanted}"]
    return notes


def comparison(
    published: float, study: float, ends: tuple[float | None, float | None], comparable: bool
) -> dict[str, Any]:
    """Compare two numbers; `contained` is None without an interval or if the two measure something else."""
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
        for file in given.published_scores:
            ours = read_numbers(given.definition_scores)
            theirs = read_published(file, SCORES, SCORES[:2], set(ours.model))
            scores = of_scores(theirs, ours, params.judges, params.about_terms)
            notes += [*read_notes(file), *left_out("Table 1", theirs, scores, judged=True)]
            rows += scores
        for file in given.published_benchmarks:
            ours = read_numbers(given.benchmark_scores)
            theirs = read_published(file, ["model"], ["model"], set(ours.model))
            benchmarks = of_benchmarks(theirs, ours)
            notes += [*read_notes(file), *left_out("Table 2", theirs, benchmarks, judged=False)]
            rows += benchmarks
        write_tsv(snakemake.output[0], pd.DataFrame(rows, columns=COLUMNS), notes)
