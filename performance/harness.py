"""What the nine columns take: `python performance/harness.py results/toy [MODEL]`, after `make toy`.

Ours is one process for all three suites, each task's outcome kept before the next, as the rule `benchmarks`
does it for each. Beside it, one `lm_eval` command for each of the 17 tasks, as a user would run them today on
the same YAML and documents, with `--include_path`; and the 17 tasks in one command. All on a CPU.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[1]
SCRIPTS = PROJECT / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))
SUITES = {
    "pubmedqa": ["pubmedqa"],
    "japanese_leaderboard": ["jaqket_v2", "jcommonsenseqa", "jsquad", "xwinograd", "xlsum"],
    "jmedbench": ["jmedbench_mcqa", "jmedbench_dc", "jmedbench_sts"],
}
SETTINGS = {
    "backend": "hf",
    "batch_size": 16,
    "chat_template": False,
    "device": "cpu",
    "dtype": "float32",
    "max_length": 2048,
    "share_prefix": True,
}


def data_of(results: Path, suite: str) -> dict[str, dict[str, Path]]:
    """The documents of the toy study, by task and split."""
    return {
        task.name: {split.stem: split for split in sorted(task.iterdir()) if split.stat().st_size}
        for task in sorted((results / "benchmark_data" / suite).iterdir())
    }


def ours(results: Path, model: Path, kept: Path) -> dict[str, float]:
    """Every task's first metric, as the workflow computes it."""
    from benchmarks import evaluate, starter
    from lexmerge.benchmarks.suites import load_suite

    found, start, running = {}, starter(str(model), SETTINGS, {"threads": os.cpu_count()}), {}

    def once(backend: str) -> object:
        if backend not in running:
            running[backend] = start(backend)
        return running[backend]

    for suite, names in SUITES.items():
        loaded = load_suite(names, str(PROJECT / "resources/benchmarks" / suite), data_of(results, suite))
        scored, _ = evaluate(loaded, str(model), SETTINGS, "", kept, once)
        found |= {task: first(values) for task, values in scored["results"].items()}
    return found


def first(values: dict) -> float | None:
    return next(v for k, v in values.items() if "," in k and not k.split(",")[0].endswith("_stderr"))


def with_data(folder: Path, results: Path) -> None:
    """The pack with the documents' places written into its YAML, as a user would have to do it."""
    for suite in SUITES:
        for task, files in data_of(results, suite).items():
            source = PROJECT / "resources/benchmarks" / suite / f"{task}.yaml"
            places = {"data_files": {split: str(file.resolve()) for split, file in files.items()}}
            (folder / suite).mkdir(exist_ok=True)
            text = source.read_text(encoding="utf-8") + "\n" + yaml.safe_dump({"dataset_kwargs": places})
            (folder / suite / source.name).write_text(text, encoding="utf-8")
        for other in (PROJECT / "resources/benchmarks" / suite).iterdir():
            if other.is_file() and not (folder / suite / other.name).exists():
                (folder / suite / other.name).write_bytes(other.read_bytes())


def command(tasks: list[str], model: Path, folder: Path, output: Path) -> dict[str, float]:
    """`lm_eval` in a process of its own."""
    arguments = [
        *(sys.executable, "-m", "lm_eval", "--model", "hf", "--device", "cpu", "--batch_size", "16"),
        *("--model_args", f"pretrained={model},dtype=float32,softmax_dtype=float32,max_length=2048"),
        *("--include_path", str(folder), "--tasks", ",".join(tasks), "--output_path", str(output)),
        *("--log_samples",),
    ]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    (file,) = output.rglob("results_*.json")
    results = json.loads(file.read_text(encoding="utf-8"))["results"]
    return {task: first(results[task]) for task in tasks}


if __name__ == "__main__":
    results = Path(sys.argv[1] if len(sys.argv) > 1 else "results/toy").resolve()
    model = results / "models" / (sys.argv[2] if len(sys.argv) > 2 else "generalist")
    if os.environ.get("HARNESS_OURS"):
        print(json.dumps(ours(results, model, Path(os.environ["HARNESS_OURS"]))))
        sys.exit()
    tasks = [task for suite in SUITES for task in data_of(results, suite)]
    with tempfile.TemporaryDirectory() as place:
        folder, times = Path(place), {}
        began = time.perf_counter()
        environment = os.environ | {"HARNESS_OURS": str(folder / "kept"), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:]],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        times["ours, one process"] = time.perf_counter() - began
        mine = json.loads(done.stdout.splitlines()[-1])
        (folder / "tasks").mkdir()
        with_data(folder / "tasks", results)
        began = time.perf_counter()
        together = command(tasks, model, folder / "tasks", folder / "together")
        times["lm_eval, one command for all"] = time.perf_counter() - began
        began, apart = time.perf_counter(), {}
        for task in tasks:
            apart |= command([task], model, folder / "tasks", folder / task)
        times[f"lm_eval, {len(tasks)} commands"] = time.perf_counter() - began
    print(f"{len(tasks)} tasks; the same numbers: {mine == together == apart}\n")
    print("| way | seconds | ratio |\n|---|---|---|")
    for way, seconds in times.items():
        print(f"| {way} | {seconds:.0f} | {seconds / times['ours, one process']:.1f} |")
