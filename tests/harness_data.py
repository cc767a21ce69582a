"""Data sets of LM Evaluation Harness's own tasks, a handful of documents each, in the hub's layout."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from servers.hub_server import hub

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
LOADED = [
    ("allenai/ai2_arc", "ARC-Easy"),
    ("allenai/ai2_arc", "ARC-Challenge"),
    *(("cais/wmdp", f"wmdp-{field}") for field in ("bio", "chem", "cyber")),
    ("EunsuKim/CLIcK", None),
    ("mandarjoshi/trivia_qa", "rc.nocontext"),
    ("allenai/winogrande", "winogrande_xl"),
]
KINDS = ["Economy", "Geography", "History", "Law", "Politics", "Popular", "Society", "Tradition"]


def write_data_sets(folder: Path) -> dict[str, Path]:
    """Write the data sets of the tags `ai2_arc`, the groups `wmdp` and `click`, and two tasks.

    Returns:
        The folder of each data set by its name on the hub.
    """
    splits = {"train": 9, "validation": 8, "test": 6}
    for config, shift in (("ARC-Easy", 0), ("ARC-Challenge", 5)):
        for split, count in splits.items():
            _write(folder / "allenai/ai2_arc", config, split, [_arc(n, shift, split) for n in range(count)])
    for number, field in enumerate(("bio", "chem", "cyber")):
        rows = [_wmdp(n, number) for n in range(4 + number)]
        _write(folder / "cais/wmdp", f"wmdp-{field}", "test", rows)
    names = [*(f"{kind}_{n}" for kind in KINDS for n in range(2)), *(f"CSAT_korean_23_{n}" for n in (1, 40))]
    names += ["CSAT_korean_20_15", "TK_3", "TK_9"]
    _write(folder / "EunsuKim/CLIcK", "default", "train", [_click(name, n) for n, name in enumerate(names)])
    for split, count in {"train": 3, "validation": 4}.items():
        rows = [_trivia(n, split) for n in range(count)]
        _write(folder / "mandarjoshi/trivia_qa", "rc.nocontext", split, rows)
    for split, count in {"train": 5, "validation": 4}.items():
        rows = [_winogrande(n, split) for n in range(count)]
        _write(folder / "allenai/winogrande", "winogrande_xl", split, rows)
    return {f"{found.parent.name}/{found.name}": found for found in sorted(folder.glob("*/*"))}


def fill_cache(home: Path, data_sets: dict[str, Path]) -> None:
    """Load all data sets into the Hugging Face cache below `home`, as a user does before going offline."""
    calls = "\n".join(f"load_dataset({path!r}, {name!r})" for path, name in LOADED)
    with hub({}, data_sets=data_sets) as server:
        command = [sys.executable, "-c", f"from datasets import load_dataset\n{calls}"]
        online = environment(home, HF_ENDPOINT=server.url)
        subprocess.run(command, env=online, check=True, capture_output=True)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process with its own Hugging Face cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return kept | {"HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"} | more


def _arc(number: int, shift: int, split: str) -> dict:
    options = [NUMBERS[(number + shift + k) % 12] for k in range(4)]
    choices = {"text": options, "label": list("ABCD")}
    question = f"In the {split} set, which number follows {NUMBERS[(number + shift) % 12]}?"
    return {
        "id": f"{split}{number}",
        "question": question,
        "choices": choices,
        "answerKey": "BADC"[number % 4],
    }


def _wmdp(number: int, field: int) -> dict:
    options = [f"{word} units of {field}" for word in NUMBERS[number : number + 4]]
    return {"question": f"What is dose {number}?", "choices": options, "answer": (number + field) % 4}


def _click(name: str, number: int) -> dict:
    options = [f"{word} {number}" for word in NUMBERS[:4]] + (["none"] if "CSAT" in name else [])
    text = {"id": name, "paragraph": "A text." if number % 2 else "", "question": f"What is {name}?"}
    return text | {"choices": options, "answer": options[number % 4]}


def _trivia(number: int, split: str) -> dict:
    answer = {"aliases": [NUMBERS[number], NUMBERS[number].title()], "value": NUMBERS[number]}
    return {"question": f"What comes after {number} in {split}", "question_id": str(number), "answer": answer}


def _winogrande(number: int, split: str) -> dict:
    sentence = f"In {split}, {NUMBERS[number]} is more than {NUMBERS[number + 1]}, since _ is the larger one."
    return {"sentence": sentence, "option1": NUMBERS[number], "option2": NUMBERS[number + 1], "answer": "2"}


def _write(folder: Path, config: str, split: str, rows: list[dict]) -> None:
    """Write a split as JSONL, and add it to the data set's card, which names the files of each config."""
    file = folder / config / f"{split}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    configs = [
        {
            "config_name": below.name,
            "data_files": [
                {"split": found.stem, "path": f"{below.name}/{found.name}"}
                for found in sorted(below.iterdir())
            ],
        }
        for below in sorted(path for path in folder.iterdir() if path.is_dir())
    ]
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': configs})}---\n", encoding="utf-8")
