"""The toy study's documents, made from the glossary that the toy models are trained on.

They exercise every task type and metric of the paper and show what a merge forgets; they say nothing about
any real model.
"""

from collections.abc import Callable

from lexmerge.benchmarks.rows import Document
from lexmerge.common.shipped import shipped

GLOSSARY = "resources/toy/glossary.tsv"
# The folders of the task definitions that the toy models are taught.
FOLDERS = [f"resources/benchmarks/{suite}" for suite in ("pubmedqa", "japanese_leaderboard", "jmedbench")]
DOCUMENTS = 30  # test documents of each toy task, or of all tasks that share a column
SOLVED = 8  # solved examples of each task
SEARCHED = 24  # documents of each task for searches alone

Row = dict[str, str]  # a row of the glossary
Answered = tuple[Document, str]  # a document in the form of the real data set, and the right answer


def taught_terms(glossary: list[Row], domain: str) -> list[Row]:
    """Select the rows of one domain.

    Args:
        glossary: The rows of the glossary.
        domain: `medical` or `everyday`.

    Returns:
        The rows of the domain, in order.
    """
    return [row for row in glossary if row["domain"] == domain]


def documents(task: str, glossary: list[Row]) -> list[Answered]:
    """Make the test documents of a toy task.

    Args:
        task: The task's name.
        glossary: The rows of the glossary.

    Returns:
        Each document with its right answer.
    """
    start, end = PARTS.get(task, (0, DOCUMENTS))
    return [MAKERS[task](i, _rows(task, glossary)) for i in range(start, end)]


def solved_documents(task: str, glossary: list[Row]) -> list[Answered]:
    """Make the solved examples of a toy task; see `documents` for the arguments."""
    return [MAKERS[task](i, _rows(task, glossary)) for i in range(DOCUMENTS, DOCUMENTS + SOLVED)]


def searched_documents(task: str, glossary: list[Row]) -> list[Answered]:
    """Make documents for a search, about other words than the test documents and the solved examples.

    Args:
        task: The task's name.
        glossary: The rows of the glossary.

    Returns:
        Each document with its right answer; fewer than SEARCHED, or none, if the glossary has too few words.
    """
    rows = _rows(task, glossary)
    found: list[Answered] = []
    for i in range(DOCUMENTS + SOLVED, DOCUMENTS + SOLVED + SEARCHED):
        try:
            found.append(MAKERS[task](i, rows))
        except IndexError:  # the end of the glossary
            break
    return found


def documents_of_split(task: str, split: str) -> list[Document]:
    """Make the documents of a toy task from the glossary.

    Args:
        task: The task's name.
        split: `test`, `train` for the solved examples, or `search`.

    Returns:
        The documents, in the form of the real data set.
    """
    from lexmerge.common.files import read_tsv

    make = {"test": documents, "train": solved_documents, "search": searched_documents}[split]
    glossary = [
        {str(key): value for key, value in row.items()}
        for row in read_tsv(shipped(GLOSSARY)).to_dict("records")
    ]
    return [document for document, _ in make(task, glossary)]


def _rows(task: str, glossary: list[Row]) -> list[Row]:
    """Select the rows of a task's domain."""
    return taught_terms(glossary, "everyday" if task in EVERYDAY else "medical")


def _jaqket_v2(i: int, rows: list[Row]) -> Answered:
    """Make a question with two passages, one of which has the answer."""
    word, other = rows[i], rows[i + 7]
    passages = [f"{row['translation']}は{row['definition_ja']}。" for row in (word, other)]
    return {
        "ctxs": {"text": passages if i % 2 else passages[::-1]},
        "question": f"{word['definition_ja']}は何という？",
        "answers": {"text": [word["translation"]]},
    }, word["translation"]


def _jcommonsenseqa(i: int, rows: list[Row]) -> Answered:
    """Make a definition with five words to choose from."""
    label = i % 5
    choices = [rows[(i + 9 * k) % len(rows)]["translation"] for k in range(1, 5)]
    choices.insert(label, rows[i]["translation"])
    named = {f"choice{k}": choice for k, choice in enumerate(choices)}
    return {"question": f"{rows[i]['definition_ja']}はどれ？", **named, "label": label}, choices[label]


def _jsquad(i: int, rows: list[Row]) -> Answered:
    """Make a question about a one-sentence context."""
    word = rows[i]
    return {
        "context": f"{word['translation']}とは、{word['definition_ja']}のことである。",
        "question": f"{word['definition_ja']}とは何のことか。",
        "answers": {"text": [word["translation"], f"{word['translation']}のこと"]},
    }, word["translation"]


def _xwinograd(i: int, rows: list[Row]) -> Answered:
    """Make a pair of a right and a wrong sentence."""
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


def _xlsum(i: int, rows: list[Row]) -> Answered:
    """Make a text with its one-sentence summary."""
    word = rows[i]
    name, definition = word["translation"], word["definition_ja"]
    text = f"きょうの言葉は{name}です。{name}は{definition}です。"
    return {"text": text, "summary": definition}, definition


def _pubmedqa(i: int, rows: list[Row]) -> Answered:
    """Make a yes/no/maybe question about an abstract."""
    decision = ("yes", "no", "maybe")[i % 3]
    asked = rows[i] if decision != "maybe" else rows[(i + 5) % len(rows)]
    said = asked["definition_en"] if decision != "no" else rows[(i + 5) % len(rows)]["definition_en"]
    return {
        "QUESTION": f"Is {asked['term']} {said}?",
        "CONTEXTS": [f"{rows[i]['term'].capitalize()} is {rows[i]['definition_en']}."],
        "final_decision": decision,
    }, decision


def _mcqa(i: int, rows: list[Row]) -> Answered:
    """Make a term with four definitions to choose from."""
    answer = i % 4
    options = [rows[(i + 13 * k) % len(rows)]["definition_ja"] for k in range(1, 4)]
    options.insert(answer, rows[i]["definition_ja"])
    question = f"{rows[i]['translation']}とは何か。"
    return {"question": question, "options": options, "answer_idx": answer}, options[answer]


def _abstract(i: int, rows: list[Row]) -> Answered:
    """Make a yes/no/maybe question about an abstract, in Japanese."""
    options = ["はい", "いいえ", "たぶん"]
    asked, said = (rows[i + 5] if i % 3 == part else rows[i] for part in (2, 1))
    return {
        "context": f"{rows[i]['translation']}とは、{rows[i]['definition_ja']}のことである。",
        "question": f"{asked['translation']}とは{said['definition_ja']}のことか。",
        "options": options,
        "answer_idx": i % 3,
    }, options[i % 3]


def _dc(i: int, rows: list[Row]) -> Answered:
    """Make a record to classify by its kind of term."""
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


def _sts(i: int, rows: list[Row]) -> Answered:
    """Make a pair of definitions with their similarity, 0 to 5."""
    premise = rows[i]["definition_ja"]
    hypothesis = rows[i + (0, 1, 30)[i % 3]]["definition_ja"]
    label = round(5 * _overlap(premise, hypothesis))
    return {"premise": premise, "hypothesis": hypothesis, "label": label}, str(label)


def _overlap(one: str, other: str) -> float:
    """Compute Dice's coefficient over character bigrams, 0 to 1."""
    pairs = [{text[k : k + 2] for k in range(len(text) - 1)} for text in (one, other)]
    return 2 * len(pairs[0] & pairs[1]) / (len(pairs[0]) + len(pairs[1]))


# The tasks that share a column of the table; PARTS has the range of its column's documents for each.
MCQA = ("medmcqa_jp", "usmleqa_jp", "medqa_jp", "mmlu_medical_jp", "jmmlu_medical", "igakuqa", "pubmedqa_jp")
DC = ("crade", "rrtnm", "smdis")
PARTS = {
    f"jmedbench_{name}": (DOCUMENTS * k // len(names), DOCUMENTS * (k + 1) // len(names))
    for names in (MCQA, DC)
    for k, name in enumerate(names)
}
MAKERS: dict[str, Callable[[int, list[Row]], Answered]] = {
    "pubmedqa": _pubmedqa,
    "jaqket_v2": _jaqket_v2,
    "jcommonsenseqa": _jcommonsenseqa,
    "jsquad": _jsquad,
    "xwinograd": _xwinograd,
    "xlsum": _xlsum,
    **{f"jmedbench_{name}": _abstract if name == "pubmedqa_jp" else _mcqa for name in MCQA},
    **{f"jmedbench_{name}": _dc for name in DC},
    "jmedbench_sts": _sts,
}
EVERYDAY = ("jaqket_v2", "jcommonsenseqa", "jsquad", "xwinograd", "xlsum")
