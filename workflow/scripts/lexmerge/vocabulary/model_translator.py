"""Translations by a language model: the requests, and what becomes of the answers."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lexmerge.common.journal import Journal, key_of
from lexmerge.common.languages import name
from lexmerge.common.prompts import fill, read_prompt
from lexmerge.services.limits import Limits
from lexmerge.services.provider import PROVIDERS, Client
from lexmerge.services.replies import Answer, check_model
from lexmerge.services.requests import ask_all
from lexmerge.vocabulary.translation_checks import faults, remarks
from lexmerge.vocabulary.translator import Translation, translation

# Written out, since it is a part of every request: a docstring or a release of pydantic must not change it.
SCHEMA = {
    "type": "object",
    "properties": {
        "translation": {"type": "string"},
        "alternatives": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["translation", "alternatives"],
    "additionalProperties": False,
}


class TranslatedTerm(BaseModel):
    """The answer that a model is asked for, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)
    translation: str
    alternatives: list[str]


def translate(
    terms: list[dict[str, Any]],
    settings: dict[str, Any],
    languages: dict[str, str],
    journal: str,
    limits: Limits,
) -> list[Translation]:
    """Ask the provider's model for every term; each answer is paid for once. See `Translator.translate`.

    Raises:
        StudyError: If an answer is missing in the end, or comes from another model than the one asked for.
    """
    prompt, base_url = read_prompt(settings["prompt"]), settings["base_url"]
    bodies = [request_body(term, prompt, languages, settings) for term in terms]
    requests = [{"server": base_url, "body": body} for body in bodies]
    kept = Journal(journal)
    if any(key_of(request) not in kept for request in requests):
        client = PROVIDERS[settings["provider"]].client(base_url, settings.get("key_variable"))
        ask_all(requests, _sender(client, settings["model"], base_url), kept, limits, what="term")
    answers = [kept.get(key_of(request)) for request in requests]
    return [row_of(term["term"], answer, languages) for term, answer in zip(terms, answers, strict=True)]


def _sender(client: Client, model: str, server: str) -> Callable[[dict[str, Any]], Awaitable[Answer]]:
    """Ask, and stop at the first answer of another model."""

    async def send(request: dict[str, Any]) -> Answer:
        answer = await client.send(request["body"])
        check_model(model, answer, server)
        return answer

    return send


def request_body(
    term: dict[str, Any], prompt: str, languages: dict[str, str], settings: dict[str, Any]
) -> dict[str, Any]:
    """The body of the request for one term (a row of `terms.tsv`)."""
    text = fill(
        prompt,
        term["term"],
        semantic_tag=term["semantic_tag"] or "not stated",
        source_language=name(languages["source"]),
        target_language=name(languages["target"]),
    )
    provider = PROVIDERS[settings["provider"]]
    return provider.body(settings["model"], "", text, "translation", SCHEMA, settings["parameters"])


def row_of(term: str, answer: Answer, languages: dict[str, str]) -> Translation:
    """Read an answer.

    Args:
        term: The term that was asked for.
        answer: The model's answer.
        languages: The study's languages.

    Returns:
        A row with a translation that passed the checks, or with the reason why there is none.
    """
    source = answer["model"] or ""
    if answer.get("refusal"):
        return translation(term, "", source, "refused", _line(answer["refusal"]))
    if answer["finish_reason"] == "content_filter":
        return translation(term, "", source, "blocked", "the provider's content filter")
    if answer["finish_reason"] == "length":
        return translation(term, "", source, "truncated", "the answer was cut at the limit of tokens")
    try:
        said = TranslatedTerm.model_validate_json(answer["text"])
    except ValidationError:
        return translation(term, "", source, "unparsable", _line(answer["text"]))
    text = said.translation.strip()
    alternatives = " | ".join(_line(a) for a in said.alternatives)
    for status, reason in faults(term, text, languages):
        return translation(term, "", source, status, _line(reason), alternatives)
    odd = "; ".join(remarks(term, text))
    return translation(term, text, source, "odd" if odd else "ok", odd, alternatives)


def _line(text: str | None) -> str:
    """Collapse whitespace and cut to 200 characters, to fit a cell of a table."""
    return " ".join((text or "").split())[:200]
