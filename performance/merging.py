"""What our merge costs beside MergeKit's own command: `python performance/merging.py [METHOD ...]`.

Three random Llamas of about 0.5 billion parameters are merged by each method, in float32, by our script and
by `mergekit-yaml` on the same recipe, and the merge is copied for comparison. Each runs in a process of its
own; wall seconds, peak memory, and whether the weights are the same bits.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from lexmerge.common.files import hashes, write_json  # noqa: E402

SIZES = {
    **{"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 16, "vocab_size": 128256},
    **{"num_attention_heads": 16, "num_key_value_heads": 4, "tie_word_embeddings": False},
}
PARENT = """
import sys, torch
from transformers import LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(**{sizes}))
torch.manual_seed(int(sys.argv[2]))
for parameter in model.parameters():
    parameter.data += 2e-4 * torch.randn_like(parameter) * int(sys.argv[2])
model.to(torch.bfloat16).save_pretrained(sys.argv[1])
"""
OURS = """
import sys
sys.path.insert(0, {scripts!r})
from lexmerge.merges.merge import merge
settings = {{"device": "cpu", "threads": 2, "shard_size": 5_000_000_000, "low_cpu_memory": False}}
merge(sys.argv[1], sys.argv[2], sys.argv[3], 7, settings)
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory, in GB, of a command."""
    began = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(running.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - began, usage.ru_maxrss / 2**20


def recipe(method: str, parents: dict[str, str]) -> dict:
    of_model = {"weight": 0.5} | ({"density": 0.5} if method in ("ties", "dare_ties") else {})
    entries = [{"model": parents[n], "parameters": {} if method == "slerp" else of_model} for n in ("a", "b")]
    return {
        "merge_method": method,
        "base_model": parents["a"] if method in ("slerp", "linear") else parents["base"],
        "models": entries,
        "parameters": {"t": 0.5} if method == "slerp" else {},
        "dtype": "float32",
        "out_dtype": "bfloat16",
    }


def compare(methods: list[str], place: Path) -> list[dict]:
    parents = {name: str(place / name) for name in ("base", "a", "b")}
    for seed, folder in enumerate(parents.values()):
        subprocess.run([sys.executable, "-c", PARENT.format(sizes=SIZES), folder, str(seed)], check=True)
        files = hashes(folder)
        write_json(Path(folder) / "provenance.json", {"files": files})  # as every model of a study has it
    rows = []
    for method in methods:
        written = place / "recipe.yaml"
        written.write_text(yaml.safe_dump(recipe(method, parents), sort_keys=False))
        ours, theirs, copied = (place / name for name in ("ours", "theirs", "copied"))
        yours = [str(Path(sys.executable).parent / "mergekit-yaml"), str(written), str(theirs)]
        theirs_s, theirs_gb = timed([*yours, "--random-seed", "7", "--num-threads", "2"])
        ours_s, ours_gb = timed(
            [sys.executable, "-c", OURS.format(scripts=str(SCRIPTS)), str(written), str(ours), parents["a"]]
        )
        copy_s, _ = timed(["cp", "-r", str(ours), str(copied)])
        files = sorted(f.name for f in ours.glob("*.safetensors"))
        same = all((ours / f).read_bytes() == (theirs / f).read_bytes() for f in files)
        rows.append(
            {
                "method": method,
                "ours, s": round(ours_s, 1),
                "mergekit-yaml, s": round(theirs_s, 1),
                "ratio": round(ours_s / theirs_s, 2),
                "copy, s": round(copy_s, 1),
                "ours, GB": round(ours_gb, 2),
                "mergekit-yaml, GB": round(theirs_gb, 2),
                "same bits": same,
            }
        )
        print(rows[-1], flush=True)
        for folder in (ours, theirs, copied):
            subprocess.run(["rm", "-rf", str(folder)], check=True)
    return rows


if __name__ == "__main__":
    chosen = sys.argv[1:] or ["linear", "slerp", "task_arithmetic", "ties", "dare_ties"]
    with tempfile.TemporaryDirectory() as folder:
        print(pd.DataFrame(compare(chosen, Path(folder))).to_markdown(index=False))
