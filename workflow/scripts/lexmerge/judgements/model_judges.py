"""Language models as judges: what they are asked, and what becomes of their answers.

A definition ends as exactly one outcome: a score from 0 to 10 with the status `scored`, or no score and the
status that says why. Nothing is clipped, and no failure is a number.
"""

import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import regex

from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Journal, key_of
from lexmerge.common.languages import name, says_something
from lexmerge.common.prompts import Prompt, fill
from lexmerge.judgements.outcome import Outcome
from lexmerge.services.batching import ask_in_batches
from lexmerge.services.limits import Limits
from lexmerge.services.provider import PROVIDERS, Client, Provider
from lexmerge.services.replies import is_model
from lexmerge.services.requests import ask_all

SCORES = list(range(11))
WHOLE = regex.compile(r"(\d{1,2})(?:\.0+)?(?:\s*/\s*10)?")
NUMBER = regex.compile(r"-?\d+(?:[.,]\d+)?(?:\s*/\s*\d+)?")
# A line of prose that holds the score and nothing else.
LINE = regex.compile(rf"^[\W_]*score\W{{0,3}}?[:=]\s*\**({NUMBER.pattern})[\W_]*$", regex.I | regex.M)
ASKED_TWICE = ("unparsable", "truncated")  # statuses after which the judge is asked once more
SEPARATOR = regex.compile(r"\n---[^\S\n]*\n")
WRONG_MODELS = 5  # consecutive answers of another model after which the one asked for counts as gone
POLL = 60  # seconds between two looks at a batch

# Written out, since it is a part of every request. A score that follows its reasoning is better founded.
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
    """A definition to judge. `repeat` tells apart requests that are the same and are to be answered anew."""

    term: str
    translation: str
    reference: str
    definition: str
    repeat: int = 0


NO_REFERENCE = Outcome(None, "no_reference", "the expert wrote no reference for this term")
EMPTY = Outcome(None, "empty_definition", "the model wrote nothing")


@dataclass
class Judge:
    """A judge as the config has it, with its prompt, the languages, and where its answers are kept."""

    settings: dict
    prompt: Prompt
    languages: dict
    journal: str
    limits: Limits = field(default_factory=Limits)
    poll: float = POLL

    def outcomes(self, items: list[Item]) -> list[Outcome]:
        """Judge every item.

        Returns:
            One outcome for each item, in their order. An empty definition is not sent.

        Raises:
            StudyError: If the service refuses the key or is down; the answers so far are in the journal.
        """
        known = [self._unasked(item) for item in items]
        given = iter(self._ask([item for item, outcome in zip(items, known, strict=True) if not outcome]))
        return [outcome or next(given) for outcome in known]

    @property
    def provider(self) -> Provider:
        """The service that the judge is asked from."""
        return PROVIDERS[self.settings["provider"]]

    def _unasked(self, item: Item) -> Outcome | None:
        """What is known without asking."""
        if not says_something(item.definition):
            return EMPTY
        return None if self.settings["blind"] or says_something(item.reference) else NO_REFERENCE

    def _ask(self, items: list[Item]) -> list[Outcome]:
        first = self._answers([self.request(item) for item in items])
        found = [outcome_of(answer, self.settings["model"]) for answer in first]
        again = [i for i, outcome in enumerate(found) if outcome.status in ASKED_TWICE]
        requests = [self.request(items[i], again=True) for i in again]
        for i, answer in zip(again, self._answers(requests), strict=True):
            found[i] = _both(found[i], outcome_of(answer, self.settings["model"]))
        return found

    def request(self, item: Item, again: bool = False) -> dict:
        """What is sent, and by whose hash the answer is kept; asked again it is another request."""
        marks = {"repeat": item.repeat} if item.repeat else {}
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

    def _answers(self, requests: list[dict]) -> list[dict | None]:
        """From the journal, or from the service; None where a request failed for good."""
        kept = Journal(self.journal)
        if all(key_of(request) in kept for request in requests):
            return [kept.get(key_of(request)) for request in requests]
        client = self.provider.client(self.settings["base_url"], self.settings.get("key_variable"))
        if self.settings["mode"] == "batch":
            state = f"{self.journal.removesuffix('.jsonl')}.batches.jsonl"
            return ask_in_batches(requests, client, kept, state, self.poll, "judgement", tolerant=True)
        return ask_all(
            requests, _send(client, self.settings["model"]), kept, self.limits, "judgement", tolerant=True
        )


def _send(client: Client, model: str) -> Callable:
    """Ask; and stop, before more is paid, a service that answers with other models all the time."""
    others = 0

    async def send(request: dict) -> dict:
        nonlocal others
        answer = await client.send(request["body"])
        others = others + 1 if answer["model"] and not is_model(model, answer["model"]) else 0
        if others >= WRONG_MODELS:
            raise StudyError(
                f"{model!r} was asked for, and {answer['model']!r} answered, {others} times in a row: it is "
                "gone; name a model that there is, as a substitute"
            )
        return answer

    return send


def filled(prompt: str, item: Item, languages: dict) -> tuple[str, str]:
    """The instructions, and what is to be judged; of a prompt without a line `---` all is the second."""
    instructions, *rest = SEPARATOR.split(prompt, maxsplit=1)
    parts = (instructions, rest[0]) if rest else ("", prompt)
    values = {
        "translation": quoted(item.translation),
        "reference": quoted(item.reference),
        "definition": quoted(item.definition),
        "source_language": name(languages["source"]),
        "target_language": name(languages["target"]),
    }
    return tuple(fill(part, quoted(item.term), **values) for part in parts)


def quoted(text: str) -> str:
    """A text as a JSON string, out of which nothing can break; marks of chat templates are taken apart."""
    return json.dumps(text.replace("<|", "< |").replace("|>", "| >"), ensure_ascii=False)


def outcome_of(answer: dict | None, asked: str) -> Outcome:
    """What an answer means. How it ended comes before what it says: a text that was cut may look whole."""
    if answer is None:
        return Outcome(
            None, "transport_failed", "the service gave no answer, however often it was asked", asked=1
        )
    usage = answer.get("usage") or {}
    outcome = Outcome(
        None,
        "",
        _line(answer["text"]),
        _line(answer["model"] or f"{asked} (not confirmed)"),  # a batch may not say which model answered
        usage.get("prompt_tokens") or 0,
        usage.get("completion_tokens") or 0,
        asked=1,
    )
    if answer["model"] and not is_model(asked, answer["model"]):
        return replace(
            outcome, status="wrong_model", reason=_line(f"{answer['model']} answered, not {asked}")
        )
    if answer.get("refusal"):
        return replace(outcome, status="refused", reason=_line(answer["refusal"]))
    if answer["finish_reason"] == "content_filter":
        why = answer.get("block") or "the provider's content filter"
        return replace(outcome, status="blocked", reason=why)
    if answer["finish_reason"] == "length":
        return replace(outcome, status="truncated", reason="the answer was cut at the limit of tokens")
    score, reason = read(answer["text"])
    if score is None:
        return replace(outcome, status="unparsable")
    whole = WHOLE.fullmatch(score)
    if whole is None or int(whole[1]) not in SCORES:
        return replace(outcome, status="out_of_range", reason=_line(f"the score is {score}: {reason}"))
    return replace(outcome, score=int(whole[1]), status="scored", reason=_line(reason))


def read(text: str) -> tuple[str | None, str]:
    """The score as it was written, and the reasoning: of the JSON in a text, or else of its last line
    `Score: 7`.

    A number anywhere else is no score: "I cannot give a score (0-10)", JSON that was cut, a quoted demand.
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


def _json_in(text: str) -> dict | None:
    """The first whole JSON object in a text, such as one in a fence, numbers as they are written."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    for place in (i for i, letter in enumerate(text) if letter == "{"):
        try:
            found, _ = decoder.raw_decode(text, place)
        except ValueError:
            continue
        return found
    return None


def _both(first: Outcome, second: Outcome) -> Outcome:
    """The outcome of the second answer, with the tokens of both."""
    return replace(
        second,
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        asked=first.asked + second.asked,
    )


def _line(text: str) -> str:
    """Collapse whitespace, cut to 500 characters, replace lone surrogates."""
    return " ".join(text.split())[:500].encode("utf-8", "replace").decode()
