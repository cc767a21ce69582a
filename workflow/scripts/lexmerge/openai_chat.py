"""Chat completions of OpenAI or of any server that speaks its protocol, such as a local vLLM.

A request is the body that goes over the wire; an answer is what of the reply matters: `model`, `text`,
`refusal`, `finish_reason`, `usage`, `id`.
"""

import email.utils
import json
import time

import openai

from lexmerge.asking import TryAgain
from lexmerge.errors import StudyError

SERVER = "https://api.openai.com/v1"
QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
FILTERED = ("content_filter", "content_policy_violation")


class Chat:
    """One server; `key` is never written or shown. Close it by `async with`, or leave it to the process."""

    def __init__(self, base_url: str, key: str, variable: str, timeout: float = 120):
        self.base_url, self.key, self.variable = base_url, key, variable
        self.client = openai.AsyncOpenAI(base_url=base_url, api_key=key, timeout=timeout, max_retries=0)

    async def send(self, request: dict) -> dict:
        """The answer, from the model that was asked for; TryAgain or a StudyError where there is none."""
        try:
            raw = await self.client.chat.completions.with_raw_response.create(**request)
            reply = json.loads(raw.content)
            choice = reply["choices"][0]
            message = choice.get("message") or {}
        except openai.APIStatusError as error:
            if getattr(error, "code", None) in FILTERED:
                return {"model": request["model"], "text": "", "finish_reason": "content_filter"}
            raise self._explain(error, request["model"]) from None
        except openai.APIConnectionError as error:
            raise TryAgain(f"{self.base_url} did not answer: {error.__cause__ or error}") from None
        except (ValueError, LookupError, TypeError, AttributeError):
            raise TryAgain(f"{self.base_url} answered with something that is no chat completion") from None
        _check_model(request["model"], str(reply.get("model")), self.base_url)
        return {
            "model": reply["model"],
            "text": message.get("content") or "",
            "refusal": message.get("refusal"),
            "finish_reason": choice.get("finish_reason"),
            "usage": reply.get("usage"),
            "id": reply.get("id"),
        }

    def _explain(self, error: openai.APIStatusError, model: str) -> Exception:
        said = str(error.message).replace(self.key, "***") if self.key else str(error.message)
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
