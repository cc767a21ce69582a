"""The table and text of `make plan`: time, disk space and costs of the jobs to run, by stage."""

from collections import Counter, defaultdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from lexmerge.common.files import room_left
from lexmerge.common.plurals import counted
from lexmerge.plan.dag import Job
from lexmerge.run.progress import benchmark, duration, sampled, size
from lexmerge.services.costs import estimate

HOUR = 3600
COLUMNS = [
    *("stage", "to_run", "done", "cpu_hours", "gpu_hours", "basis"),
    *("estimated_hours_of_done", "took_hours_of_done", "most_memory_mb"),
]
HEAD = ["stage", "to run", "done", "CPU-hours", "GPU-hours", "estimated by", "time so far"]
WORDS = ("stage", "estimated by")  # columns of text
SHOWN = 0.005  # hours; stages that take less, done and to do, share one line


def stages(jobs: list[Job], results: str) -> pd.DataFrame:
    """Sum up the jobs of each rule.

    The expected time of the jobs to run is scaled by the ratio of measured to expected time of the rule's
    finished jobs. If there are none, it rests on the rates alone, which is rough.

    Args:
        jobs: All jobs of the study.
        results: The study's folder, with the timings of finished jobs.

    Returns:
        A row with `COLUMNS` for each rule, in descending order of the time still to run; times in hours,
        memory in MB.
    """
    by_rule: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_rule[job.rule].append(job)
    table = pd.DataFrame([_stage(rule, of, results) for rule, of in by_rule.items()], columns=COLUMNS)
    order = table.assign(hours=table.cpu_hours + table.gpu_hours)
    return table.loc[order.sort_values(["hours", "took_hours_of_done"], ascending=False).index]


def _stage(rule: str, jobs: list[Job], results: str) -> list[Any]:
    """The row of a rule."""
    open_jobs = [job for job in jobs if job.to_run]
    timed = {job: row for job in jobs if (row := benchmark(f"{results}/timings/{job.log}.tsv"))}
    finished = [job for job in timed if not job.to_run]
    took, guessed = sum(float(timed[job]["s"]) for job in timed), sum(job.seconds for job in timed)
    scale = took / guessed if timed and guessed else 1.0
    cpu = sum(job.seconds * job.threads for job in open_jobs) * scale / HOUR
    gpu = sum(job.seconds * job.gpu for job in open_jobs) * scale / HOUR
    basis = "" if not open_jobs else "finished jobs" if timed else "rates (rough)"
    memory = [float(row["max_rss"]) for row in timed.values() if sampled(row)]
    guess = sum(job.seconds for job in finished) / HOUR
    real = sum(float(timed[job]["s"]) for job in finished) / HOUR
    counts = [rule, len(open_jobs), len(jobs) - len(open_jobs)]
    return [*counts, cpu, gpu, basis, guess, real, max(memory, default=None)]


def calls(study: dict[str, Any], terms: int, jobs: list[Job]) -> list[dict[str, Any]]:
    """The requests to paid services that are still to be sent.

    Args:
        study: The resolved study.
        terms: The number of terms.
        jobs: All jobs of the study.

    Returns:
        The rows of `costs.estimate`, reduced to the share of the jobs to run.
    """
    rows = []
    for row in estimate(study, terms):
        mine = [job for job in jobs if job.calls and _row_of(job) == row["what"]]
        total = sum(job.calls for job in mine)
        share = sum(job.calls for job in mine if job.to_run) / total if total else 0
        for key in ("calls", "input_tokens", "output_tokens"):
            row[key] = round(row[key] * share)
        row["usd"] = None if row["usd"] is None else round(row["usd"] * share, 2)
        rows.append(row)
    return rows


def _row_of(job: Job) -> str:
    """The `what` of the row of `costs.estimate` that includes a job's calls."""
    return f"judge {job.judge}" if job.judge else "translations"


def remade(jobs: list[Job], removed: list[str]) -> list[str]:
    """The merges among `removed`, whose weights were removed after use, that jobs to run remake."""
    read = {merge for job in jobs if job.to_run for merge in job.merged_again}
    return [merge for merge in removed if merge in read]


def remade_notes(merges: list[str], jobs: list[Job]) -> list[str]:
    """A line about the merges that are remade; empty if there are none."""
    if not merges:
        return []
    seconds = {job.log: job.seconds for job in jobs}
    hours = sum(seconds[f"merges/{merge}"] for merge in merges) / HOUR
    named = f"{', '.join(merges[:10])}{', …' if merges[10:] else ''}"
    are = "is" if len(merges) == 1 else "are"
    return [f"{counted(len(merges), 'merge')} {are} remade before use, {_hours(hours)} hours more: {named}"]


def written(jobs: list[Job], again: list[str]) -> dict[str, float]:
    """Bytes of weights that jobs to run and remade merges (`again`) leave on the disk, by the job's log."""
    return {
        job.log: job.output_mb * 1e6
        for job in jobs
        if job.output_mb and (job.to_run or job.log in {f"merges/{merge}" for merge in again})
    }


def on_disk(results: str) -> Counter[str]:
    """Bytes of a study on the disk, by folders such as `merges/ties`; linked files do not count."""
    sizes: Counter[str] = Counter()
    for file in Path(results).rglob("*"):
        if file.is_file() and not file.is_symlink():
            sizes["/".join(file.relative_to(results).parts[:2])] += file.lstat().st_size
    return sizes


def disk(results: str, new: dict[str, float], at_most: int | None) -> dict[str, float]:
    """The disk space of a study in bytes.

    An existing folder stays until its new version is complete.

    Args:
        results: The study's folder of results.
        new: Bytes that jobs to run write, by their log, which is also the name of the folder.
        at_most: The largest number of merges on the disk at a time; None if there is no limit.

    Returns:
        The space used `now` and at the `peak`, and the `free` space of the disk.
    """
    there = on_disk(results)
    after = {**there, **new}
    merges = sorted((size for log, size in after.items() if fnmatch(log, "merges/[!.]*")), reverse=True)
    others = sum(after.values()) - sum(merges)
    replaced = 0 if at_most is not None else max((there[log] for log in new), default=0)
    now, peak = there.total(), others + sum(merges[:at_most]) + replaced
    return {"now": now, "peak": max(now, peak), "free": room_left(results)[1]}


def plan_text(
    table: pd.DataFrame,
    asked: list[dict[str, Any]],
    room: dict[str, float],
    downloads: list[str],
    notes: list[str],
) -> str:
    """The plan as text for the terminal.

    Args:
        table: The rows of `stages`.
        asked: The rows of `calls`.
        room: The disk space by `disk`.
        downloads: Descriptions of downloads.
        notes: Lines for the end.
    """
    large = table[(table.cpu_hours + table.gpu_hours >= SHOWN) | (table.took_hours_of_done >= SHOWN)]
    small = table.drop(large.index)
    rows = [HEAD, *map(_row, large.itertuples())]
    rows += [_sum(counted(len(small), "other stage" if len(large) else "stage"), small)] if len(small) else []
    lines = [*_aligned([*rows, _sum("total", table)]), "", *_compared(table), _disk(room)]
    lines += [f"to download: {'; '.join(downloads)}" if downloads else "nothing to download"]
    return "\n".join([*lines, *_paid(asked), *notes])


def _aligned(rows: list[list[str]]) -> list[str]:
    """Lines with columns of equal width, text aligned left and numbers right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_cell(*cell) for cell in zip(HEAD, row, widths, strict=True)).rstrip() for row in rows]


def _cell(head: str, text: str, width: int) -> str:
    """A cell, padded to its column's width."""
    return text.ljust(width) if head in WORDS else text.rjust(width)


def _row(row: Any) -> list[str]:
    """The cells of a stage, from a named tuple with `COLUMNS`."""
    took = duration(row.took_hours_of_done * HOUR) if row.took_hours_of_done else ""
    counts = [row.stage, str(row.to_run), str(row.done)]
    return [*counts, _hours(row.cpu_hours), _hours(row.gpu_hours), row.basis, took]


def _sum(name: str, table: pd.DataFrame) -> list[str]:
    """The cells of several stages together."""
    took = table.took_hours_of_done.sum() * HOUR
    counts = [name, str(table.to_run.sum()), str(table.done.sum())]
    hours = [_hours(table.cpu_hours.sum()), _hours(table.gpu_hours.sum())]
    return [*counts, *hours, "", duration(took) if took else ""]


def _hours(value: float) -> str:
    """A number of hours; empty for 0."""
    if not value:
        return ""
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.01 else "<0.01"


def _compared(table: pd.DataFrame) -> list[str]:
    """A line that compares the rates with finished jobs, if there are any."""
    guess, real = table.estimated_hours_of_done.sum() * HOUR, table.took_hours_of_done.sum() * HOUR
    line = f"finished jobs took {duration(real)} (estimated from the rates: {duration(guess)})"
    return [line] if real else []


def _disk(room: dict[str, float]) -> str:
    """The line about the disk space."""
    now, peak, left = (size(room[key] / 1e6) for key in ("now", "peak", "free"))
    short = room["peak"] - room["now"] > room["free"]
    return f"disk: {now} used, {peak} at the peak, {left} free" + (": NOT ENOUGH" if short else "")


def _paid(rows: list[dict[str, Any]]) -> list[str]:
    """Lines about the requests to paid services and their costs."""
    if not rows:
        return ["no requests to paid services: 0 calls, 0 dollars"]
    known = sum(row["usd"] for row in rows if row["usd"] is not None)
    unknown = " plus calls of unknown price" if any(row["usd"] is None for row in rows) else ""
    return [
        *map(_service, rows),
        f"total {known:.2f} dollars{unknown}, if every definition has the maximum length",
    ]


def _service(row: dict[str, Any]) -> str:
    """The line about the requests to one service."""
    price = "price unknown: give it under `price`" if row["usd"] is None else f"{row['usd']:.2f} dollars"
    tokens = f"{row['input_tokens']:,} tokens in, {row['output_tokens']:,} out"
    return f"{row['what']}: {counted(row['calls'], 'call')} of {row['model']}, {tokens}, {price}"
