"""Interface of lexical judges, which score the overlap of a definition with a gold text from 0 to 10.

They need no key, network or model. They measure wording, not truth, which suits the toy study and smoke
tests, and every table and figure labels them as lexical. Each file in `lexical_judges/` registers one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lexmerge.common.registry import Registry

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
