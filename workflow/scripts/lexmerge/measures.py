"""Measures with error bars: a judge's mean score, a task's accuracy or correlation, a mean over tasks.

The documents are what is drawn by chance: they are resampled, each with all its prompts, within their task.
Intervals are percentile ones: with few documents and differences of 0 and 1, the BCa interval holds the truth
less often than it says (tests/test_statistics.py).
"""

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lexmerge.harness import metrics, tasks_of

RESAMPLES = 9999
AT_A_TIME = 4_000_000  # numbers in memory


@dataclass(frozen=True)
class Measure:
    """For each task, its documents and what each got: an array of prompts × 1, or × (prediction, label)."""

    parts: dict[str, dict[Hashable, np.ndarray]]
    by_size: bool = False  # a mean over the tasks counts each task alike, or by its documents

    def size(self) -> int:
        return sum(len(part) for part in self.parts.values())


def of_scores(scores: dict[Hashable, float]) -> Measure:
    """The mean of one score a document."""
    return Measure({"": {key: np.array([[value]], dtype=float) for key, value in scores.items()}})


def of_samples(results: dict, samples: list[dict], name: str, metric: str) -> Measure | None:
    """A column of a suite's results, from its samples; None where they do not give lm-eval's own number.

    So it is with a metric that is neither a mean over the documents nor a correlation.
    """
    by_size = bool(results["configs"][name].get("aggregate", {}).get(metric))
    measure = Measure({task: part_of(samples, task, metric) for task in tasks_of(results, name)}, by_size)
    value = interval(measure, seed=0, resample=False)[0]
    known = next(v for n, m, v in metrics(results) if (n, m) == (name, metric))
    agree = value is not None and known is not None and math.isclose(value, known, abs_tol=1e-6)
    return measure if agree else None


def part_of(samples: list[dict], task: str, metric: str, prompt: str | None = None) -> dict:
    """What each of a task's documents got, by all its prompts or by one of them."""
    metric, _, by = metric.partition(",")
    found: dict[Hashable, list] = {}
    for row in samples:
        if row["task"] == task and prompt in (None, row["template"]) and (not by or row["filter"] == by):
            value = row.get(metric)
            pair = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
            numbers = value[1:] if pair else [value]
            if not all(number is None or isinstance(number, int | float) for number in numbers):
                return {}
            found.setdefault(row["document"], []).append(numbers)
    return {key: np.array(values, dtype=float) for key, values in found.items()}


def interval(
    measure: Measure, seed: int, resample: bool = True
) -> tuple[float | None, float | None, float | None]:
    """The value, and the ends of its 95 % bootstrap interval; None where it is not defined."""
    if not all(_rows(measure)):
        return None, None, None
    statistic, rows = _statistic(measure, measure), _rows(measure)
    value = _number(statistic(*(np.arange(n) for n in rows)))
    return value, *(_bootstrap(statistic, rows, seed) if resample else (None, None))


def paired(one: Measure, other: Measure, seed: int) -> dict:
    """The difference over the documents that both have: 95 % bootstrap interval, permutation p.

    Under the hypothesis that the two do not differ, what they got for a document may be exchanged.
    """
    one, other = _shared(one, other), _shared(other, one)
    row = {"n": one.size(), "mean_difference": None, "ci_low": None, "ci_high": None, "p": None}
    if not row["n"]:
        return row
    first, second, rows = _statistic(one, one), _statistic(other, one), _rows(one)
    everything = [np.arange(n) for n in rows]
    row["mean_difference"] = _number(first(*everything) - second(*everything))
    if row["n"] < 2 or row["mean_difference"] is None:  # from one difference nothing can be drawn
        return row
    low, high = _bootstrap(lambda *drawn: first(*drawn) - second(*drawn), rows, seed)
    return row | {"ci_low": low, "ci_high": high, "p": _permutation_p(one, other, seed)}


def _permutation_p(one: Measure, other: Measure, seed: int) -> float | None:
    """The two-sided p over the exchanges that have a value; None where most have none."""
    rows = _rows(one)
    total, starts = sum(rows), np.cumsum([0, *rows])
    stacked = _arrays(one, one), _arrays(other, one)
    both = [np.concatenate(pair) for pair in zip(*stacked, strict=True)]  # a task's documents, twice

    def statistic(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return _value(one, both, _split(x)) - _value(one, both, _split(y))

    def _split(drawn: np.ndarray) -> list[np.ndarray]:
        """Numbers 0 to total - 1 mean one's documents, total and more the other's: to rows of `both`."""
        found = []
        for k, n in enumerate(rows):
            part = drawn[..., starts[k] : starts[k + 1]]
            found.append(np.where(part >= total, part - total - starts[k] + n, part - starts[k]))
        return found

    found = stats.permutation_test(
        (np.arange(total), np.arange(total, 2 * total)),
        statistic,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, AT_A_TIME // total),
        rng=np.random.default_rng(seed),
    )
    defined = found.null_distribution[np.isfinite(found.null_distribution)]
    if len(defined) == len(found.null_distribution):
        return float(found.pvalue)
    if len(defined) < len(found.null_distribution) / 2:
        return None
    near = 1e-9 * max(1, abs(found.statistic))
    beyond = [(defined >= found.statistic - near).sum(), (defined <= found.statistic + near).sum()]
    return min(1.0, 2 * (min(beyond) + 1) / (len(defined) + 1))


def _bootstrap(
    statistic: Callable[..., np.ndarray], rows: list[int], seed: int
) -> tuple[float | None, float | None]:
    """The ends of the interval; None if there is only one document, or where hardly a draw has a value."""
    if sum(rows) < 2:
        return None, None
    rng, batch = np.random.default_rng(seed), max(1, AT_A_TIME // sum(rows))
    values = []
    for start in range(0, RESAMPLES, batch):
        count = min(batch, RESAMPLES - start)
        values.append(statistic(*(rng.integers(n, size=(count, n)) for n in rows)))
    defined = (found := np.concatenate(values))[np.isfinite(found)]
    if len(defined) < RESAMPLES / 2:
        return None, None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def _statistic(measure: Measure, keys: Measure) -> Callable[..., np.ndarray]:
    """A function of the numbers of drawn documents, an array for each task; `keys` has their order."""
    arrays = _arrays(measure, keys)
    return lambda *drawn: _value(measure, arrays, drawn)


def _value(measure: Measure, arrays: list[np.ndarray], drawn: Iterable[np.ndarray]) -> np.ndarray:
    values = [_part(array, rows) for array, rows in zip(arrays, drawn, strict=True)]
    weights = [len(part) if measure.by_size else 1 for part in measure.parts.values()]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def _part(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """One task's value over the drawn documents: a mean, or the mean over the prompts of a correlation."""
    if array.shape[-1] == 1:
        return array.mean(axis=(1, 2))[rows].mean(axis=-1)
    x, y = np.moveaxis(array[rows], -1, 0)  # each: draws × documents × prompts
    x, y = x - x.mean(axis=-2, keepdims=True), y - y.mean(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (x * y).sum(axis=-2) / np.sqrt((x**2).sum(axis=-2) * (y**2).sum(axis=-2))
    return r.mean(axis=-1)


def _arrays(measure: Measure, keys: Measure) -> list[np.ndarray]:
    """For each task an array of documents × prompts × values."""
    return [np.stack([measure.parts[task][key] for key in part]) for task, part in keys.parts.items()]


def _rows(measure: Measure) -> list[int]:
    return [len(part) for part in measure.parts.values()]


def _shared(measure: Measure, other: Measure) -> Measure:
    """What of a measure the other has too, in one order."""
    parts = {
        task: {key: part[key] for key in sorted(part.keys() & other.parts.get(task, {}).keys())}
        for task, part in measure.parts.items()
    }
    return Measure({task: part for task, part in parts.items() if part}, measure.by_size)


def _number(value: np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None
