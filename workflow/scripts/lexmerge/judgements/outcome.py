"""What becomes of a definition before a judge: a score, or the status that says why there is none."""

from dataclasses import dataclass
from typing import TypedDict


@dataclass(frozen=True)
class Outcome:
    """A judge's outcome for one definition.

    Attributes:
        score: 0 to 10, or None for every status but `scored`.
        status: `scored`, or what prevented a score: `no_translation`, `no_reference`,
            `empty_definition`, `transport_failed`, `wrong_model`, `refused`, `blocked`, `truncated`,
            `unparsable`, `out_of_range`.
        reason: The judge's reasoning, or the cause of the status, on one line.
        judge_model: The model that answered, or the signature of a lexical judge.
        input_tokens: Tokens sent, over all requests for this definition.
        output_tokens: Tokens answered.
        asked: How many requests were sent.
    """

    score: int | None
    status: str
    reason: str
    judge_model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    asked: int = 0


class Judgement(TypedDict):
    """A row of `judgements/<judge>/<model>.jsonl`; see `Outcome` for the fields."""

    term: str
    score: int | None
    status: str
    reason: str
    judge_model: str
    asked: int
    input_tokens: int
    output_tokens: int


class ControlJudgement(Judgement):
    """A row of `controls/<judge>.jsonl`: the judgement of a text whose right score is known.

    Attributes:
        control: `reference`, `other_term`, `injection`, `empty` or `repeat`.
        repeat: Which repetition of one request this is, counted from 0.
    """

    control: str
    repeat: int


def judgement(term: str, outcome: Outcome) -> Judgement:
    """The row of a term's outcome."""
    return {
        "term": term,
        "score": outcome.score,
        "status": outcome.status,
        "reason": outcome.reason,
        "judge_model": outcome.judge_model,
        "asked": outcome.asked,
        "input_tokens": outcome.input_tokens,
        "output_tokens": outcome.output_tokens,
    }
