"""Rough estimates of the memory, time, GPUs and disk space of jobs, from the sizes of models and the work.

Snakemake reads this module at every start, so it imports no large library. The rates are in
`resources/rates.yaml`.
"""

import math
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lexmerge.common.errors import StudyError
from lexmerge.common.shipped import PROJECT
from lexmerge.merges.memory import at_peak
from lexmerge.merges.recipes import models_of
from lexmerge.models.backend import BACK_ENDS, BackEnd
from lexmerge.models.files import tensors_in

# An estimate by resource: `seconds` of time, `mem_mb` of memory and `disk_mb` of disk space in MB, `gpu` as a
# number of GPUs, and `work`, the part of `seconds` that is not spent waiting for a service.
Need = dict[str, float]

RATES = "resources/rates.yaml"
BYTES = {"float32": 4, "float64": 8, "auto": 2}  # bytes of a number; 2 for all other types
TOY = 612_000  # parameters of a toy model
SMALL = 100e6  # parameters below which `device: auto` requests no GPU from a scheduler
PYTHON = 1000  # MB of a process with PyTorch, before it loads a model
LEAST = 1e7  # a smaller number in a model's name is not taken for its parameters
SAFETY = 3  # ratio of the requested to the expected time
SIZE = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)


class Size(NamedTuple):
    """The size of a model.

    Attributes:
        parameters: The number of parameters.
        largest: The number of elements of the largest tensor.
        known_by: The source: `headers` of the checkpoint, `config`, `name` of the model, or `assumed`.
    """

    parameters: float
    largest: float
    known_by: str


@cache
def rates() -> dict[str, Any]:
    """Read `resources/rates.yaml`, which documents their units."""
    read: dict[str, Any] = yaml.safe_load((PROJECT / RATES).read_text(encoding="utf-8"))
    return read


def size_of(source: str, given: float | None, folder: str) -> Size:
    """Determine the size of a model from the best source that is available.

    Args:
        source: The model's source in the config: a folder, a hub id or a toy model.
        given: The number of parameters in the config, if set.
        folder: The folder of the model's checkpoint, which may not exist yet.

    Returns:
        The size by the checkpoint's headers, else by the config, the model's name, or an assumption.
    """
    for place in (Path(folder), Path(source)):
        shapes = shapes_in(place)
        if shapes:
            return Size(sum(map(math.prod, shapes)), max(map(math.prod, shapes)), "headers")
    if given:
        return guessed(given, "config")
    if source.startswith("toy:"):
        return guessed(TOY, "config")
    if match := SIZE.search(source.rsplit("/", 1)[-1]):
        named = int(match[1] or 1) * float(match[2]) * (1e9 if match[3] in "bB" else 1e6)
        if named >= LEAST:  # a smaller one may be the length of a context, such as `1M`
            return guessed(named, "name")
    return guessed(rates()["assumed"]["parameters"], "assumed")


def guessed(parameters: float, known_by: str) -> Size:
    """A size without headers; the largest tensor grows with the root of the size, as in Llama 3."""
    return Size(parameters, min(parameters, 0.55e9 * math.sqrt(parameters / 8e9)), known_by)


def shapes_in(folder: Path) -> list[list[int]]:
    """The shapes of a checkpoint's tensors, from the headers of its safetensors files.

    Args:
        folder: The checkpoint's folder.

    Returns:
        A shape for each tensor; empty if there is no checkpoint or one of its files is damaged.
    """
    try:
        return [list(shape) for shape, _ in tensors_in(str(folder.absolute())).values()]
    except StudyError:
        return []  # reported by the code that loads it


def merged(recipe: dict[str, Any], sizes: dict[str, Size]) -> Size:
    """Estimate the size of a merge.

    Args:
        recipe: The recipe.
        sizes: The sizes of all models by name.

    Returns:
        The size of the largest parent; for stacked layers (`passthrough` with slices) the sum of all parents.
    """
    parents = [sizes[name] for name in models_of(recipe)]
    largest = max(parents, key=lambda size: size.parameters)
    if recipe.get("merge_method") != "passthrough" or not recipe.get("slices"):
        return largest
    return largest._replace(parameters=sum(size.parameters for size in parents))


def width(dtype: str | None) -> int:
    """Bytes of a number of this type."""
    return BYTES.get(dtype or "", 2)


def cards(device: str, backend: BackEnd, size: Size) -> int:
    """The number of GPUs that a job requests.

    Args:
        device: `auto`, `cpu` or `cuda`.
        backend: The back end; some spread a model over several GPUs.
        size: The size of the model.

    Returns:
        0, 1, or the power of two that holds the model if the back end can spread it.
    """
    if device == "cpu":
        return 0
    if backend.spreads:
        needed = 1.3 * size.parameters * 2 / (rates()["gpu_memory"]["rate"] * 1e9)
        spread: int = 2 ** math.ceil(math.log2(max(1, needed)))  # a power of two divides the attention heads
        return spread
    return 0 if device == "auto" and size.parameters < SMALL else 1


def minutes(seconds: float) -> int:
    """The time limit in minutes to request for a job that is expected to take `seconds`."""
    return 10 + math.ceil(SAFETY * seconds / 60)


def grown(mb: float, attempt: int, log: str) -> int:
    """The memory to request for an attempt: doubled, unless the last attempt failed for another reason.

    A job that fails by itself writes the cause to its log; one that a scheduler kills does not.

    Args:
        mb: The memory of the first attempt in MB.
        attempt: The number of the attempt, from 1.
        log: The job's log, which may not exist.

    Returns:
        MB.
    """
    failure = _failure(log) if attempt > 1 else ""
    enough = "failed:" in failure and not re.search("memory|allocate", failure, re.IGNORECASE)
    return math.ceil(mb * (1 if enough else 2 ** (attempt - 1)))


def _failure(log: str) -> str:
    """The last line of a log that reports a failure; empty if there is none."""
    try:
        lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.startswith("failed:")), "")


# --- estimates for each kind of job


def fetching(size: Size) -> Need:
    """Estimate the download of a model from the hub: `seconds`, `mem_mb` and `disk_mb`."""
    data = size.parameters * 2
    return {
        "seconds": data / rates()["download"]["rate"] + 2 * data / rates()["disk"]["rate"],
        "mem_mb": 2 * PYTHON,
        "disk_mb": math.ceil(data / 1e6),
    }


def folding(size: Size) -> Need:
    """Estimate the folding of an adapter into its model: `seconds`, `mem_mb` and `disk_mb`."""
    data = size.parameters * 2
    return {
        "seconds": rates()["starting"]["model"] + 4 * data / rates()["disk"]["rate"],
        "mem_mb": 2 * PYTHON + math.ceil((2 * min(data, 5e9) + 12 * size.largest) / 1e6),
        "disk_mb": math.ceil(data / 1e6),
    }


def merging(recipe: dict[str, Any], sizes: dict[str, Size], settings: dict[str, Any]) -> Need:
    """Estimate a merge with MergeKit, including its checks and its distances from the parents.

    Args:
        recipe: The recipe.
        sizes: The sizes of all models by name.
        settings: The config section `merging`.

    Returns:
        `seconds`, `mem_mb`, `disk_mb` and `gpu`.
    """
    parents, size = [sizes[name] for name in models_of(recipe)], merged(recipe, sizes)
    compute, wide = width(recipe.get("dtype")), width(recipe.get("out_dtype") or recipe.get("dtype"))
    method = recipe["merge_method"]
    costs = rates()["merging"]
    work = costs.get(method, costs["other"])[compute > 2] * size.parameters / 1e9
    on_gpu = cards(settings["device"], BACK_ENDS["transformers"], size)
    work *= 0.1 if on_gpu else 1  # assumed: a GPU is ten times as fast
    moved = 3 * sum(p.parameters for p in parents) * 2 + 3 * size.parameters * wide
    disk = size.parameters * wide
    held = at_peak(method, len(parents), size.largest * compute, min(disk, settings["shard_size"]))
    return {
        "seconds": rates()["starting"]["model"] + work + moved / rates()["disk"]["rate"],
        "mem_mb": PYTHON + math.ceil(1.2 * held / 1e6),
        "disk_mb": math.ceil(disk / 1e6),
        "gpu": on_gpu,
    }


def asking(size: Size, settings: dict[str, Any], terms: int, threads: int) -> Need:
    """Estimate the definitions of all terms by a local model.

    Args:
        size: The size of the model.
        settings: The config section `definitions`.
        terms: The number of terms.
        threads: The number of threads, if there is no GPU.

    Returns:
        `seconds`, `mem_mb` and `gpu`.
    """
    name = settings["backend"]
    gpu = cards(settings["device"], BACK_ENDS[name], size)
    rate = _writing(name, "gpu" if gpu else "cpu") * (gpu or threads)
    seconds = terms * settings["max_new_tokens"] * size.parameters / rate
    return _with_a_model(size, settings, BACK_ENDS[name], gpu, seconds)


def testing(size: Size, settings: dict[str, Any], documents: int, threads: int) -> Need:
    """Estimate a benchmark suite on a model.

    Args:
        size: The size of the model.
        settings: The config section `benchmarking`.
        documents: The number of documents in the suite.
        threads: The number of threads, if there is no GPU.

    Returns:
        `seconds`, `mem_mb` and `gpu`.
    """
    name, back_end = next((n, b) for n, b in BACK_ENDS.items() if b.harness == settings["backend"])
    gpu = cards(settings["device"], back_end, size)
    place, of = ("gpu", gpu) if gpu else ("cpu", threads)
    reading = rates()["reading"][place]["rate"] * of * 1e9
    writing = _writing(name, place) * of
    one = rates()["document"]
    each = size.parameters * (one["requests"] * one["read"] / reading + one["written"] / writing)
    return _with_a_model(size, settings, back_end, gpu, documents * each)


def _writing(backend: str, place: str) -> float:
    """Parameters times tokens written per second, on a `cpu` core or a `gpu`; default: Transformers."""
    known = rates()["writing"]
    return float(known.get(f"{backend}_{place}", known[f"transformers_{place}"])["rate"]) * 1e9


def _with_a_model(size: Size, settings: dict[str, Any], back_end: BackEnd, gpu: int, seconds: float) -> Need:
    """Add the start of a model and its memory to `seconds` of work with it."""
    held = size.parameters * width(settings["dtype"])
    cache = 0 if gpu else 0.5 * held + 1e9  # the KV cache and the logits, in the same memory as the weights
    starting = rates()["starting"]["vllm" if back_end.spreads and gpu else "model"]
    return {
        "seconds": starting + held / rates()["disk"]["rate"] + seconds,
        "mem_mb": 2 * PYTHON + math.ceil((1.1 * held + cache) / 1e6),
        "gpu": gpu,
    }


def one_after_the_other(first: Need, second: Need) -> Need:
    """Estimate a job of two steps, whose second starts when the first has freed its memory and GPUs."""
    most = {key: max(first[key], second[key]) for key in ("mem_mb", "gpu")}
    return most | {"seconds": first["seconds"] + second["seconds"]}


def searching(
    recipe: dict[str, Any], sizes: dict[str, Size], search: dict[str, Any], merge: Need, asked: Need
) -> Need:
    """Estimate a worker of a search, which merges candidates in memory and evaluates them.

    Args:
        recipe: The recipe.
        sizes: The sizes of all models by name.
        search: The merge's section `search` in the config.
        merge: The estimate of one merge.
        asked: The estimate of one evaluation.

    Returns:
        `seconds`, `mem_mb` and `gpu`.
    """
    budget = search["budget"]
    one = merge["seconds"] + asked["seconds"]
    seconds = min(budget["evaluations"] * one / search["workers"], budget.get("hours", math.inf) * 3600 + one)
    parents = sum(sizes[name].parameters for name in models_of(recipe)) * 2 / 1e6
    return {
        "seconds": seconds,
        "mem_mb": merge["mem_mb"] + asked["mem_mb"] + math.ceil(parents if merge["gpu"] == 0 else 0),
        "gpu": max(merge["gpu"], asked["gpu"]),
    }


def requests(calls: int, settings: dict[str, Any]) -> Need:
    """Estimate a job that sends requests to a service.

    Args:
        calls: The number of requests; 0 if none are sent.
        settings: The judge's or translator's settings, with `mode`, `connections` and `requests_per_minute`.

    Returns:
        `seconds` and `mem_mb`; for a batch, which takes up to a day, also `work`.
    """
    if settings.get("mode") == "batch":
        return {"seconds": 86_400, "work": 60, "mem_mb": PYTHON}
    each = rates()["request"]["rate"] / max(1, settings.get("connections", 1))
    if limit := settings.get("requests_per_minute"):
        each = max(each, 60 / limit)
    return {"seconds": rates()["starting"]["plain"] + calls * each, "mem_mb": PYTHON}


def copying() -> Need:
    """Estimate a job that only copies a table."""
    return light(0) | {"gpu": 0}


def light(rows: int) -> Need:
    """Estimate a job of tables, figures and the like with `rows` rows in memory, of about 5 kB each."""
    return {"seconds": rates()["starting"]["plain"] + rows / 2000, "mem_mb": PYTHON + math.ceil(rows * 5e-3)}


def distances(sizes: list[Size]) -> Need:
    """Estimate the distances between all pairs of models, which hold one tensor of each in memory."""
    data = sum(size.parameters * 2 for size in sizes)
    held = max(size.largest for size in sizes) * 2 * len(sizes)
    return {
        "seconds": rates()["starting"]["model"] + 3 * data / rates()["disk"]["rate"],
        "mem_mb": PYTHON + math.ceil(1.1 * held / 1e6),
    }


# --- the amount of work


def terms(tables: list[str | None], vocabulary: dict[str, Any]) -> int:
    """Count the terms of a study.

    Args:
        tables: Paths of tables of terms, which may be unset or not exist yet.
        vocabulary: The config section `vocabulary`.

    Returns:
        The rows of the first existing table, at least 1; else the sample's size, the published number of
        terms, or an assumption.
    """
    for table in tables:
        if table and Path(table).is_file():
            lines = Path(table).read_text(encoding="utf-8-sig").splitlines()
            return max(1, sum(1 for line in lines if line.strip() and not line.startswith("#")) - 1)
    sample = vocabulary.get("filters", {}).get("sample", {}).get("n") or vocabulary.get("published", {}).get(
        "n"
    )
    return int(sample or rates()["assumed"]["terms"])


def documents(file: str, known: int | None, limit: int | None) -> int:
    """Count the documents of a task.

    Args:
        file: The file of the task's documents, which may not exist yet.
        known: The number of documents in the task's source, if known.
        limit: The largest number to use; None for all.

    Returns:
        The number in the file, else `known` or an assumption, at most `limit`.
    """
    if Path(file).is_file():
        found = Path(file).read_bytes().count(b"\n")
    else:
        found = known or rates()["assumed"]["documents"]
    return min(found, limit or found)
