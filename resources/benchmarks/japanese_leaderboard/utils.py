"""ROUGE-2 for Japanese: rouge-score over the words that MeCab finds."""

from functools import cache


class Words:
    """A tokenizer for rouge-score; it wants `tokenize`."""

    def __init__(self):
        from fugashi import Tagger

        self.tagger = Tagger("-Owakati")

    def tokenize(self, text: str) -> list[str]:
        return self.tagger.parse(" ".join(text.split())).split()


@cache
def scorer():
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge2"], tokenizer=Words())


def rouge2(doc: dict, results: list[str]) -> dict[str, float]:
    """The F-measure, 0 to 1, of one summary against the reference."""
    return {"rouge2": scorer().score(doc["summary"], results[0].strip())["rouge2"].fmeasure}
