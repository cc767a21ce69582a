"""How fast models are asked: `python performance/generation.py [ROUNDS]`, in `.venv-vllm` for all rows.

A random Llama of about 28 million parameters answers 200 prompts of 30 to 150 tokens, greedy, in float32,
with at most 64 new tokens: once without end tokens, and once with so many that answers end anywhere. Each
engine runs in a process of its own, all of them in turn, and the median of the rounds counts: tokens a
second once the model is loaded, and the seconds from the start of Python until then. All must give the same
tokens; where a few rows differ, two tokens were equally likely to the last bit.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

BEGAN = time.perf_counter()
SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

NEW, PROMPTS, VOCABULARY = 64, 200, 4096
ENGINES = ("one by one", "generate, 64", "ours, 64", "ours, 128", "ours, 200", "vllm, 200")
RANDOM = random.Random(0)
IDS = [[RANDOM.randrange(4, VOCABULARY) for _ in range(RANDOM.randint(30, 150))] for _ in range(PROMPTS)]
ENDS = {"equal lengths": [0], "uneven lengths": RANDOM.sample(range(4, VOCABULARY), 500)}


def make(folder: str) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=2,
        vocab_size=VOCABULARY,
        max_position_embeddings=512,
    )
    model = LlamaForCausalLM(config)
    model.lm_head.weight.data[0] = 0  # what is never the likeliest ends the answers of equal lengths
    model.save_pretrained(folder)


def plain(folder: str, rows: int):
    """`generate` of transformers, with prompts sorted by length."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder).eval()

    def answer(ids, ends):
        order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
        found = {}
        for first in range(0, len(ids), rows):
            batch = order[first : first + rows]
            longest = max(len(ids[i]) for i in batch)
            fill = [longest - len(ids[i]) for i in batch]
            output = model.generate(
                input_ids=torch.tensor([[0] * n + ids[i] for n, i in zip(fill, batch, strict=True)]),
                attention_mask=torch.tensor([[0] * n + [1] * (longest - n) for n in fill]),
                max_new_tokens=NEW,
                do_sample=False,
                eos_token_id=ends,
                pad_token_id=0,
            )
            for i, new in zip(batch, output[:, longest:].tolist(), strict=True):
                end = next((k + 1 for k, token in enumerate(new) if token in ends), len(new))
                found[i] = new[:end]
        return [found[i] for i in range(len(ids))]

    return answer


def contract(engine, rows: int):
    """One of our engines, with our batches."""
    from lexmerge.models.generation import Decoding, batches

    def answer(ids, ends):
        found = {}
        for batch in batches([len(row) for row in ids], rows, NEW):
            done = dict(engine.generate([ids[i] for i in batch], ends, Decoding(NEW)))
            found |= {i: done[k] for k, i in enumerate(batch)}
        return [found[i] for i in range(len(ids))]

    return answer


def load(name: str, folder: str):
    import torch

    torch.set_num_threads(2)
    kind, _, rows = name.partition(", ")
    if kind == "vllm":
        from lexmerge.models.vllm_engine import VllmEngine

        resources = {"gpu": 1, "gpu_memory_percent": 90, "max_model_len": 0}
        return contract(VllmEngine(folder, "float32", "cpu", 150 + NEW, int(rows), resources), int(rows))
    if kind == "ours":
        from lexmerge.models.transformers_engine import TransformersEngine

        return contract(TransformersEngine(folder, "float32", "cpu"), int(rows))
    return plain(folder, int(rows or 1))


def one(name: str, folder: str, work: str) -> None:
    """Run one engine and print what it took as a line of JSON."""
    answer = load(name, folder)
    answer(IDS[:2], ENDS[work])
    start = time.perf_counter() - BEGAN
    asked = IDS[::4] if name == "one by one" else IDS  # a quarter, since it is slow
    began = time.perf_counter()
    new = answer(asked, ENDS[work])
    seconds = time.perf_counter() - began
    print(json.dumps({"start": start, "rate": sum(map(len, new)) / seconds, "new": new}))


def measure(rounds: int) -> None:
    """Print a table for each kind of work."""
    engines = [name for name in ENGINES if find_spec("vllm") or not name.startswith("vllm")]
    with tempfile.TemporaryDirectory() as folder:
        make(folder)
        for work in ENDS:
            found: dict[str, list[dict]] = {name: [] for name in engines}
            for name in engines * rounds:
                command = [sys.executable, __file__, "--one", name, folder, work]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(done.stderr)
                found[name].append(json.loads(done.stdout.splitlines()[-1]))
            show(work, found)


def show(work: str, found: dict[str, list[dict]]) -> None:
    right = found["generate, 64"][0]["new"]
    lengths = sorted(map(len, right))
    print(f"\n{work}: {sum(lengths)} tokens; from {lengths[0]} to {lengths[-1]}, median {lengths[100]}")
    print("\n| engine, rows | tokens/s | of one by one | start, s | same rows |\n|---|---|---|---|---|")
    slow = statistics.median(run["rate"] for run in found["one by one"])
    for name, runs in found.items():
        rate, start = (statistics.median(run[key] for run in runs) for key in ("rate", "start"))
        expected = right[::4] if name == "one by one" else right
        same = sum(a == b for a, b in zip(runs[0]["new"], expected, strict=True))
        print(f"| {name} | {rate:.0f} | {rate / slow:.1f} | {start:.1f} | {same} of {len(expected)} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
