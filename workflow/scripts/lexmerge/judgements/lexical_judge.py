"""Lexical judges: 0 to 10 for the overlap of a definition with a text that is known to be right.

They need no key, no network and no model. They measure wording, not truth, which suits the toy study and
smoke tests, and they are labelled as lexical wherever they are shown. Each is a file in `lexical_judges/`.
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
        about: What the choice means, for the config reference.
        measure: Makes the measure, a function of a definition and the right text that returns 0 to 1, and its
            signature, which stands in every row as `judge_model`.
    """

    about: str
    measure: Callable[[], tuple[Measure, str]]


LEXICAL_JUDGES: Registry[LexicalJudge] = Registry("lexmerge.judgements.lexical_judges", LexicalJudge)


def score(measure: Measure, signature: str, definition: str, gold: str | None) -> Outcome:
    """Score one definition.

    Args:
        measure: The overlap of two texts, 0 to 1.
        signature: What the measure is, with its settings.
        definition: The text to judge.
        gold: The right text, or None if there is none.

    Returns:
        A score from 0 to 10, rounded half up, or the status that says why there is none; never a zero for a
        definition that cannot be scored.
    """
    if not says_something(definition):
        return Outcome(None, "empty_definition", "the model wrote nothing", signature)
    if gold is None:
        reason = "no gold definition of this term in the language of the answer"
        return Outcome(None, "no_reference", reason, signature)
    overlap = measure(definition, gold)
    return Outcome(int(10 * overlap + 0.5), "scored", f"{overlap:.3f} overlap with: {gold}", signature)
