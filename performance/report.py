"""The report at the paper's size: `python performance/report.py results/toy DATA`.

A finished study's page is written again with 1,782 terms, and with what eight models and two judges would say
of them: text of no sense, drawn letter by letter after PubMedQA and JCommonsenseQA from DATA (the folder
that docs/paper.md calls `data`), as long as definitions and reasons are, and as hard to compress as real
text. Once no two pieces are alike; once half of what a model writes about a term is what another wrote too.
Prints the size of the page, and in Debian's chromium the time to first paint, until the terms are there, and
of a filter.
"""

import json
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from explorer_page import FILTER_TIMES, with_terms
from lexmerge.definitions.flags import FLAGS
from lexmerge.report.page_data import integrity, one_script, packed

PROJECT = Path(__file__).parents[1]
TERMS, MODELS, JUDGES = 1782, 8, 2
JAPANESE, ENGLISH, REASON = 230, 480, 190  # letters of a definition and of a judge's reason
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def real_texts(data: Path) -> tuple[str, str]:
    """English and Japanese ones."""
    asked = json.loads((data / "pubmedqa/ori_pqal.json").read_text(encoding="utf-8"))
    english = " ".join(text for row in asked.values() for text in row["CONTEXTS"])
    file = next(data.rglob("jcommonsenseqa-train*.json*"))
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    japanese = "".join(row["question"] + row[f"choice{row['label']}"] + "。" for row in rows)
    return english, japanese


class Babble:
    """Text that was never written, and takes about as much space as real text: a chain of letters."""

    def __init__(self, text: str, order: int):
        self.order, self.after = order, {}
        for i in range(len(text) - order):
            self.after.setdefault(text[i : i + order], []).append(text[i + order])
        self.starts = list(self.after)

    def text(self, rng: random.Random, length: int) -> str:
        """About so many letters, give or take a third."""
        wanted = max(20, int(rng.gauss(length, length / 3)))
        made = list(rng.choice(self.starts))
        while len(made) < wanted:
            made.append(rng.choice(self.after.get("".join(made[-self.order :])) or [" "]))
        return "".join(made)


def terms(english: Babble, japanese: Babble, alike: bool) -> list[list]:
    rng = random.Random(1)
    rows = []
    for number in range(TERMS):
        answers = []
        for model in range(MODELS):
            said = english.text(rng, ENGLISH) if model == 0 else japanese.text(rng, JAPANESE)
            judged = [[rng.randint(0, 10), english.text(rng, REASON)] for _ in range(JUDGES)]
            if alike and model > 1:
                said = half(answers[-1][0], said)
                judged = [
                    [cell[0], half(old[1], cell[1])] for cell, old in zip(judged, answers[-1][2], strict=True)
                ]
            answers.append([said, rng.randrange(1 << len(FLAGS)) if number % 9 == 0 else 0, judged])
        tag = rng.choice(["disorder", "finding", "procedure"])
        word = japanese.text(rng, 20)[:5]
        rows.append(
            [f"term{number}", word, tag, str(10**6 + number), str(number % 2), "NN", None, answers, []]
        )
    return rows


def half(one: str, other: str) -> str:
    """A text that begins as one and ends as the other."""
    return one[: len(one) // 2] + other[len(other) // 2 :]


def page(study: Path, rows: list[list]) -> str:
    """The study's own page with other terms in it."""
    whole = (study / "report/index.html").read_text(encoding="utf-8")
    parts = [PROJECT / "workflow/report" / name for name in ("vendor/fzstd.js", "explorer.js")]
    script = one_script([part.read_text(encoding="utf-8") for part in parts])
    assert integrity(script) in whole, "the study's page was made by another version"
    models, judges = ([f"{kind}_{k}" for k in range(n)] for kind, n in (("model", MODELS), ("judge", JUDGES)))
    return with_terms(whole, rows, models, judges)


def times(file: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        paints, ready = [], []
        for _ in range(5):
            view = browser.new_page()
            view.goto(file.resolve().as_uri())
            view.wait_for_selector("[data-explorer=ready]", state="attached")
            ready.append(view.evaluate("performance.now()"))
            paints.append(view.evaluate(FIRST_PAINT))
        view.wait_for_timeout(1500)
        view.check("#f-within")
        took = view.evaluate(FILTER_TIMES, ["a", "ab", "心", "zz", "ing", "する", "the", ""])
        browser.close()
    print(f"first paint {statistics.median(paints):.0f} ms, terms there {statistics.median(ready):.0f} ms")
    print(f"a filter: {statistics.median(took):.0f} ms, at worst {max(took):.0f} ms")


if __name__ == "__main__":
    study, data = Path(sys.argv[1]), Path(sys.argv[2])
    texts = real_texts(data)
    chains = [Babble(text, order) for text, order in zip(texts, (5, 2), strict=True)]
    for name, text, chain in zip(("English", "Japanese"), texts, chains, strict=True):
        drawn = chain.text(random.Random(2), len(text))[: len(text)]
        sizes = [len(packed(piece)) * 6 / len(piece) for piece in (text, drawn)]
        print(f"{name}: {sizes[0]:.2f} bits a letter, drawn {sizes[1]:.2f}")
    file = study / "report/paper_size.html"
    for alike in (False, True):
        began = time.perf_counter()
        file.write_text(page(study, terms(*chains, alike)), encoding="utf-8")
        print(f"{TERMS} terms, {MODELS} models, {'half' if alike else 'nothing'} alike: ", end="")
        print(f"{file.stat().st_size / 1e6:.2f} MB, written in {time.perf_counter() - began:.0f} s")
    times(file)
    file.unlink()
