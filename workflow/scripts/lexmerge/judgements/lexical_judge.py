"""Interface of lexical judges, which score the overlap of a definition with a gold text from 0 to 10.

They need no key, network or model. They measure wording, not truth, which suits the toy study and smoke
tests, and every table and figure labels them as lexical. Each file in `lexical_judges/` registers one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lexmerge.common.languages import says_something
from lexmerge.common.registry import Registry
from lexmerge.judgements.outcome import Outcome

Measure = Callable[[str, str], float]  # (definition, gold) -> 0 to 1


@dataclass(frozen=True)
class LexicalJudge:
    """A measure of the overlap of two texts.

    Attributes:
        measure: Makes the measure, a function of a definition and a gold text that returns 0 to 1, and its
            signature, which is the `judge_model` of every row.
    """

    measure: Callable[[], tuple[Measure, str]]


LEXICAL_JUDGES: Registry[LexicalJudge] = Registry("lexmerge.judgements.lexical_judges", LexicalJudge)


def score(measure: Measure, signature: str, definition: str, gold: str | None) -> Outcome:
    """Score one definition.

    Args:
        measure: The overlap of two texts, 0 to 1.
        signature: Name and settings of the measure.
        definition: The definition to judge.
        gold: The gold text, or None if there is none.

    Returns:
        A score from 0 to 10, rounded half up, or the status that explains why there is none. A definition
        that cannot be scored never gets 0.
    """
    if not says_something(definition):
        return Outcome(None, "empty_definition", "the model wrote nothing", signature)
    if gold is None:
        reason = "no gold definition of this term in the language of the answer"
        return Outcome(None, "no_reference", reason, signature)
    overlap = measure(definition, gold)
    return Outcome(int(10 * overlap + 0.5), "scored", f"{overlap:.3f} overlap with: {gold}", signature)
