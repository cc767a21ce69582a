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
from lexmerge.services.asking import Limits, ask_all
from lexmerge.services.batching import ask_in_batches
from lexmerge.services.gemini_chat import Gemini
from lexmerge.services.openai_chat import Chat, is_model

SCORES = list(range(11))
WHOLE = regex.compile(r"(\d{1,2})(?:\.0+)?(?:\s*/\s*10)?")
NUMBER = regex.compile(r"-?\d+(?:[.,]\d+)?(?:\s*/\s*\d+)?")
# A line of prose that holds the score and nothing else.
LINE = regex.compile(rf"^[\W_]*score\W{{0,3}}?[:=]\s*\**({NUMBER.pattern})[\W_]*$", regex.I | regex.M)
AGAIN = ("unparsable", "truncated")  # asked once more: the next answer may be whole
SEPARATOR = regex.compile(r"\n---[^\S\n]*\n")
WRONG_MODELS = 5  # so many in a row, and the service has put another model in the place of the one asked for
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
# A field may be full of what a filter for conversations stops.
UNFILTERED = [
    {"category": f"HARM_CATEGORY_{kind}", "threshold": "BLOCK_NONE"}
    for kind in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
]


@dataclass(frozen=True)
class Item:
    """A definition to judge. `repeat` tells apart requests that are the same and are to be answered anew."""

    term: str
    translation: str
    reference: str
    definition: str
    repeat: int = 0


@dataclass(frozen=True)
class Verdict:
    """What became of an item: a score or none, the status, the reason of either, and what it cost."""

    score: int | None
    status: str
    reason: str
    judge_model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    asked: int = 0


NO_REFERENCE = Verdict(None, "no_reference", "the expert wrote no reference for this term")
EMPTY = Verdict(None, "empty_definition", "the model wrote nothing")


@dataclass
class Judge:
    """A judge as the config has it, with its prompt, the languages, and where its answers are kept."""

    settings: dict
    prompt: Prompt
    languages: dict
    journal: str
    limits: Limits = field(default_factory=Limits)
    poll: float = POLL

    def verdicts(self, items: list[Item]) -> list[Verdict]:
        """One for each item, in their order; an empty definition is not sent."""
        known = [self._unasked(item) for item in items]
        given = iter(self._ask([item for item, verdict in zip(items, known, strict=True) if not verdict]))
        return [verdict or next(given) for verdict in known]

    def _unasked(self, item: Item) -> Verdict | None:
        """What is known without asking."""
        if not says_something(item.definition):
            return EMPTY
        return None if self.settings["blind"] or says_something(item.reference) else NO_REFERENCE

    def _ask(self, items: list[Item]) -> list[Verdict]:
        first = self._answers([self.request(item) for item in items])
        found = [verdict(answer, self.settings["model"]) for answer in first]
        again = [i for i, outcome in enumerate(found) if outcome.status in AGAIN]
        requests = [self.request(items[i], again=True) for i in again]
        for i, answer in zip(again, self._answers(requests), strict=True):
            found[i] = _both(found[i], verdict(answer, self.settings["model"]))
        return found

    def request(self, item: Item, again: bool = False) -> dict:
        """What is sent, and by whose hash the answer is kept; asked again it is another request."""
        marks = {"repeat": item.repeat} if item.repeat else {}
        parameters = self.settings["parameters"]
        if again:
            marks["again"] = True
            limits = ("max_completion_tokens", "max_tokens", "max_output_tokens")
            parameters = {
                key: 2 * value if key in limits and isinstance(value, int) else value
                for key, value in parameters.items()
            }
        text = filled(self.prompt.text, item, self.languages)
        body = BODIES[self.settings["provider"]](self.settings["model"], *text, parameters)
        return {"server": self.settings["base_url"], "body": body, **marks}

    def _answers(self, requests: list[dict]) -> list[dict | None]:
        """From the journal, or from the service; None where a request failed for good."""
        kept = Journal(self.journal)
        if all(key_of(request) in kept for request in requests):
            return [kept.get(key_of(request)) for request in requests]
        client = client_of(self.settings)
        if self.settings["mode"] == "batch":
            state = f"{self.journal.removesuffix('.jsonl')}.batches.jsonl"
            return ask_in_batches(requests, client, kept, state, self.poll, "judgement", tolerant=True)
        return ask_all(
            requests, _send(client, self.settings["model"]), kept, self.limits, "judgement", tolerant=True
        )


def client_of(settings: dict) -> Chat | Gemini:
    """The service of a judge; a StudyError if its key is missing."""
    kind = Gemini if settings["provider"] == "gemini" else Chat
    return kind(settings["base_url"], settings.get("key_variable"))


def _send(client: Chat | Gemini, model: str) -> Callable:
    """Ask; and stop, before more is paid, a service that answers with other models all the time."""
    others = 0

    async def send(request: dict) -> dict:
        nonlocal others
        options = {"any_model": True} if isinstance(client, Chat) else {}
        answer = await client.send(request["body"], **options)
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


def openai_body(model: str, instructions: str, data: str, parameters: dict) -> dict:
    messages = [{"role": "system", "content": instructions}] if instructions else []
    form = {"name": "judgement", "strict": True, "schema": SCHEMA}
    return {
        "model": model,
        "messages": [*messages, {"role": "user", "content": data}],
        "response_format": {"type": "json_schema", "json_schema": form},
        **parameters,
    }


def gemini_body(model: str, instructions: str, data: str, parameters: dict) -> dict:
    config = {
        "response_mime_type": "application/json",
        "response_json_schema": SCHEMA,
        "safety_settings": UNFILTERED,
        **parameters,
    }
    return {"model": model, "system": instructions, "text": data, "config": config}


BODIES = {"openai": openai_body, "gemini": gemini_body}


def verdict(answer: dict | None, asked: str) -> Verdict:
    """What an answer means. How it ended comes before what it says: a text that was cut may look whole."""
    if answer is None:
        return Verdict(
            None, "transport_failed", "the service gave no answer, however often it was asked", asked=1
        )
    usage = answer.get("usage") or {}
    outcome = Verdict(
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


def _both(first: Verdict, second: Verdict) -> Verdict:
    """The second answer, which cost both."""
    return replace(
        second,
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        asked=first.asked + second.asked,
    )


def _line(text: str) -> str:
    """A text on one line, of a length that a table bears, and without half characters."""
    return " ".join(text.split())[:500].encode("utf-8", "replace").decode()
