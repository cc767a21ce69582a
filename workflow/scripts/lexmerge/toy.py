"""The toy study's texts: what its models are taught and what its benchmarks ask, all from one glossary.

The toy benchmarks ask what the toy models were taught. They exercise every task type and metric of the
paper and show what a merge forgets; they say nothing about any real model.
"""

from collections.abc import Callable
from pathlib import Path

import yaml
from jinja2 import Environment, StrictUndefined

DOCUMENTS = 30  # of each toy task


def taught_terms(glossary: list[dict], domain: str) -> list[dict]:
    return [row for row in glossary if row["domain"] == domain]


def documents(task: str, glossary: list[dict]) -> list[tuple[dict, str]]:
    """The documents of a toy task in the form of the real data set, each with its right answer."""
    return [MAKERS[task](i, _rows(task, glossary)) for i in range(DOCUMENTS)]


def ask(task_file: Path, document: dict, answer: str) -> tuple[str, str]:
    """A document as the benchmark asks it, by the task's own template, and the answer with its delimiter."""
    task = _task(task_file)
    template = Environment(undefined=StrictUndefined).from_string(task["doc_to_text"])
    return template.render(document), task.get("target_delimiter", " ") + answer


def _rows(task: str, glossary: list[dict]) -> list[dict]:
    return taught_terms(glossary, "everyday" if task in EVERYDAY else "medical")


def _jaqket_v2(i: int, rows: list[dict]) -> tuple[dict, str]:
    word, other = rows[i], rows[i + 7]
    passages = [f"{row['translation']}は{row['definition_ja']}。" for row in (word, other)]
    return {
        "ctxs": {"text": passages if i % 2 else passages[::-1]},
        "question": f"{word['definition_ja']}は何という？",
        "answers": {"text": [word["translation"]]},
    }, word["translation"]


def _jcommonsenseqa(i: int, rows: list[dict]) -> tuple[dict, str]:
    label = i % 5
    choices = [rows[(i + 9 * k) % len(rows)]["translation"] for k in range(1, 5)]
    choices.insert(label, rows[i]["translation"])
    named = {f"choice{k}": choice for k, choice in enumerate(choices)}
    return {"question": f"{rows[i]['definition_ja']}はどれ？", **named, "label": label}, choices[label]


def _jsquad(i: int, rows: list[dict]) -> tuple[dict, str]:
    word = rows[i]
    return {
        "context": f"{word['translation']}とは、{word['definition_ja']}のことである。",
        "question": f"{word['definition_ja']}とは何のことか。",
        "answers": {"text": [word["translation"]]},
    }, word["translation"]


def _xwinograd(i: int, rows: list[dict]) -> tuple[dict, str]:
    right, wrong = (
        f"{rows[i]['translation']}は{row['definition_ja']}だ。"
        for row in (rows[i], rows[(i + 11) % len(rows)])
    )
    first = i % 2 == 0
    return {
        "sentence1": right if first else wrong,
        "sentence2": wrong if first else right,
        "answer": 1 if first else 2,
    }, right


def _xlsum(i: int, rows: list[dict]) -> tuple[dict, str]:
    word = rows[i]
    name, definition = word["translation"], word["definition_ja"]
    text = f"きょうの言葉は{name}です。{name}は{definition}です。"
    return {"text": text, "summary": definition}, definition


def _pubmedqa(i: int, rows: list[dict]) -> tuple[dict, str]:
    decision = ("yes", "no", "maybe")[i % 3]
    asked = rows[i] if decision != "maybe" else rows[(i + 5) % len(rows)]
    said = asked["definition_en"] if decision != "no" else rows[(i + 5) % len(rows)]["definition_en"]
    return {
        "QUESTION": f"Is {asked['term']} {said}?",
        "CONTEXTS": [f"{rows[i]['term'].capitalize()} is {rows[i]['definition_en']}."],
        "final_decision": decision,
    }, decision


def _jmedbench_mcqa(i: int, rows: list[dict]) -> tuple[dict, str]:
    answer = i % 4
    options = [rows[(i + 13 * k) % len(rows)]["definition_ja"] for k in range(1, 4)]
    options.insert(answer, rows[i]["definition_ja"])
    question = f"{rows[i]['translation']}とは何か。"
    return {"question": question, "options": options, "answer_idx": answer}, options[answer]


def _jmedbench_dc(i: int, rows: list[dict]) -> tuple[dict, str]:
    kinds = {"disorder": "病気", "finding": "症状", "procedure": "処置"}
    of_kind = [[row for row in rows if row["semantic_tag"] == kind] for kind in kinds]
    row = of_kind[i % 3][i // 3 % min(map(len, of_kind))]
    options = list(kinds.values())
    return {
        "context": f"記録に{row['translation']}とある。{row['definition_ja']}。",
        "question": "この記録は何についてか。",
        "options": options,
        "answer_idx": i % 3,
    }, options[i % 3]


def _jmedbench_sts(i: int, rows: list[dict]) -> tuple[dict, str]:
    premise = rows[i]["definition_ja"]
    hypothesis = rows[i + (0, 1, 30)[i % 3]]["definition_ja"]
    label = round(5 * _overlap(premise, hypothesis))
    return {"premise": premise, "hypothesis": hypothesis, "label": label}, str(label)


def _overlap(one: str, other: str) -> float:
    """Dice's coefficient over pairs of characters, 0 to 1."""
    pairs = [{text[k : k + 2] for k in range(len(text) - 1)} for text in (one, other)]
    return 2 * len(pairs[0] & pairs[1]) / (len(pairs[0]) + len(pairs[1]))


MAKERS: dict[str, Callable[[int, list[dict]], tuple[dict, str]]] = {
    "pubmedqa": _pubmedqa,
    "jaqket_v2": _jaqket_v2,
    "jcommonsenseqa": _jcommonsenseqa,
    "jsquad": _jsquad,
    "xwinograd": _xwinograd,
    "xlsum": _xlsum,
    "jmedbench_mcqa": _jmedbench_mcqa,
    "jmedbench_dc": _jmedbench_dc,
    "jmedbench_sts": _jmedbench_sts,
}
EVERYDAY = ("jaqket_v2", "jcommonsenseqa", "jsquad", "xwinograd", "xlsum")


class _TaskLoader(yaml.SafeLoader):
    """lm-eval's YAML, of which only the template is wanted here: `!function` stays a name."""


_TaskLoader.add_constructor("!function", lambda loader, node: node.value)


def _task(path: Path) -> dict:
    return yaml.load(path.read_text(encoding="utf-8"), _TaskLoader)
