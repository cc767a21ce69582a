"""What the statistics of a study of the paper's size take: `python performance/comparisons.py`.

Six merges beside two parents, by two judges of 1,782 terms and by nine benchmark columns of about the real
sizes, of random answers; then the intervals of all scores, and of each task and prompt that a column is made
of, and what moved across languages. All on one core, one after the other; a study has them in three jobs.
Aim: less than a minute on two cores.
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from lexmerge.statistics.measures import Measure, interval, mean_interval, of_scores
from lexmerge.statistics.transfer import table as transfer
from statistics_agreement import table as agreement
from statistics_comparisons import compare

MODELS = ["generalist", "expert", *(f"merge{k}" for k in range(6))]
TASKS = {"pubmedqa": [500], "jaqket": [1000], "jcommonsenseqa": [1119], "jsquad": [4442], "xwinograd": [959]}
TASKS |= {"xlsum": [766], "mcqa": [4183, 1273, 1273, 1089, 1271, 3000, 1000], "dc": [100, 900, 3000]}


def task(rng: np.random.Generator, n: int, prompts: int) -> dict:
    return dict(enumerate(rng.integers(0, 2, (n, prompts, 1)).astype(float)))


if __name__ == "__main__":
    rng, measures = np.random.default_rng(0), {}
    for model in MODELS:
        for judge in ("gpt", "gemini"):
            measures["judge", judge, model] = of_scores(dict(enumerate(rng.integers(0, 11, 1782).tolist())))
        for name, sizes in TASKS.items():
            prompts = 4 if len(sizes) > 1 else 1
            parts = {f"{name}{k}": task(rng, n, prompts) for k, n in enumerate(sizes)}
            measures["benchmark", name, model] = Measure(parts)
        pairs = {k: rng.normal(size=(4, 2)) for k in range(3600)}
        measures["benchmark", "sts", model] = Measure({"sts": pairs})
    for kind in ("judge", "benchmark"):
        chosen = {key: value for key, value in measures.items() if key[0] == kind}
        began = time.perf_counter()
        table = compare(chosen, MODELS[2:], MODELS[:2], 0, {"judge": 0.25, "benchmark": 0.02}, {})
        print(f"{kind}: {len(table)} comparisons in {time.perf_counter() - began:.1f} s", file=sys.stderr)
    began = time.perf_counter()
    columns = [measure for (kind, _, _), measure in measures.items() if kind == "benchmark"]
    alone = [
        Measure({task: part})
        for measure in columns
        for task, part in measure.parts.items()
        if len(measure.parts) > 1
    ]
    prompts = [
        Measure({task: {key: values[[k]] for key, values in part.items()}})
        for measure in columns
        for task, part in measure.parts.items()
        if (count := len(next(iter(part.values())))) > 1
        for k in range(count)
    ]
    for measure in [*columns, *alone, *prompts]:
        interval(measure, seed=0)
    print(
        f"{len(columns)} benchmark scores with their parts: {time.perf_counter() - began:.1f} s",
        file=sys.stderr,
    )
    began = time.perf_counter()
    judged = {
        (model, name): measure.parts[""]
        for (kind, name, model), measure in measures.items()
        if kind == "judge"
    }
    scores = {cell: {key: int(value.item()) for key, value in part.items()} for cell, part in judged.items()}
    for values in scores.values():
        mean_interval(np.array(list(values.values()), dtype=float), seed=0)
    print(f"{len(scores)} mean scores: {time.perf_counter() - began:.1f} s", file=sys.stderr)
    began = time.perf_counter()
    agreement(scores)
    known = {
        (judge, model, side): {str(t): s > 6 for t, s in scores[model, judge].items()}
        for model, judge in scores
        for side in ("source", "target")
    }
    terms = [
        {"term": str(t), "corpus_count": str(t % 2), "semantic_tag": f"tag{t % 12}"} for t in range(1782)
    ]
    transfer(known, terms, MODELS, MODELS[2:], {"expert": "expert", "generalist": "generalist"})
    print(f"agreement and what moved: {time.perf_counter() - began:.1f} s", file=sys.stderr)
