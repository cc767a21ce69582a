"""What a search takes and gains: `python performance/search.py results/toy`, after `make toy`.

First, candidates a minute: ours, merged and asked in one process, beside what a user does today, who writes
each candidate with `mergekit-yaml` and starts `lm_eval` for it, on the same recipes and documents. Then five
searches with other seeds: what each winner gains over the fixed DARE-TIES that all set out from, on the
documents of the search and on those of the tables. All on a CPU; some minutes.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "workflow" / "scripts"))
MERGE, SEEDS, BY_HAND = "evolved_dare_ties", range(5), 3


def setup(results: Path) -> dict:
    """The parameters of the rule `search`, from what the study wrote down."""
    config = yaml.safe_load((results / "study.yaml").read_text(encoding="utf-8"))["config"]
    merge = config["merges"][MERGE]
    suites: dict[str, dict] = {}
    for file in sorted((results / "search_data" / MERGE).glob("*/*")):
        suite = suites.setdefault(file.parent.name, {"tasks": []})
        suite["folder"] = config["benchmarks"][file.parent.name]["folder"]
        suite["tasks"].append(file.name)
    return {
        "recipe": merge["recipe"],
        "adds_base": True,
        "search": merge["search"],
        "suites": suites,
        "folders": {name: str(results / "models" / name) for name in config["models"]},
        "merge_seed": merge["seed"],
        "merging": {k: v for k, v in config["merging"].items() if k != "same_below"},
        "benchmarking": config["benchmarking"],
        "scoring": "",
    }


def files(results: Path, kind: str) -> list[str]:
    """The search's documents, or those of the tables (`benchmark_data`) of the same tasks."""
    root = results / "search_data" / MERGE
    return [
        str((root if kind == "search_data" else results / kind) / file.relative_to(root))
        for file in sorted(root.rglob("*.jsonl"))
    ]


def searched(results: Path, params: dict, seed: int, journal: str) -> tuple[list[dict], dict]:
    """The history of a search, and the seconds that it took: in all, for merging and for asking."""
    from search import run

    began = time.perf_counter()
    canonical = params["folders"]["generalist"]
    history = run({**params, "journal": journal}, files(results, "search_data"), canonical, seed, 0)
    whole = time.perf_counter() - began
    answers = [
        json.loads(line)["answer"]
        for line in Path(journal, "0.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    parts = {key: sum(answer["seconds"][key] for answer in answers) for key in ("merge", "evaluation")}
    return history, {"whole": whole, **parts}


def by_hand(results: Path, params: dict, history: list[dict], folder: Path) -> float:
    """Seconds for each candidate that is written and asked with the commands of MergeKit and lm-eval."""
    from lexmerge.merges.recipes import with_paths

    definitions = folder / "tasks"
    for given in params["suites"].values():
        for source in Path(given["folder"]).iterdir():
            if source.is_file():
                definitions.mkdir(exist_ok=True)
                text = source.read_bytes()
                (definitions / source.name).write_bytes(text)
    data = {
        Path(f).parent.name: Path(f).resolve()
        for f in files(results, "search_data")
        if f.endswith("test.jsonl")
    }
    for task, file in data.items():
        definition = definitions / f"{task}.yaml"
        text = definition.read_text(encoding="utf-8").replace("dataset_path: json\n", "")
        kwargs = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {file}, train: {file}}}}}\n"
        definition.write_text(text + kwargs, encoding="utf-8")
    programs, taken = Path(sys.executable).parent, []
    for number, row in enumerate(history[:BY_HAND]):
        began, out = time.perf_counter(), folder / f"candidate{number}"
        written = folder / f"recipe{number}.yaml"
        written.write_text(yaml.safe_dump(with_paths(row["recipe"], params["folders"].__getitem__)))
        merge = [programs / "mergekit-yaml", written, out, "--random-seed", str(params["merge_seed"])]
        ask = [
            *(programs / "lm_eval", "--model", "hf", "--model_args", f"pretrained={out},dtype=float32"),
            *(
                "--tasks",
                ",".join(data),
                "--include_path",
                definitions,
                "--device",
                "cpu",
                "--batch_size",
                "16",
            ),
            *("--output_path", folder / f"results{number}"),
        ]
        for command in (merge, ask):
            done = subprocess.run(
                command, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"}
            )
            if done.returncode:
                sys.exit(done.stderr[-2000:])
        taken.append(time.perf_counter() - began)
        report = next((folder / f"results{number}").rglob("results*.json"))
        values = json.loads(report.read_text(encoding="utf-8"))["results"]
        print({task: (values[task]["acc,none"], row["scores"][task]["acc"]) for task in data}, "theirs, ours")
    return statistics.mean(taken)


def gained(results: Path, params: dict, histories: dict[int, list[dict]]) -> None:
    from lexmerge.merges.recipes import with_paths
    from lexmerge.search.history import best
    from lexmerge.search.objective import candidates, data_by_suite, reported_suites
    from search_scores import gains, parts_of, scores_of

    suites = reported_suites(
        params["suites"], data_by_suite(files(results, "benchmark_data")), dict.fromkeys(params["suites"])
    )
    start = histories[0][0]
    placed = {
        seed: with_paths(best(h)["recipe"], params["folders"].__getitem__) for seed, h in histories.items()
    }
    first = with_paths(start["recipe"], params["folders"].__getitem__)
    asked = candidates(first, suites, params["folders"]["generalist"], params)
    of_start, objectives = scores_of(asked, first), parts_of(params["search"]["objectives"])
    print(f"\nfixed DARE-TIES: {start['score'][0]:.3f} in the search, {of_start[0]['score'][0]:.3f} held out")
    print("| seed | gain in the search | gain held out | 95 % interval |\n|---|---|---|---|")
    every = []
    for seed, recipe in placed.items():
        [held_out] = gains(suites, objectives, of_start, scores_of(asked, recipe), 0)
        every.append((best(histories[seed])["score"][0] - start["score"][0], held_out["gain"]))
        interval = f"{held_out['ci_low']:+.3f} to {held_out['ci_high']:+.3f}"
        print(f"| {seed} | {every[-1][0]:+.3f} | {every[-1][1]:+.3f} | {interval} |")
    means = [statistics.mean(column) for column in zip(*every, strict=True)]
    print(f"| mean | {means[0]:+.3f} | {means[1]:+.3f} | |")


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    results = Path(sys.argv[1])
    params, histories, taken = setup(results), {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            histories[seed], taken[seed] = searched(results, params, seed, f"{folder}/{seed}")
        theirs = by_hand(results, params, histories[0], Path(folder))
    count, whole = sum(map(len, histories.values())), sum(t["whole"] for t in taken.values())
    merge, evaluation = (sum(t[key] for t in taken.values()) for key in ("merge", "evaluation"))
    print(f"\nours: {60 * count / whole:.1f} candidates a minute, {whole / count:.2f} s each")
    rest = 1 - (merge + evaluation) / whole
    print(f"  merging {merge / whole:.0%}, asking {evaluation / whole:.0%}, all else {rest:.0%}")
    print(f"written to disk and asked by command: {60 / theirs:.1f} a minute, {theirs:.1f} s each")
    print(f"ratio {theirs * count / whole:.0f}")
    gained(results, params, histories)
