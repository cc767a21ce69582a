"""ROUGE-L F-measure (Lin 2004) over words, and over characters in scripts without spaces."""

import re

from lexmerge.judgements.lexical_judge import LexicalJudge, Measure


class Words:
    """A tokenizer into lower-case words; each kana and Chinese character is a word."""

    PATTERN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")

    def tokenize(self, text: str) -> list[str]:
        """Split a text into words; the method that `rouge_score` calls."""
        return self.PATTERN.findall(text.lower())


def measure() -> tuple[Measure, str]:
    """Make ROUGE-L with the tokenizer above, and its signature; see `LexicalJudge.measure`."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=Words())

    def overlap(definition: str, gold: str) -> float:
        fmeasure: float = scorer.score(gold, definition)["rougeL"].fmeasure
        return fmeasure

    return overlap, "ROUGE-L|tok:words+cjk-characters|rouge_score"


REGISTERED = LexicalJudge(measure)
