"""Chat completions of OpenAI or of any server that speaks its protocol, such as a local vLLM.

A request is the body that goes over the wire; an answer is what matters of the reply: `model`, `text`,
`refusal`, `finish_reason`, `usage`, `id`.
"""

import email.utils
import os
import time

import openai
from pydantic import BaseModel, Field, ValidationError

from lexmerge.asking import TryAgain
from lexmerge.errors import StudyError

QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
FILTERED = ("content_filter", "content_policy_violation")


# What the SDK takes by name; all else of a request is handed on as it is.
KNOWN = ("model", "messages", "response_format")


class Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class Choice(BaseModel):
    message: Message
    finish_reason: str | None = None


class Reply(BaseModel):
    """What has to be in a chat completion; servers add what they like."""

    model: str
    choices: list[Choice] = Field(min_length=1)
    usage: dict | None = None
    id: str | None = None


class Chat:
    """One server. The key is in the environment variable, if the server wants one; it is never shown."""

    def __init__(self, base_url: str, variable: str | None, timeout: float = 120):
        self.base_url, self.variable, self.key = base_url, variable, _key(variable)
        self.client = openai.AsyncOpenAI(
            base_url=base_url, api_key=self.key or "none", timeout=timeout, max_retries=0
        )

    async def send(self, request: dict) -> dict:
        """The answer, from the model that was asked for; TryAgain or a StudyError where there is none."""
        known = {key: request[key] for key in KNOWN if key in request}
        rest = {key: value for key, value in request.items() if key not in KNOWN}
        create = self.client.chat.completions.with_raw_response.create
        try:
            raw = await create(**known, extra_body=rest)
        except openai.APIStatusError as error:
            if getattr(error, "code", None) in FILTERED:
                return {"model": request["model"], "text": "", "finish_reason": "content_filter"}
            raise self._explain(error, request["model"]) from None
        except openai.APIConnectionError as error:
            raise TryAgain(
                self._masked(f"{self.base_url} did not answer: {error.__cause__ or error}")
            ) from None
        try:
            reply = Reply.model_validate_json(raw.content)
        except ValidationError:
            raise TryAgain(f"{self.base_url} answered with something that is no chat completion") from None
        _check_model(request["model"], reply.model, self.base_url)
        choice = reply.choices[0]
        return {
            "model": reply.model,
            "text": choice.message.content or "",
            "refusal": choice.message.refusal,
            "finish_reason": choice.finish_reason,
            "usage": reply.usage,
            "id": reply.id,
        }

    def _explain(self, error: openai.APIStatusError, model: str) -> Exception:
        said = self._masked(str(error.message))
        status, after = error.status_code, server_delay(error.response.headers)
        if status == 401:
            return StudyError(f"{self.base_url} refused the key (401): set {self.variable} to a valid one")
        if getattr(error, "code", None) in QUOTA:
            return StudyError(f"{self.base_url}: the account has no quota left (429): add credit, then go on")
        if status == 429:
            return TryAgain(f"too many requests (429): {said}", after, crowded=True)
        if status in (408, 409) or status >= 500:
            return TryAgain(f"{self.base_url} failed ({status})", after)
        if status == 404:
            return StudyError(f"{self.base_url} has no model {model!r} (404): {said}")
        return StudyError(f"{self.base_url} does not accept the request ({status}): {said}")

    def _masked(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key else text


def _key(variable: str | None) -> str:
    """The key in an environment variable, without what a file or a shell added to its ends."""
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise StudyError(f"no key: set the environment variable {variable} to it")
    if not (key.isascii() and key.isprintable()):
        raise StudyError(f"the key in the environment variable {variable} has characters that no key has")
    return key


def server_delay(headers) -> float | None:
    """The seconds that a server asks to wait: milliseconds, seconds or a date; never less than none."""
    for header, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(headers[header]) / divisor)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError):
        return None


def _check_model(asked: str, answered: str, server: str) -> None:
    """A model answers as itself; an alias (`gpt-4o`) may also as its snapshot (`gpt-4o-2024-08-06`)."""
    if answered != asked and not answered.startswith(f"{asked}-"):
        raise StudyError(
            f"{server} was asked for the model {asked!r}, and {answered!r} answered: name the one you want"
        )
