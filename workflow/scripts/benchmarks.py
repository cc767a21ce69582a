"""Run one benchmark suite on one model with LM Evaluation Harness: the model is loaded once for all tasks."""

import math
import os
import tempfile
from pathlib import Path

from lexmerge.device import device
from lexmerge.files import hashes, sha256, write_json, write_jsonl
from lexmerge.jobs import job

SEEDS = {"random_seed": 0, "numpy_random_seed": 1234, "torch_random_seed": 1234, "fewshot_random_seed": 1234}
KEPT = ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples")


def evaluate(folder: str, tasks: dict[str, Path], data: dict[str, Path], settings: dict) -> tuple[dict, list]:
    """lm-eval's results for `{task: its YAML}` on `{task: its JSONL}`, and one row a sample.

    Log-likelihoods are summed in float32 whatever the model's dtype: in bfloat16 answers tie.
    """
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    model = HFLM(
        pretrained=folder,
        dtype=settings["dtype"],
        softmax_dtype="float32",
        device=device(settings["device"]),
        batch_size=settings["batch_size"],
        max_length=settings["max_length"],
    )
    manager = TaskManager(
        include_path=sorted({str(t.parent) for t in tasks.values()}), include_defaults=False
    )
    suite = [
        {"task": task, "dataset_kwargs": {"data_files": {"test": str(file.resolve())}}}
        for task, file in data.items()
    ]
    found = lm_eval.simple_evaluate(
        model=model,
        tasks=[{"group": "suite", "task": suite}],
        task_manager=manager,
        limit=settings.get("limit"),
        bootstrap_iters=1000,
        **SEEDS,
    )
    results = {key: {task: found[key].get(task) for task in data} for key in KEPT}
    for config in results["configs"].values():
        config.pop("dataset_kwargs", None)  # where the data lay; `data_sha256` says what it was
    results["data_sha256"] = {task: sha256(file) for task, file in data.items()}
    samples = [
        {"task": task, **sample_row(sample)}
        for task in data
        for sample in sorted(found["samples"][task], key=lambda sample: sample["doc_id"])
    ]
    results["config"] = {**settings, "softmax_dtype": "float32", **SEEDS}
    results["lm_eval_version"] = lm_eval.__version__
    return strict(results), strict(samples)


def sample_row(sample: dict) -> dict:
    """What later statistics need of a sample: which, what was right, what was said, and the metrics."""
    metrics = {name: sample[name] for name in sample["metrics"]}
    return {
        "doc_id": sample["doc_id"],
        "target": sample["target"],
        "responses": sample["filtered_resps"],
        **metrics,
        **{name: sample[name] for name in ("doc_hash", "prompt_hash", "target_hash")},
    }


def strict(value: object) -> object:
    """The value as strict JSON has it: a number that is not one becomes null, anything unknown its name."""
    if isinstance(value, dict):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return (
        value
        if isinstance(value, str | int | float | bool | None)
        else getattr(value, "__name__", str(value))
    )


if __name__ == "__main__":
    with job(snakemake.log[0]), tempfile.TemporaryDirectory() as cache:
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": cache, "TOKENIZERS_PARALLELISM": "false"}
        tasks = {Path(f).stem: Path(f) for f in snakemake.input.tasks if f.endswith(".yaml")}
        data = {Path(f).stem: Path(f) for f in snakemake.input.data}
        folder = snakemake.params.folder
        results, samples = evaluate(folder, tasks, data, snakemake.params.settings)
        results["model_files"] = hashes(folder)
        write_jsonl(snakemake.output.samples, samples)
        write_json(snakemake.output.results, results)
