"""Language models as judges: requests, and interpretation of the answers.

Each definition gets exactly one outcome: a score from 0 to 10 with the status `scored`, or no score and the
status that explains why. Scores are never clipped, and failures never count as a score.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import regex

from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Journal, key_of
from lexmerge.common.languages import name, says_something
from lexmerge.common.prompts import Prompt, fill
from lexmerge.judgements.outcome import Outcome
from lexmerge.services.batching import BatchClient, ask_in_batches
from lexmerge.services.limits import Limits
from lexmerge.services.provider import PROVIDERS, Client, Provider
from lexmerge.services.replies import Answer, is_model
from lexmerge.services.requests import Send, answers_kept, ask_all

SCORES = list(range(11))
WHOLE = regex.compile(r"(\d{1,2})(?:\.0+)?(?:\s*/\s*10)?")
NUMBER = regex.compile(r"-?\d+(?:[.,]\d+)?(?:\s*/\s*\d+)?")
# A line of prose that consists of the score.
LINE = regex.compile(rf"^[\W_]*score\W{{0,3}}?[:=]\s*\**({NUMBER.pattern})[\W_]*$", regex.I | regex.M)
ASKED_TWICE = ("unparsable", "truncated")  # statuses after which the request is repeated once
SEPARATOR = regex.compile(r"\n---[^\S\n]*\n")
WRONG_MODELS = 5  # consecutive answers of another model after which the job stops
POLL = 60  # seconds between looks at a batch

# Part of every request, so it must not change. The score comes after the reasoning, to be based on it.
SCHEMA = {
    "type": "object",
    "properties": {
        "reasoning": {"type": "string"},
        "score": {"type": "integer", "enum": SCORES},
    },
    "required": ["reasoning", "score"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Item:
    """A definition to judge.

    Attributes:
        term: The term in the source language.
        translation: Its translation.
        reference: The expert's reference definition; empty for blind judges.
        definition: The definition to judge.
        repeat: Distinguishes repetitions of one request, so that each is answered separately.
    """

    term: str
    translation: str
    reference: str
    definition: str
    repeat: int = 0


NO_REFERENCE = Outcome(None, "no_reference", "the expert has no reference for this term")
EMPTY = Outcome(None, "empty_definition", "the definition is empty")


@dataclass
class Judge:
    """A language model as a judge.

    Attributes:
        settings: The judge's settings in the resolved config.
        prompt: Its prompt.
        languages: The study's `source` and `target` language codes.
        journal: Path of the journal of its answers.
        limits: Limits of the requests to its service.
        poll: Seconds between looks at a batch.
    """

    settings: dict[str, Any]
    prompt: Prompt
    languages: dict[str, str]
    journal: str
    limits: Limits = field(default_factory=Limits)
    poll: float = POLL

    def outcomes(self, items: list[Item]) -> list[Outcome]:
        """Judge every item.

        Returns:
            An outcome for each item, in their order. Empty definitions and, unless the judge is blind, items
            without a reference are not sent.

        Raises:
            StudyError: If the service refuses the key or is down; earlier answers stay in the journal.
        """
        known = [self._unasked(item) for item in items]
        given = iter(self._ask([item for item, outcome in zip(items, known, strict=True) if not outcome]))
        return [outcome or next(given) for outcome in known]

    @property
    def provider(self) -> Provider:
        """The provider of the judge's model."""
        return PROVIDERS[self.settings["provider"]]

    def _unasked(self, item: Item) -> Outcome | None:
        """The outcome of an item that is not sent, or None."""
        if not says_something(item.definition):
            return EMPTY
        return None if self.settings["blind"] or says_something(item.reference) else NO_REFERENCE

    def _ask(self, items: list[Item]) -> list[Outcome]:
        """Outcomes of items that are sent, some of them twice (`ASKED_TWICE`)."""
        first = self._answers([self.request(item) for item in items])
        found = [outcome_of(answer, self.settings["model"]) for answer in first]
        again = [i for i, outcome in enumerate(found) if outcome.status in ASKED_TWICE]
        requests = [self.request(items[i], again=True) for i in again]
        for i, answer in zip(again, self._answers(requests), strict=True):
            found[i] = _both(found[i], outcome_of(answer, self.settings["model"]))
        return found

    def request(self, item: Item, again: bool = False) -> dict[str, Any]:
        """Make a request, whose hash is the key of the answer in the journal.

        Args:
            item: The definition to judge.
            again: True for the repetition after a bad answer, which doubles the token limits.
        """
        marks: dict[str, Any] = {"repeat": item.repeat} if item.repeat else {}
        parameters = self.settings["parameters"]
        if again:
            marks["again"] = True
            parameters = {
                key: 2 * value if key in self.provider.token_limits and isinstance(value, int) else value
                for key, value in parameters.items()
            }
        instructions, data = filled(self.prompt.text, item, self.languages)
        body = self.provider.body(self.settings["model"], instructions, data, "judgement", SCHEMA, parameters)
        return {"server": self.settings["base_url"], "body": body, **marks}

    def _answers(self, requests: list[dict[str, Any]]) -> list[Answer | None]:
        """Answers from the journal or the service; None for requests that failed for good."""
        kept = Journal(self.journal)
        if all(key_of(request) in kept for request in requests):
            return answers_kept(requests, kept)
        client = self.provider.client(self.settings["base_url"], self.settings.get("key_variable"))
        if self.settings["mode"] == "batch":
            if not isinstance(client, BatchClient):
                raise TypeError(
                    f"{self.settings['provider']}: `batches` is set, but its client is no BatchClient"
                )
            state = f"{self.journal.removesuffix('.jsonl')}.batches.jsonl"
            return ask_in_batches(requests, client, kept, state, self.poll, "judgement", tolerant=True)
        return ask_all(
            requests, _send(client, self.settings["model"]), kept, self.limits, "judgement", tolerant=True
        )


def _send(client: Client, model: str) -> Send:
    """A function that sends a request, and stops the run after `WRONG_MODELS` answers of other models."""
    others = 0

    async def send(request: dict[str, Any]) -> Answer:
        nonlocal others
        answer = await client.send(request["body"])
        others = others + 1 if answer["model"] and not is_model(model, answer["model"]) else 0
        if others >= WRONG_MODELS:
            raise StudyError(
                f"{model!r} was requested, but {answer['model']!r} answered {others} times in a row, so "
                f"{model!r} is no longer available. Set another `model`, with `substitute_for: {model}`"
            )
        return answer

    return send


def filled(prompt: str, item: Item, languages: Mapping[str, str]) -> tuple[str, str]:
    """Fill in a prompt.

    Args:
        prompt: The prompt; a line `---` separates instructions from data.
        item: The definition to judge.
        languages: The study's `source` and `target` language codes.

    Returns:
        Instructions (system message) and data (user message). Without a line `---` all is data.
    """
    instructions, *rest = SEPARATOR.split(prompt, maxsplit=1)
    instructions, data = (instructions, rest[0]) if rest else ("", prompt)
    values = {
        "translation": quoted(item.translation),
        "reference": quoted(item.reference),
        "definition": quoted(item.definition),
        "source_language": name(languages["source"]),
        "target_language": name(languages["target"]),
    }
    term = quoted(item.term)
    return fill(instructions, term, **values), fill(data, term, **values)


def quoted(text: str) -> str:
    """Quote a text as a JSON string and break up chat template tokens, to prevent prompt injection."""
    return json.dumps(text.replace("<|", "< |").replace("|>", "| >"), ensure_ascii=False)


def outcome_of(answer: Answer | None, asked: str) -> Outcome:
    """Interpret an answer.

    The finish reason takes precedence over the text, since a text that was cut off may look complete.

    Args:
        answer: The answer; None if the request failed for good.
        asked: The requested model.
    """
    if answer is None:
        return Outcome(None, "transport_failed", "the service did not answer, despite all retries", asked=1)
    usage = answer.get("usage") or {}
    outcome = Outcome(
        None,
        "",
        _line(answer["text"]),
        _line(answer["model"] or f"{asked} (not confirmed)"),  # results of a batch may lack the model
        usage.get("prompt_tokens") or 0,
        usage.get("completion_tokens") or 0,
        asked=1,
    )
    if answer["model"] and not is_model(asked, answer["model"]):
        return replace(
            outcome, status="wrong_model", reason=_line(f"{answer['model']} answered, not {asked}")
        )
    if refusal := answer.get("refusal"):
        return replace(outcome, status="refused", reason=_line(refusal))
    if answer["finish_reason"] == "content_filter":
        why = answer.get("block") or "the provider's content filter"
        return replace(outcome, status="blocked", reason=why)
    if answer["finish_reason"] == "length":
        return replace(outcome, status="truncated", reason="the answer was truncated at the token limit")
    score, reason = read(answer["text"])
    if score is None:
        return replace(outcome, status="unparsable")
    whole = WHOLE.fullmatch(score)
    if whole is None or int(whole[1]) not in SCORES:
        return replace(outcome, status="out_of_range", reason=_line(f"the score is {score}: {reason}"))
    return replace(outcome, score=int(whole[1]), status="scored", reason=_line(reason))


def read(text: str) -> tuple[str | None, str]:
    """Extract the score and the reasoning from a judge's text.

    The score is read from the first JSON object, or else from the last line such as `Score: 7`. Other numbers
    are ignored: "I cannot give a score (0-10)", incomplete JSON, a quoted demand.

    Returns:
        The score as it is written, or None; and the reasoning.
    """
    said = _json_in(text)
    if said is not None:
        score = said.get("score")
        if isinstance(score, bool) or not isinstance(score, int | float | str):
            return None, ""
        written = unicodedata.normalize("NFKC", str(score)).strip()
        return (written if NUMBER.fullmatch(written) else None), str(said.get("reasoning", ""))
    lines = LINE.findall(unicodedata.normalize("NFKC", text)) if "{" not in text else []
    return (lines[-1], text) if lines else (None, text)


def _json_in(text: str) -> dict[str, Any] | None:
    """The first complete JSON object in a text, with numbers as strings; None if there is none."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    for place in (i for i, letter in enumerate(text) if letter == "{"):
        try:
            found: dict[str, Any] = decoder.raw_decode(text, place)[0]
        except ValueError:
            continue
        return found
    return None


def _both(first: Outcome, second: Outcome) -> Outcome:
    """The second outcome, with the tokens and requests of both."""
    return replace(
        second,
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        asked=first.asked + second.asked,
    )


def _line(text: str) -> str:
    """Collapse whitespace, cut to 500 characters, replace lone surrogates."""
    return " ".join(text.split())[:500].encode("utf-8", "replace").decode()
