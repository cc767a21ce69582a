"""The plan of a study: what is to be made and what that takes, stage by stage, and what the rest took."""

from collections import Counter, defaultdict
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd

from lexmerge.common.files import room_left
from lexmerge.plan.dag import Job
from lexmerge.run.progress import benchmark, duration, sampled, size
from lexmerge.services.costs import estimate

HOUR = 3600
COLUMNS = [
    *("stage", "to_run", "done", "cpu_hours", "gpu_hours", "basis"),
    *("estimated_hours_of_done", "took_hours_of_done", "most_memory_mb"),
]
HEAD = ["stage", "to run", "done", "CPU-hours", "GPU-hours", "estimated by", "took so far"]
WORDS = ("stage", "estimated by")
SHOWN = 0.005  # hours; a stage with less to do and less done has no line of its own


def stages(jobs: list[Job], results: str) -> pd.DataFrame:
    """Sum up the jobs of each rule.

    The time of jobs to run is scaled by what finished jobs of the same rule took, compared with what was
    expected of these. If no job of the rule has finished, it comes from the rates alone, which is rough.

    Args:
        jobs: All jobs of the study.
        results: The study's folder, with the timings of finished jobs.

    Returns:
        A row with `COLUMNS` for each rule, those with most to do first; times in hours, memory in MB.
    """
    by_rule: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_rule[job.rule].append(job)
    table = pd.DataFrame([_stage(rule, of, results) for rule, of in by_rule.items()], columns=COLUMNS)
    order = table.assign(hours=table.cpu_hours + table.gpu_hours)
    return table.loc[order.sort_values(["hours", "took_hours_of_done"], ascending=False).index]


def _stage(rule: str, jobs: list[Job], results: str) -> list:
    open_jobs = [job for job in jobs if job.to_run]
    timed = {job: row for job in jobs if (row := benchmark(f"{results}/timings/{job.log}.tsv"))}
    finished = [job for job in timed if not job.to_run]
    took, guessed = sum(float(timed[job]["s"]) for job in timed), sum(job.seconds for job in timed)
    scale = took / guessed if timed and guessed else 1.0
    cpu = sum(job.seconds * job.threads for job in open_jobs) * scale / HOUR
    gpu = sum(job.seconds * job.gpu for job in open_jobs) * scale / HOUR
    basis = "" if not open_jobs else "jobs of this study" if timed else "rates, rough"
    memory = [float(row["max_rss"]) for row in timed.values() if sampled(row)]
    guess = sum(job.seconds for job in finished) / HOUR
    real = sum(float(timed[job]["s"]) for job in finished) / HOUR
    counts = [rule, len(open_jobs), len(jobs) - len(open_jobs)]
    return [*counts, cpu, gpu, basis, guess, real, max(memory, default=None)]


def calls(study: dict, terms: int, jobs: list[Job]) -> list[dict]:
    """The requests to paid services that are still to be sent.

    Args:
        study: The resolved study.
        terms: How many terms it has.
        jobs: All jobs of the study.

    Returns:
        Rows of `costs.estimate`, in proportion to the calls of the jobs to run.
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
    """The row of `costs.estimate` that a job's calls are part of."""
    return f"judge {job.judge}" if job.judge else "translations"


def remade(jobs: list[Job], removed: list[str]) -> list[str]:
    """The merges, of those whose weights were removed after use, that jobs to run make again."""
    read = {merge for job in jobs if job.to_run for merge in job.merged_again}
    return [merge for merge in removed if merge in read]


def remade_notes(merges: list[str], jobs: list[Job]) -> list[str]:
    """A line about the merges that are made again; none if there are none."""
    if not merges:
        return []
    seconds = {job.log: job.seconds for job in jobs}
    hours = sum(seconds[f"merges/{merge}"] for merge in merges) / HOUR
    named = f"{', '.join(merges[:10])}{', …' if merges[10:] else ''}"
    what = "merge is" if len(merges) == 1 else "merges are"
    return [f"{len(merges)} {what} made again before being read, {_hours(hours)} hours more: {named}"]


def written(jobs: list[Job], again: list[str]) -> dict[str, float]:
    """Bytes of weights that jobs to run leave on the disk, and merges made `again`, by the job's log."""
    return {
        job.log: job.output_mb * 1e6
        for job in jobs
        if job.output_mb and (job.to_run or job.log in {f"merges/{merge}" for merge in again})
    }


def on_disk(results: str) -> Counter:
    """Bytes that a study has on the disk, by folders as `merges/ties`; links to elsewhere take none."""
    sizes: Counter = Counter()
    for file in Path(results).rglob("*"):
        if file.is_file() and not file.is_symlink():
            sizes["/".join(file.relative_to(results).parts[:2])] += file.lstat().st_size
    return sizes


def disk(results: str, new: dict[str, float], at_most: int | None) -> dict[str, float]:
    """Bytes: now, at the peak, and free. `new` is what jobs to run write, by their log, which is also the
    folder; what is there stays until its new version is whole. No more than `at_most` merges are there at a
    time.
    """
    there = on_disk(results)
    after = {**there, **new}
    merges = sorted((size for log, size in after.items() if fnmatch(log, "merges/[!.]*")), reverse=True)
    others = sum(after.values()) - sum(merges)
    replaced = 0 if at_most is not None else max((there[log] for log in new), default=0)
    now, peak = there.total(), others + sum(merges[:at_most]) + replaced
    return {"now": now, "peak": max(now, peak), "free": room_left(results)[1]}


def plan_text(
    table: pd.DataFrame, asked: list[dict], room: dict[str, float], downloads: list[str], notes: list[str]
) -> str:
    """The plan as text for a terminal; stages with next to nothing to do share one line."""
    large = table[(table.cpu_hours + table.gpu_hours >= SHOWN) | (table.took_hours_of_done >= SHOWN)]
    small = table.drop(large.index)
    rows = [HEAD, *map(_row, large.itertuples())]
    rows += [_sum(f"{len(small)} {'other ' if len(large) else ''}stages", small)] if len(small) else []
    lines = [*_aligned([*rows, _sum("together", table)]), "", *_compared(table), _disk(room)]
    lines += [f"to fetch: {'; '.join(downloads)}" if downloads else "nothing is to be fetched"]
    return "\n".join([*lines, *_paid(asked), *notes])


def _aligned(rows: list[list[str]]) -> list[str]:
    """Columns of equal width; words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_cell(*cell) for cell in zip(HEAD, row, widths, strict=True)).rstrip() for row in rows]


def _cell(head: str, text: str, width: int) -> str:
    return text.ljust(width) if head in WORDS else text.rjust(width)


def _row(row) -> list[str]:
    took = duration(row.took_hours_of_done * HOUR) if row.took_hours_of_done else ""
    counts = [row.stage, str(row.to_run), str(row.done)]
    return [*counts, _hours(row.cpu_hours), _hours(row.gpu_hours), row.basis, took]


def _sum(name: str, table: pd.DataFrame) -> list[str]:
    took = table.took_hours_of_done.sum() * HOUR
    counts = [name, str(table.to_run.sum()), str(table.done.sum())]
    hours = [_hours(table.cpu_hours.sum()), _hours(table.gpu_hours.sum())]
    return [*counts, *hours, "", duration(took) if took else ""]


def _hours(value: float) -> str:
    if not value:
        return ""
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.01 else "<0.01"


def _compared(table: pd.DataFrame) -> list[str]:
    """How good the rates were, where there is something to compare them with."""
    guess, real = table.estimated_hours_of_done.sum() * HOUR, table.took_hours_of_done.sum() * HOUR
    return [f"what is done took {duration(real)}; by the rates alone, {duration(guess)}"] if real else []


def _disk(room: dict[str, float]) -> str:
    now, peak, left = (size(room[key] / 1e6) for key in ("now", "peak", "free"))
    short = room["peak"] - room["now"] > room["free"]
    return f"disk: {now} now, {peak} at the peak, {left} left" + (": NOT ENOUGH" if short else "")


def _paid(rows: list[dict]) -> list[str]:
    if not rows:
        return ["no paid service is asked: 0 calls, 0 dollars"]
    known = sum(row["usd"] for row in rows if row["usd"] is not None)
    unknown = " and what has no known price" if any(row["usd"] is None for row in rows) else ""
    return [
        *map(_service, rows),
        f"together {known:.2f} dollars{unknown}, if every definition is as long as it may be",
    ]


def _service(row: dict) -> str:
    price = "price not known: give it under `price`" if row["usd"] is None else f"{row['usd']:.2f} dollars"
    tokens = f"{row['input_tokens']:,} tokens in, {row['output_tokens']:,} out"
    return f"{row['what']}: {row['calls']:,} calls of {row['model']}, {tokens}, {price}"
