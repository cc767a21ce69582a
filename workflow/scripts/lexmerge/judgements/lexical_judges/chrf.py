"""chrF, the character n-gram F-score (Popović 2015), as sacrebleu computes it."""

from lexmerge.judgements.lexical_judge import LexicalJudge, Measure


def measure() -> tuple[Measure, str]:
    """Make chrF with sacrebleu's defaults, and its signature."""
    from sacrebleu.metrics import CHRF

    metric = CHRF()

    def overlap(definition: str, gold: str) -> float:
        return metric.sentence_score(definition, [gold]).score / 100

    overlap("a", "a")  # the signature knows the number of references only after a score
    return overlap, f"chrF2|{metric.get_signature()}"


REGISTERED = LexicalJudge("character n-gram overlap with a known right text, without a model", measure)
