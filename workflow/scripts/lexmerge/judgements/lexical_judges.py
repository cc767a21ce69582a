"""Lexical judges: 0 to 10 for the overlap of a definition with a text that is known to be right.

They need no key, no network and no model, and they measure wording, not truth: good for the toy study and
for smoke tests, and labelled as lexical wherever they are shown.
"""

import re
from collections.abc import Callable

from lexmerge.common.languages import says_something

Measure = Callable[[str, str], float]  # (definition, gold) -> 0 to 1


def chrf() -> tuple[Measure, str]:
    """Character n-gram F-score (Popović 2015), as sacrebleu has it, and its signature."""
    from sacrebleu.metrics import CHRF

    metric = CHRF()

    def measure(definition: str, gold: str) -> float:
        return metric.sentence_score(definition, [gold]).score / 100

    measure("a", "a")  # the signature knows the number of references only after a score
    return measure, f"chrF2|{metric.get_signature()}"


def rouge() -> tuple[Measure, str]:
    """ROUGE-L F-measure (Lin 2004) over words, and over characters where a script has no spaces."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=Words())

    def measure(definition: str, gold: str) -> float:
        return scorer.score(gold, definition)["rougeL"].fmeasure

    return measure, "ROUGE-L|tok:words+cjk-characters|rouge_score"


JUDGES: dict[str, Callable[[], tuple[Measure, str]]] = {"chrf": chrf, "rouge": rouge}


class Words:
    """Words in lower case; each kana and Chinese character is a word of its own."""

    PATTERN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")

    def tokenize(self, text: str) -> list[str]:
        return self.PATTERN.findall(text.lower())


def judge(measure: Measure, definition: str, gold: str | None) -> tuple[int | None, str, str]:
    """A score, a status and a reason; what cannot be scored has no score, never a zero."""
    if not says_something(definition):
        return None, "empty_definition", "the model wrote nothing"
    if gold is None:
        return None, "no_reference", "no gold definition of this term in the language of the answer"
    overlap = measure(definition, gold)
    return int(10 * overlap + 0.5), "scored", f"{overlap:.3f} overlap with: {gold}"
