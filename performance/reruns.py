"""How many jobs of a finished study an edit of the code makes again.

    python performance/reruns.py FOLDER

FOLDER is a checkout in which the toy study is finished; it is not changed. Each edit is made in a copy of it,
and `snakemake -n` counts the jobs. Then come the mean number of our modules that a script depends on, and the
lines of each package.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean

LIBRARY = Path("workflow/scripts/lexmerge")
# What is edited, by a text that stands in one file of the library, and its replacement.
EDITS = {
    "a reworded check": ("drop one of them", "remove one of the two"),
    "a new check": (
        "def _number_faults(",
        "def _new_check(config):\n    yield from ()\n\n\ndef _number_faults(",
    ),
    "a changed bound of a check": ('"density": (0, 1),', '"density": (0.01, 1),'),
    "a changed lexical judge (ROUGE)": ('["rougeL"]', '["rougeL", "rouge1"]'),
    "a changed client of a provider (Gemini)": ('.com", "v1"', '.com", "v1beta"'),
    "a changed statistic (verdicts)": ("POWER = 0.05, 0.8", "POWER = 0.05, 0.9"),
    "a changed engine (transformers)": ("READ_AT_ONCE = 2048", "READ_AT_ONCE = 1024"),
}


def edited(folder: Path, old: str, new: str) -> None:
    """Replace a text in the first file of the library that has it."""
    for file in sorted((folder / LIBRARY).rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if old in text:
            file.write_text(text.replace(old, new, 1), encoding="utf-8")
            return
    raise SystemExit(f"no file of the library has {old!r}")


def fewer_merges(folder: Path) -> None:
    """Select one merge of the toy study."""
    config = folder / "config/config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"merges: \[slerp[^\]]*\]", "merges: [slerp]", text, count=1), encoding="utf-8")


def unread_file(folder: Path) -> None:
    """Add a file to a folder of task definitions that no task reads."""
    (folder / "resources/benchmarks/jmedbench/notes.txt").write_text("read by nobody\n", encoding="utf-8")


def planned(study: Path, change: Callable[[Path], None]) -> int:
    """The jobs that Snakemake plans after a change."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "lexmerge"
        shutil.copytree(study, folder, symlinks=True, ignore=shutil.ignore_patterns(".venv*", ".git"))
        change(folder)
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "-n"], cwd=folder, capture_output=True, text=True
        )
    total = re.search(r"^total +(\d+)$", done.stdout, re.M)
    if done.returncode or not (total or "Nothing to be done" in done.stdout + done.stderr):
        raise SystemExit(done.stdout + done.stderr)
    return int(total[1]) if total else 0


def imported(file: Path, scripts: Path) -> set[Path]:
    """Our modules that a file imports itself."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = (scripts.joinpath(*name.split(".")).with_suffix(".py") for name in names)
    return {path for path in files if path.is_file()}


def depends_on(script: Path, scripts: Path) -> set[Path]:
    """Our modules that a script imports, directly or not."""
    found, todo = set(), [script]
    while todo:
        more = imported(todo.pop(), scripts) - found
        found |= more
        todo += more
    return found


if __name__ == "__main__":
    study = Path(sys.argv[1])
    changes = {name: (lambda folder, pair=pair: edited(folder, *pair)) for name, pair in EDITS.items()}
    changes |= {"one merge selected of six": fewer_merges, "a file that no task reads": unread_file}
    print("| edit | jobs planned |\n|---|--:|")
    for name, change in {"nothing": lambda folder: None, **changes}.items():
        print(f"| {name} | {planned(study, change)} |", flush=True)
    scripts = study / "workflow/scripts"
    counts = [len(depends_on(script, scripts)) for script in scripts.glob("*.py")]
    lines = Counter()
    for file in (study / LIBRARY).rglob("*.py"):
        lines[file.relative_to(study / LIBRARY).parts[0]] += len(
            file.read_text(encoding="utf-8").splitlines()
        )
    sizes = {
        p: len(p.read_text().splitlines())
        for p in (study / "workflow").rglob("*")
        if p.suffix in (".py", ".smk")
    }
    largest = max(sizes, key=sizes.get)
    print(f"\nmean number of our modules that a script depends on: {mean(counts):.1f}")
    print(f"largest file: {largest.relative_to(study)}, {sizes[largest]} lines")
    print(
        "lines: " + ", ".join(f"{name} {n}" for name, n in sorted(lines.items()) if not name.endswith(".py"))
    )
