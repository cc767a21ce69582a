"""ROUGE-L F-measure (Lin 2004) over words, and over characters in scripts without spaces."""

import re

from lexmerge.judgements.lexical_judge import LexicalJudge, Measure


class Words:
    """Words in lower case; each kana and Chinese character is a word of its own."""

    PATTERN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")

    def tokenize(self, text: str) -> list[str]:
        """Split a text into words, as `rouge_score` asks of a tokenizer."""
        return self.PATTERN.findall(text.lower())


def measure() -> tuple[Measure, str]:
    """Make ROUGE-L with our tokenizer, and its signature."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=Words())

    def overlap(definition: str, gold: str) -> float:
        return scorer.score(gold, definition)["rougeL"].fmeasure

    return overlap, "ROUGE-L|tok:words+cjk-characters|rouge_score"


REGISTERED = LexicalJudge("word sequence overlap with a known right text, without a model", measure)
