"""What the comparisons of a study of the paper's size take: `python tests/benchmarks/comparisons.py`.

Six merges beside two parents, by two judges of 1,782 terms and by nine benchmark columns of about the real
sizes, of random answers. Aim: all of it in less than a minute on two cores.
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow" / "scripts"))

from lexmerge.measures import Measure, of_scores
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
