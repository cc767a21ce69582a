"""What a job needs, from the size of its models and the work: memory, time, GPUs, disk. All of it is rough.

Snakemake reads this file at every start: it imports nothing large. Sizes are in parameters, memory and disk
in MB (as `mem_mb` and `disk_mb`), times in seconds but for `minutes`. `resources/rates.yaml` has the rates.
"""

import json
import math
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from lexmerge.merges.memory import at_peak
from lexmerge.merges.recipes import models_of
from lexmerge.models.backend import BACK_ENDS, BackEnd

RATES = "resources/rates.yaml"
BYTES = {"float32": 4, "float64": 8, "auto": 2}  # of a number; 2 where nothing else is said
TOY = 612_000  # parameters of a toy model
SMALL = 100e6  # parameters below which `device: auto` does not ask a scheduler for a card
PYTHON = 1000  # MB of a process with PyTorch and what it has loaded, before a model
LEAST = 1e7  # parameters that a name is believed to say
SAFETY = 3  # a job asks for so many times the minutes that it is expected to take
SIZE = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)


class Size(NamedTuple):
    """A model's size: all its numbers, those of its largest tensor, and how that is known."""

    parameters: float
    largest: float
    known_by: str  # headers, config, name, or assumed


@cache
def rates() -> dict:
    """What stands in `resources/rates.yaml`."""
    return yaml.safe_load(Path(RATES).read_text(encoding="utf-8"))


def size_of(source: str, given: float | None, folder: str) -> Size:
    """A model's size: by its headers if it is in `folder` or a folder itself; else as given, or by name."""
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
        if named >= LEAST:  # `1M` is a context's length
            return guessed(named, "name")
    return guessed(rates()["assumed"]["parameters"], "assumed")


def guessed(parameters: float, known_by: str) -> Size:
    """A size without headers; the largest tensor grows with the root of the model, as in Llama 3."""
    return Size(parameters, min(parameters, 0.55e9 * math.sqrt(parameters / 8e9)), known_by)


def shapes_in(folder: Path) -> list[list[int]]:
    """The shapes of a checkpoint's tensors, from the heads of its files; none where there is none."""
    shapes = []
    for file in sorted(folder.glob("*.safetensors")) if folder.is_dir() else []:
        try:
            with file.open("rb") as handle:
                head = json.loads(handle.read(int.from_bytes(handle.read(8), "little")))
            shapes += [tensor["shape"] for name, tensor in head.items() if name != "__metadata__"]
        except (OSError, ValueError, MemoryError, OverflowError, AttributeError, KeyError, TypeError):
            return []  # a damaged file is told where it is read
    return shapes


def merged(recipe: dict, sizes: dict[str, Size]) -> Size:
    """The size of a merge: its largest parent's, and of stacked layers as many as the recipe names."""
    parents = [sizes[name] for name in models_of(recipe)]
    largest = max(parents, key=lambda size: size.parameters)
    if recipe.get("merge_method") != "passthrough" or not recipe.get("slices"):
        return largest
    return largest._replace(parameters=sum(size.parameters for size in parents))


def width(dtype: str | None) -> int:
    """Bytes of a number."""
    return BYTES.get(dtype or "", 2)


def cards(device: str, backend: BackEnd, size: Size) -> int:
    """How many GPUs a job asks for; some back ends spread a model that one does not hold over several."""
    if device == "cpu":
        return 0
    if backend.spreads:
        needed = 1.3 * size.parameters * 2 / (rates()["gpu_memory"]["rate"] * 1e9)
        return 2 ** math.ceil(math.log2(max(1, needed)))  # which divides a model's heads
    return 0 if device == "auto" and size.parameters < SMALL else 1


def minutes(seconds: float) -> int:
    """What is asked of a scheduler for a job that is expected to take so long."""
    return 10 + math.ceil(SAFETY * seconds / 60)


def grown(mb: float, attempt: int, log: str) -> int:
    """The memory of an attempt: twice that of the one before, if it may have died of having too little.

    A job that ends by itself says in its log why; one that a scheduler kills does not.
    """
    told = _told(log) if attempt > 1 else ""
    enough = "failed:" in told and not re.search("memory|allocate", told, re.IGNORECASE)
    return math.ceil(mb * (1 if enough else 2 ** (attempt - 1)))


def _told(log: str) -> str:
    try:
        lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.startswith("failed:")), "")


# --- what each kind of job takes


def fetching(size: Size) -> dict:
    """A model from the hub: `seconds`, `mem_mb`, `disk_mb`."""
    data = size.parameters * 2
    return {
        "seconds": data / rates()["download"]["rate"] + 2 * data / rates()["disk"]["rate"],
        "mem_mb": 2 * PYTHON,
        "disk_mb": math.ceil(data / 1e6),
    }


def merging(recipe: dict, sizes: dict[str, Size], settings: dict) -> dict:
    """A merge with MergeKit, checked and measured against its parents."""
    parents, size = [sizes[name] for name in models_of(recipe)], merged(recipe, sizes)
    compute, wide = width(recipe.get("dtype")), width(recipe.get("out_dtype") or recipe.get("dtype"))
    method = recipe["merge_method"]
    costs = rates()["merging"]
    work = costs.get(method, costs["other"])[compute > 2] * size.parameters / 1e9
    on_gpu = cards(settings["device"], BACK_ENDS["transformers"], size)
    work *= 0.1 if on_gpu else 1  # what is left of it on a GPU
    moved = 3 * sum(p.parameters for p in parents) * 2 + 3 * size.parameters * wide
    disk = size.parameters * wide
    held = at_peak(method, len(parents), size.largest * compute, min(disk, settings["shard_size"]))
    return {
        "seconds": rates()["starting"]["model"] + work + moved / rates()["disk"]["rate"],
        "mem_mb": PYTHON + math.ceil(1.2 * held / 1e6),
        "disk_mb": math.ceil(disk / 1e6),
        "gpu": on_gpu,
    }


def asking(size: Size, settings: dict, terms: int, threads: int) -> dict:
    """A local model defines all terms; `settings` is `definitions` in the config."""
    name = settings["backend"]
    gpu = cards(settings["device"], BACK_ENDS[name], size)
    rate = _writing(name, "gpu" if gpu else "cpu") * (gpu or threads)
    seconds = terms * settings["max_new_tokens"] * size.parameters / rate
    return _with_a_model(size, settings, BACK_ENDS[name], gpu, seconds)


def testing(size: Size, settings: dict, documents: int, threads: int) -> dict:
    """A benchmark suite on a model; `settings` is `benchmarking` in the config."""
    name, back_end = next((n, b) for n, b in BACK_ENDS.items() if b.harness == settings["backend"])
    gpu = cards(settings["device"], back_end, size)
    place, of = ("gpu", gpu) if gpu else ("cpu", threads)
    reading = rates()["reading"][place]["rate"] * of * 1e9
    writing = _writing(name, place) * of
    one = rates()["document"]
    each = size.parameters * (one["requests"] * one["read"] / reading + one["written"] / writing)
    return _with_a_model(size, settings, back_end, gpu, documents * each)


def _writing(backend: str, place: str) -> float:
    """Parameters times tokens a second of a back end on a `cpu` core or `gpu`; by default transformers'."""
    known = rates()["writing"]
    return float(known.get(f"{backend}_{place}", known[f"transformers_{place}"])["rate"]) * 1e9


def _with_a_model(size: Size, settings: dict, back_end: BackEnd, gpu: int, seconds: float) -> dict:
    held = size.parameters * width(settings["dtype"])
    cache = 0 if gpu else 0.5 * held + 1e9  # on a CPU the cache and the logits are beside the weights
    starting = rates()["starting"]["vllm" if back_end.spreads and gpu else "model"]
    return {
        "seconds": starting + held / rates()["disk"]["rate"] + seconds,
        "mem_mb": 2 * PYTHON + math.ceil((1.1 * held + cache) / 1e6),
        "gpu": gpu,
    }


def one_after_the_other(first: dict, second: dict) -> dict:
    """A job that does both, the second when the first has given back its memory and its GPUs."""
    most = {key: max(first[key], second[key]) for key in ("mem_mb", "gpu")}
    return most | {"seconds": first["seconds"] + second["seconds"]}


def searching(recipe: dict, sizes: dict[str, Size], search: dict, merge: dict, asked: dict) -> dict:
    """A worker of a search, which merges in memory and asks; `merge` and `asked`: what one of each takes."""
    budget = search["budget"]
    one = merge["seconds"] + asked["seconds"]
    seconds = min(budget["evaluations"] * one / search["workers"], budget.get("hours", math.inf) * 3600 + one)
    parents = sum(sizes[name].parameters for name in models_of(recipe)) * 2 / 1e6
    return {
        "seconds": seconds,
        "mem_mb": merge["mem_mb"] + asked["mem_mb"] + math.ceil(parents if merge["gpu"] == 0 else 0),
        "gpu": max(merge["gpu"], asked["gpu"]),
    }


def requests(calls: int, settings: dict) -> dict:
    """A job that asks an API so often; 0 calls where nothing is asked. A batch takes up to a day."""
    if settings.get("mode") == "batch":
        return {"seconds": 86_400, "work": 60, "mem_mb": PYTHON}  # what is waited for is no work
    each = rates()["request"]["rate"] / max(1, settings.get("connections", 1))
    if limit := settings.get("requests_per_minute"):
        each = max(each, 60 / limit)
    return {"seconds": rates()["starting"]["plain"] + calls * each, "mem_mb": PYTHON}


def copying() -> dict:
    """What is there already is written once more."""
    return light(0) | {"gpu": 0}


def light(rows: int) -> dict:
    """Tables, figures and the like, which hold so many rows of a study at a time: about 5 kB each."""
    return {"seconds": rates()["starting"]["plain"] + rows / 2000, "mem_mb": PYTHON + math.ceil(rows * 5e-3)}


def distances(sizes: list[Size]) -> dict:
    """Every model beside every other, a tensor at a time."""
    data = sum(size.parameters * 2 for size in sizes)
    held = max(size.largest for size in sizes) * 2 * len(sizes)
    return {
        "seconds": rates()["starting"]["model"] + 3 * data / rates()["disk"]["rate"],
        "mem_mb": PYTHON + math.ceil(1.1 * held / 1e6),
    }


# --- how much work there is


def terms(tables: list[str | None], vocabulary: dict) -> int:
    """The terms of the first table that is there; else as many as are sampled, or were published."""
    for table in tables:
        if table and Path(table).is_file():
            lines = Path(table).read_text(encoding="utf-8-sig").splitlines()
            return max(1, sum(1 for line in lines if line.strip() and not line.startswith("#")) - 1)
    sample = vocabulary.get("filters", {}).get("sample", {}).get("n") or vocabulary.get("published", {}).get(
        "n"
    )
    return int(sample or rates()["assumed"]["terms"])


def documents(file: str, known: int | None, limit: int | None) -> int:
    """The documents of a task: those in its file, else as its source is known to have, else assumed."""
    if Path(file).is_file():
        found = Path(file).read_bytes().count(b"\n")
    else:
        found = known or rates()["assumed"]["documents"]
    return min(found, limit or found)
