"""Exact match in both readings, and ROUGE-2 for Japanese: rouge-score over the words that MeCab finds."""

import re
from functools import cache

# Pictographs that `emoji` does not count as emoji of their own, such as the halves of flags.
PICTOGRAPHS = re.compile("[\U0001f1e0-\U0001f1ff\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\u2702-\u27b0]+")


def exact_match(doc: dict, results: list[str]) -> dict[str, float]:
    """1 or 0 against the first right answer, and against any; what is around the answer does not count."""
    said, right = results[0].strip(), [answer.strip() for answer in doc["answers"]["text"]]
    return {"exact_match": float(said == right[0]), "exact_match_any": float(said in right)}


class Words:
    """A tokenizer for rouge-score; it wants `tokenize`."""

    def __init__(self):
        from fugashi import Tagger

        self.tagger = Tagger("-Owakati")

    def tokenize(self, text: str) -> list[str]:
        return self.tagger.parse(_plain(text)).split()


def _plain(text: str) -> str:
    """Without emoji, with letters of one width, and single spaces."""
    import emoji
    import neologdn

    without = PICTOGRAPHS.sub("", "".join(c for c in text if not emoji.is_emoji(c)))
    return " ".join(neologdn.normalize(without).split())


@cache
def scorer():
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge2"], tokenizer=Words())


def rouge2(doc: dict, results: list[str]) -> dict[str, float]:
    """The F-measure, 0 to 1, of one summary against the reference."""
    return {"rouge2": scorer().score(doc["summary"], results[0])["rouge2"].fmeasure}
