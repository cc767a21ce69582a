"""chrF, the character n-gram F-score (Popović 2015), computed by sacrebleu."""

from lexmerge.judgements.lexical_judge import LexicalJudge, Measure


def measure() -> tuple[Measure, str]:
    """Make chrF with sacrebleu's defaults, and its signature; see `LexicalJudge.measure`."""
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()

    def overlap(definition: str, gold: str) -> float:
        percent: float = metric.sentence_score(definition, [gold]).score
        return percent / 100

    overlap(
        "a", "a"
    )  # the signature includes the number of references, which is unset before the first score
    return overlap, f"chrF2|{metric.get_signature()}"


REGISTERED = LexicalJudge(measure)
