"""Outcomes of judging a definition: a score, or the status that explains why there is none."""

from dataclasses import dataclass
from typing import TypedDict


@dataclass(frozen=True)
class Outcome:
    """A judge's outcome for one definition.

    Attributes:
        score: 0 to 10; None unless the status is `scored`.
        status: `scored`, or the reason why there is no score: `no_translation`, `no_reference`,
            `empty_definition`, `transport_failed`, `wrong_model`, `refused`, `blocked`, `truncated`,
            `unparsable`, `out_of_range`.
        reason: The judge's reasoning, or an explanation of the status, on one line.
        judge_model: The model that answered, or the signature of a lexical judge.
        input_tokens: Input tokens of all requests for this definition.
        output_tokens: Output tokens of all requests.
        asked: Number of requests.
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
    """A row of `controls/<judge>.jsonl`: the judgement of a control question.

    Attributes:
        control: `reference`, `other_term`, `injection`, `empty` or `repeat`.
        repeat: Index of the repetition, from 0.
    """

    control: str
    repeat: int


def judgement(term: str, outcome: Outcome) -> Judgement:
    """Make the row of a term's outcome."""
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
