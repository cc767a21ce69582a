"""Measures with error bars: a judge's mean score, a task's accuracy or correlation, a mean over tasks.

The bootstrap resamples documents within each task, every document with all variants of its question.
Intervals are percentile intervals, except for judges' scores (BCa): with few documents and differences of 0
and 1, BCa under-covers (tests/statistics/test_statistics.py).
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from lexmerge.benchmarks.results import metrics, tasks_of
from lexmerge.benchmarks.rows import Results, Sample
from lexmerge.statistics.rows import Paired

Document = Any  # a document's number, or a term; sortable within a task

RESAMPLES = 9999
AT_A_TIME = 4_000_000  # numbers held in memory by one batch of resamples
FEW = 64  # distinct values up to which multinomial counts are faster than drawing documents


@dataclass(frozen=True)
class Measure:
    """A model's results for every document of one task or several.

    Attributes:
        parts: By task and document an array of shape (variants, 1) with scores, or (variants, 2) with
            (prediction, label) for a correlation.
        by_size: Whether tasks are weighted by their number of documents in the mean over tasks; equally if
            not.
    """

    parts: dict[str, dict[Document, np.ndarray]]
    by_size: bool = False

    def size(self) -> int:
        """Count the documents of all tasks."""
        return sum(len(part) for part in self.parts.values())


def of_scores(scores: Mapping[Document, float]) -> Measure:
    """The measure that is the mean of one score per document."""
    return Measure({"": {key: np.array([[value]], dtype=float) for key, value in scores.items()}})


def of_samples(results: Results, samples: list[Sample], name: str, metric: str) -> Measure | None:
    """The measure behind a column of a suite's results.

    Args:
        results: One model's results of one suite.
        samples: Its samples, one row each.
        name: The column's task or group.
        metric: The column's metric.

    Returns:
        The measure; None when the samples do not reproduce lm-eval's value to within 1e-6, as for a metric
        that is neither a mean over documents nor a correlation.
    """
    by_size = bool(results["configs"][name].get("aggregate", {}).get(metric))
    measure = Measure({task: part_of(samples, task, metric) for task in tasks_of(results, name)}, by_size)
    value = interval(measure, seed=0, resample=False)[0]
    known = next(v for n, m, v in metrics(results) if (n, m) == (name, metric))
    agree = value is not None and known is not None and math.isclose(value, known, abs_tol=1e-6)
    return measure if agree else None


def part_of(
    samples: list[Sample], task: str, metric: str, variant: str | None = None
) -> dict[Document, np.ndarray]:
    """Collect a model's results for every document of a task.

    Args:
        samples: The samples of a suite, one row each.
        task: The name of a task.
        metric: One of its metrics, as "name,filter" when the task computes it with several filters.
        variant: One of the variants of its question; None for all of them.

    Returns:
        By document an array of shape (variants, 1) with scores or (variants, 2) with (prediction, label);
        empty when the metric's values are not numbers.
    """
    metric, _, by = metric.partition(",")
    values_of: dict[Document, list[list[float | None]]] = {}
    for row in samples:
        if row["task"] == task and variant in (None, row["template"]) and (not by or row["filter"] == by):
            value = row.get(metric)
            if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
                numbers = value[1:]
            else:
                numbers = [value]
            if not all(number is None or isinstance(number, int | float) for number in numbers):
                return {}
            values_of.setdefault(row["document"], []).append(numbers)
    return {key: np.array(values, dtype=float) for key, values in values_of.items()}


def interval(
    measure: Measure, seed: int, resample: bool = True
) -> tuple[float | None, float | None, float | None]:
    """A measure's value and its 95 % percentile bootstrap interval.

    A share that is 0 or 1 on every document gets the exact interval of Clopper and Pearson, since all
    resamples are the same.

    Args:
        measure: The measure.
        seed: The seed of the resampling.
        resample: Whether to compute the interval.

    Returns:
        The value and the lower and upper end of the interval; each is None when it is not defined.
    """
    if not all(_rows(measure)):
        return None, None, None
    statistic, rows = _statistic(measure, measure), _rows(measure)
    value = _number(statistic(*(np.arange(n) for n in rows)))
    if not resample:
        return value, None, None
    if not _is_mean(measure):
        return value, *_bootstrap(statistic, rows, seed)
    return value, *(_all_right_or_wrong(measure) or _bootstrap_mean(measure, seed))


def mean_interval(scores: np.ndarray, seed: int) -> tuple[float | None, float | None]:
    """The 95 % BCa bootstrap interval of a mean (Efron 1987).

    Args:
        scores: Scores, shape (documents,).
        seed: The seed of the resampling.

    Returns:
        The lower and upper end. Both are None when there are fewer than two scores or all are equal: every
        resample of equal scores has the same mean, so an interval of width 0 would suggest certainty.
    """
    if len(scores) < 2 or np.ptp(scores) == 0:
        return None, None
    return _bca(scores / len(scores), seed)


def unseen(n: int) -> float:
    """Upper bound of the rate of an event that did not occur in `n` observations (Clopper and Pearson 1934).

    Returns:
        The upper end of the exact 95 % interval, from 0 to 1.
    """
    rest: float = 0.025 ** (1 / n)
    return 1 - rest


def _all_right_or_wrong(measure: Measure) -> tuple[float, float] | None:
    """The exact interval of a share whose documents are all 1 or all 0; None for any other measure."""
    values = np.concatenate([array.ravel() for array in _arrays(measure, measure)])
    if measure.size() < 2 or np.ptp(values) or values[0] not in (0, 1):
        return None
    beyond = unseen(measure.size())
    return (1 - beyond, 1.0) if values[0] else (0.0, beyond)


def paired(one: Measure, other: Measure, seed: int, bca: bool = False) -> Paired:
    """Compare two models by the difference of a measure on the documents that both have.

    The null hypothesis of the permutation test is that the two models' results for a document are
    exchangeable.

    Args:
        one: The measure of the first model.
        other: The measure of the second model.
        seed: The seed of the resampling and of the permutations.
        bca: Whether the interval of a difference of means is BCa instead of percentile.

    Returns:
        The number of documents, the difference (one minus other), its 95 % bootstrap interval and its
        two-sided p; a value that is not defined is None.
    """
    one, other = _shared(one, other), _shared(other, one)
    row: Paired = {"n": one.size(), "mean_difference": None, "ci_low": None, "ci_high": None, "p": None}
    if not row["n"]:
        return row
    first, second, rows = _statistic(one, one), _statistic(other, one), _rows(one)
    everything = [np.arange(n) for n in rows]
    row["mean_difference"] = _number(first(*everything) - second(*everything))
    if row["n"] < 2 or row["mean_difference"] is None:  # a single document cannot be resampled
        return row
    low: float | None
    high: float | None
    shares = contributions(one, other)
    if bca and shares is not None and np.ptp(shares) > 0:
        low, high = _bca(shares, seed)
    elif shares is not None:  # a difference of means is the mean of the differences
        less = {task: {k: part[k] - other.parts[task][k] for k in part} for task, part in one.parts.items()}
        low, high = _bootstrap_mean(Measure(less, one.by_size), seed)
    else:
        low, high = _bootstrap(lambda *drawn: first(*drawn) - second(*drawn), rows, seed)
    p = _permutation_p(one, other, seed) if shares is None else _sign_flip_p(shares, seed)
    return row | {"ci_low": low, "ci_high": high, "p": p}


def contributions(one: Measure, other: Measure) -> np.ndarray | None:
    """Each document's contribution to the difference of two means.

    Args:
        one: The measure of the first model.
        other: The measure of the second model, with the same documents in the same order.

    Returns:
        The contributions, shape (documents,), whose sum is the difference; None for correlations.
    """
    pairs = list(zip(_arrays(one, one), _arrays(other, one), strict=True))
    if any(array.shape[-1] != 1 for pair in pairs for array in pair):
        return None
    differences = [(x - y).mean(axis=(1, 2)) for x, y in pairs]
    return np.concatenate([w * d / len(d) for w, d in zip(_weights(one), differences, strict=True)])


def by_document(one: Measure, other: Measure) -> tuple[np.ndarray, np.ndarray] | None:
    """Two models' scores of the documents that both have, averaged over variants.

    Args:
        one: The measure of the first model.
        other: The measure of the second model.

    Returns:
        For each model an array of shape (documents,), in the same order; None for correlations.
    """
    one, other = _shared(one, other), _shared(other, one)
    both = _arrays(one, one), _arrays(other, one)
    if any(array.shape[-1] != 1 for arrays in both for array in arrays):
        return None
    first, second = (
        np.concatenate([array.mean(axis=(1, 2)) for array in arrays] or [np.empty(0)]) for arrays in both
    )
    return first, second


def _bca(shares: np.ndarray, seed: int) -> tuple[float, float]:
    """The BCa interval of the sum of the documents' contributions."""
    ends = stats.bootstrap(
        (shares,),
        np.sum,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, AT_A_TIME // len(shares)),
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(ends.low), float(ends.high)


def _sign_flip_p(shares: np.ndarray, seed: int) -> float:
    """The two-sided p of a sign-flip test: equals scipy's paired permutation test, but faster."""
    permuted = [(2 * flips - 1) @ shares for flips in _flips(len(shares), seed)]
    near = 1e-9 * np.abs(shares).sum()
    return _two_sided(np.concatenate(permuted), shares.sum(), near, _all_ways(len(shares)))


def _permutation_p(one: Measure, other: Measure, seed: int) -> float | None:
    """The two-sided p over the permutations with both correlations defined; None if fewer than half have.

    A correlation is a function of sums over documents, and exchanging a document's results moves these sums
    by the difference of the two models there.
    """
    arrays = list(zip(_arrays(one, one), _arrays(other, one), strict=True))
    ends = np.cumsum(_rows(one))[:-1]
    centres = [np.mean(pair, axis=(0, 1, 2)) for pair in arrays]  # centred, against cancellation
    moments = [[_moments(a - c) for a in pair] for pair, c in zip(arrays, centres, strict=True)]

    def difference(flips: np.ndarray) -> np.ndarray:
        values = []
        for (mine, theirs), part in zip(moments, np.split(flips, ends, axis=1), strict=True):
            moved = np.tensordot(part, theirs - mine, 1)
            first, second = mine.sum(axis=0) + moved, theirs.sum(axis=0) - moved
            values.append(_correlation(first, len(mine)) - _correlation(second, len(mine)))
        return _weighted(one, values)

    total = sum(_rows(one))
    observed = difference(np.zeros((1, total))).item()
    permuted = np.concatenate([difference(flips) for flips in _flips(total, seed)])
    defined = permuted[np.isfinite(permuted)]
    if len(defined) < len(permuted) / 2:
        return None
    return _two_sided(defined, observed, 1e-9, _all_ways(total))


def _flips(count: int, seed: int) -> Iterator[np.ndarray]:
    """Batches of shape (permutations, documents), 1 for exchanged: all permutations, or 9,999 random ones."""
    if _all_ways(count):
        yield np.array(list(itertools.product((0.0, 1.0), repeat=count)))
        return
    rng, batch, width = np.random.default_rng(seed), max(1, AT_A_TIME // count), -(-count // 8)
    for start in range(0, RESAMPLES, batch):
        rows = min(batch, RESAMPLES - start)
        drawn = np.frombuffer(rng.bytes(rows * width), np.uint8).reshape(rows, width)
        yield np.unpackbits(drawn, axis=1, count=count).astype(float)


def _all_ways(count: int) -> bool:
    """Whether all permutations of `count` documents are few enough to try."""
    return 1 << count <= RESAMPLES


def _two_sided(permuted: np.ndarray, observed: float, near: float, exact: bool) -> float:
    """The share of permuted values at least as far from zero; random ones include the observed value."""
    beyond, more = int((np.abs(permuted) >= abs(observed) - near).sum()), not exact
    return (beyond + more) / (len(permuted) + more)


def _bootstrap(
    statistic: Callable[..., np.ndarray], rows: list[int], seed: int
) -> tuple[float | None, float | None]:
    """The percentile interval; None for fewer than two documents, or if most resamples are not defined."""
    if sum(rows) < 2:
        return None, None
    rng, batch = np.random.default_rng(seed), max(1, AT_A_TIME // sum(rows))
    values = []
    for start in range(0, RESAMPLES, batch):
        count = min(batch, RESAMPLES - start)
        values.append(statistic(*(rng.integers(n, size=(count, n)) for n in rows)))
    defined = (resampled := np.concatenate(values))[np.isfinite(resampled)]
    if len(defined) < RESAMPLES / 2:
        return None, None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def _is_mean(measure: Measure) -> bool:
    """Whether the measure is a mean of scores, and no correlation."""
    return all(array.shape[-1] == 1 for array in _arrays(measure, measure))


def _bootstrap_mean(measure: Measure, seed: int) -> tuple[float | None, float | None]:
    """The percentile interval of a mean; None for fewer than two documents."""
    if measure.size() < 2:
        return None, None
    rng = np.random.default_rng(seed)
    tasks = [array.mean(axis=(1, 2)) for array in _arrays(measure, measure)]
    drawn = _weighted(measure, [_drawn_means(values, rng) for values in tasks])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _drawn_means(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The means of the resamples, shape (RESAMPLES,); with few distinct values their counts are drawn."""
    n = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= FEW:
        return np.asarray(rng.multinomial(n, counts / n, size=RESAMPLES) @ distinct / n)
    batch = max(1, AT_A_TIME // n)
    sizes = [min(batch, RESAMPLES - start) for start in range(0, RESAMPLES, batch)]
    return np.concatenate([values[rng.integers(n, size=(size, n))].mean(axis=1) for size in sizes])


def _statistic(measure: Measure, keys: Measure) -> Callable[..., np.ndarray]:
    """The measure as a function of document indices, one array per task, in the order of `keys`."""
    arrays = _arrays(measure, keys)
    return lambda *drawn: _value(measure, arrays, drawn)


def _value(measure: Measure, arrays: list[np.ndarray], drawn: Iterable[np.ndarray]) -> np.ndarray:
    """The measure's value for every resample in `drawn`."""
    return _weighted(measure, [_part(array, rows) for array, rows in zip(arrays, drawn, strict=True)])


def _weighted(measure: Measure, values: list[np.ndarray]) -> np.ndarray:
    """The weighted mean of the tasks' values."""
    return np.asarray(sum(w * v for w, v in zip(_weights(measure), values, strict=True)))


def _weights(measure: Measure) -> list[float]:
    """Each task's weight in the mean over tasks; they sum to 1."""
    sizes = [len(part) if measure.by_size else 1 for part in measure.parts.values()]
    return [size / sum(sizes) for size in sizes]


def _part(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """One task's value over the drawn documents: a mean, or a correlation averaged over variants."""
    if array.shape[-1] == 1:
        return np.asarray(array.mean(axis=(1, 2))[rows].mean(axis=-1))
    n, draws = len(array), np.atleast_2d(rows)
    places = draws + n * np.arange(len(draws))[:, None]
    counts = np.bincount(places.ravel(), minlength=n * len(draws)).reshape(len(draws), n).astype(float)
    sums = np.tensordot(counts, _moments(array - array.mean(axis=(0, 1))), 1)
    return _correlation(sums, draws.shape[1]).reshape(rows.shape[:-1])


def _moments(array: np.ndarray) -> np.ndarray:
    """For pairs (x, y) the terms x, y, x², y² and xy, from whose sums a correlation is computed."""
    x, y = array[..., 0], array[..., 1]
    return np.stack([x, y, x * x, y * y, x * y], axis=-1)


def _correlation(sums: np.ndarray, n: int) -> np.ndarray:
    """Pearson's r from sums of `_moments` over n documents, averaged over variants; NaN without variance."""
    x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread = [square - total**2 / n for square, total in ((xx, x), (yy, y))]
    varies = [s > 1e-12 * square for s, square in zip(spread, (xx, yy), strict=True)]
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (xy - x * y / n) / np.sqrt(spread[0] * spread[1])
    return np.asarray(np.where(varies[0] & varies[1], r, np.nan).mean(axis=-1))


def _arrays(measure: Measure, keys: Measure) -> list[np.ndarray]:
    """For each task an array of shape (documents, variants, values), in the order of `keys`."""
    return [np.stack([measure.parts[task][key] for key in part]) for task, part in keys.parts.items()]


def _rows(measure: Measure) -> list[int]:
    """The number of documents of each task."""
    return [len(part) for part in measure.parts.values()]


def _shared(measure: Measure, other: Measure) -> Measure:
    """The part of a measure that the other has too, with the documents sorted."""
    parts = {
        task: {key: part[key] for key in sorted(part.keys() & other.parts.get(task, {}).keys())}
        for task, part in measure.parts.items()
    }
    return Measure({task: part for task, part in parts.items() if part}, measure.by_size)


def _number(value: np.ndarray) -> float | None:
    """A finite value as a float; None otherwise."""
    return float(value) if np.isfinite(value) else None
