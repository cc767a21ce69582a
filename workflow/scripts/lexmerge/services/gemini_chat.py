"""Gemini, by Google's SDK.

A request is {"model", "system", "text", "config"}, the last one with the fields of GenerateContentConfig; an
answer has the form of `replies.Answer`.
"""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import httpx2
from google import genai
from google.genai import errors, types
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from lexmerge.common.errors import StudyError
from lexmerge.services.batching import BatchGone, Progress
from lexmerge.services.replies import LONGEST, UNFIT, Answer, api_key, server_delay
from lexmerge.services.requests import Rejected, TryAgain

SERVER, VERSION = "https://generativelanguage.googleapis.com", "v1"
FINISHED = {"STOP": "stop", "MAX_TOKENS": "length"}
BLOCKED = (
    *("SAFETY", "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
    *("ESCALATION", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"),
)
ENDED = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "EXPIRED", "CANCELLED")


class Wire(BaseModel):
    """JSON as it comes from the server; what is not named here is left out."""

    model_config = ConfigDict(alias_generator=to_camel)


class Part(Wire):
    text: str | None = None
    thought: bool | None = None


class Content(Wire):
    parts: list[Part] | None = None


class Candidate(Wire):
    content: Content | None = None
    finish_reason: str | None = None


class Feedback(Wire):
    block_reason: str | None = None


class Usage(Wire):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None


class Reply(Wire):
    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Usage | None = None
    model_version: str | None = None
    response_id: str | None = None

    def answer(self) -> Answer:
        """ValueError if it is neither an answer nor a block."""
        block = self.prompt_feedback and self.prompt_feedback.block_reason
        if not self.candidates and not block:
            raise ValueError("neither candidates nor a block")
        first = self.candidates[0] if self.candidates else Candidate(finishReason=block)
        reason, parts = first.finish_reason, (first.content and first.content.parts) or []
        blocked = reason in BLOCKED or not self.candidates
        return {
            "model": self.model_version and self.model_version.removeprefix("models/"),
            "text": "".join(part.text or "" for part in parts if not part.thought),
            "refusal": None,
            "finish_reason": "content_filter" if blocked else FINISHED.get(reason, reason and reason.lower()),
            "block": reason if blocked else None,
            "usage": _usage(self.usage_metadata),
            "id": self.response_id,
        }


class Stats(Wire):
    request_count: int = 0
    successful_request_count: int = 0
    failed_request_count: int = 0


class Item(Wire):
    """One of a batch's results. `response` is read by itself: one that cannot be read costs no other."""

    response: dict | None = None
    error: dict | None = None
    metadata: dict | None = None


class Inlined(Wire):
    inlined_responses: list[Item] = []


class Output(Wire):
    inlined_responses: Inlined = Inlined()


class About(Wire):
    display_name: str | None = None
    state: str = ""
    batch_stats: Stats = Stats()
    output: Output | None = None


class Operation(Wire):
    """A batch as the server shows it."""

    name: str
    metadata: About = About()
    error: dict | None = None
    response: Output | None = None


class Page(Wire):
    operations: list[Operation] = []
    next_page_token: str | None = None


class Gemini:
    """One server. The key is in the environment variable; it is never shown.

    The SDK's retries are off; its client is held, since one that is not closes its connections. It goes over
    httpx2 also where aiohttp is installed, with which the SDK sends a request again by itself; and it follows
    no redirect, which would take the key along.
    """

    batch_requests, batch_bytes = 50_000, 18_000_000  # the provider takes 20 MB of inlined requests

    def __init__(self, base_url: str | None, variable: str, timeout: float = 120):
        self.base_url, self.variable, self.timeout = (base_url or SERVER).rstrip("/"), variable, timeout
        self.key, self.loop = api_key(variable), None

    async def send(self, request: dict) -> Answer:
        """Ask once; see `openai_chat.Chat.send`."""
        config = _config(request).model_copy(update={"should_return_http_response": True})
        call = self._sdk().aio.models.generate_content(
            model=request["model"], contents=request["text"], config=config
        )
        raw = await self._asked(call, StudyError(self._no_model(request["model"])))
        try:
            return Reply.model_validate_json(raw.sdk_http_response.body).answer()
        except ValueError:
            raise TryAgain(f"{self.base_url} answered with something that is no answer of a model") from None

    async def submit(self, bodies: dict[str, dict], name: str) -> str:
        model = next(iter(bodies.values()))["model"]
        inlined = [
            types.InlinedRequest(contents=body["text"], config=_config(body), metadata={"key": key})
            for key, body in bodies.items()
        ]
        call = self._sdk().aio.batches.create(model=model, src=inlined, config={"display_name": name})
        made = await self._asked(call, StudyError(self._no_model(model)))
        if not made.name:
            raise TryAgain(f"{self.base_url} answered with something that is no batch")
        return made.name

    async def find(self, name: str) -> str | None:
        token = None
        while token != "":
            query = {"pageSize": 100, **({"pageToken": token} if token else {})}
            page = await self._read("batches", Page, **query)
            for operation in page.operations:
                if operation.metadata.display_name == name:
                    return operation.name
            token = page.next_page_token or ""
        return None

    async def progress(self, batch_id: str) -> Progress:
        batch = await self._read(batch_id, Operation)
        state, stats = batch.metadata.state.rpartition("_STATE_")[2], batch.metadata.batch_stats
        found = "ended" if state in ENDED else "failed" if state == "FAILED" or batch.error else "running"
        done = stats.successful_request_count + stats.failed_request_count
        return Progress(found, done, stats.request_count, self._said((batch.error or {}).get("message")))

    async def results(self, batch_id: str, keys: list[str]) -> dict[str, dict | Exception]:
        """As the protocol has it. The key that went along with each request comes back with its result, or
        does not: the server is known to leave it out. Then the results are taken in the order of the
        requests, in which they are documented to be, if there are as many; if there are not, none can be told
        from another.
        """
        batch = await self._read(batch_id, Operation)
        output = batch.metadata.output or batch.response or Output()
        items = output.inlined_responses.inlined_responses
        named = [(item.metadata or {}).get("key") for item in items]
        if not any(named) and len(items) == len(keys):
            named = keys
        return {key: self._outcome(item) for key, item in zip(named, items, strict=True) if key}

    def _outcome(self, item: Item) -> dict | Exception:
        try:
            return Reply.model_validate(item.response).answer()
        except ValueError:
            said = self._said((item.error or {}).get("message"))
            return TryAgain(f"{self.base_url} has no answer in a batch: {said or 'an empty result'}")

    def _sdk(self) -> genai.Client:
        """The SDK's client of the running loop: a connection that another loop opened is of no use."""
        if self.loop is not asyncio.get_running_loop():
            self.loop = asyncio.get_running_loop()
            self.http = httpx2.AsyncClient(timeout=self.timeout)
            options = types.HttpOptions(
                base_url=self.base_url,
                api_version=VERSION,
                timeout=int(self.timeout * 1000),
                httpx_async_client=self.http,
            )
            self.client = genai.Client(vertexai=False, api_key=self.key, http_options=options)
        return self.client

    async def _read(self, path: str, kind: type[Wire], **query: Any) -> Any:
        """What the server has at a path. Not by the SDK, whose types do not take the details of an item's
        error as the server writes them, and lose the whole batch by it."""
        self._sdk()

        async def get() -> bytes:
            url, headers = f"{self.base_url}/{VERSION}/{path}", {"x-goog-api-key": self.key}
            response = await self.http.get(url, params=query, headers=headers)
            await errors.APIError.raise_for_async_response(response)
            return response.content

        content = await self._asked(get(), BatchGone(f"{self.base_url} has no {path} (404)"))
        try:
            return kind.model_validate_json(content)
        except ValidationError:
            raise TryAgain(f"{self.base_url} answered with something that is no batch") from None

    async def _asked(self, call: Awaitable, gone: Exception) -> Any:
        """What a call returns; its errors as TryAgain or a StudyError, and `gone` for a 404."""
        try:
            return await call
        except errors.APIError as error:
            raise (gone if error.code == 404 else self._explain(error)) from None
        except httpx2.HTTPError as error:
            cause = self._masked(f"{type(error).__name__} {error}".strip())
            raise TryAgain(f"{self.base_url} did not answer: {cause}") from None
        except (json.JSONDecodeError, UnicodeDecodeError, ValidationError):
            raise TryAgain(f"{self.base_url} answered with nonsense") from None
        except ValueError as error:  # of the SDK, about what it is to send
            raise StudyError(f"the SDK does not take the request: {self._said(str(error))}") from None

    def _explain(self, error: errors.APIError) -> Exception:
        said, facts, status = self._said(error.message), _facts(error.details), error.code
        after = _delay(facts)
        after = server_delay(error.response.headers) if after is None else after
        if status in (401, 403) or any(fact.get("reason") == "API_KEY_INVALID" for fact in facts):
            remedy = f"set {self.variable} to a valid one that may use it"
            return StudyError(f"{self.base_url} refused the key ({status}): {remedy}: {said}")
        if status == 429 and (quota := _daily(facts)):
            remedy = "the same command goes on when it is reset, or with a larger quota"
            return StudyError(f"{self.base_url}: the quota of the day is used up ({quota}): {remedy}")
        if status == 429:
            return TryAgain(f"too many requests (429): {said}", after, crowded=True)
        if status in (408, 409, 499) or status >= 500:
            return TryAgain(f"{self.base_url} failed ({status})", after)
        kind = Rejected if status in UNFIT else StudyError
        return kind(f"{self.base_url} does not accept the request ({status}): {said}")

    def _no_model(self, model: str) -> str:
        return f"{self.base_url} has no model {model!r} (404): it is gone or misspelt; name one that there is"

    def _said(self, text: str | None) -> str:
        return self._masked(text or "")[:LONGEST]

    def _masked(self, text: str) -> str:
        return text.replace(self.key, "***")


def _config(request: dict) -> types.GenerateContentConfig:
    try:
        return types.GenerateContentConfig(system_instruction=request["system"] or None, **request["config"])
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StudyError(f"Gemini does not take these parameters: {wrong}") from None


def _usage(usage: Usage | None) -> dict | None:
    """The tokens under the names that OpenAI has for them; thoughts are paid for as what is written."""
    return usage and {
        "prompt_tokens": usage.prompt_token_count or 0,
        "completion_tokens": (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        "total_tokens": usage.total_token_count or 0,
    }


def _facts(body: object) -> list[dict]:
    """The details of an error's body, if it has any."""
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return [fact for fact in details if isinstance(fact, dict)] if isinstance(details, list) else []


def _delay(facts: list[dict]) -> float | None:
    """The seconds of a RetryInfo, which is where Gemini asks to wait: "45.8s"."""
    for fact in facts:
        try:
            return max(0.0, float(fact["retryDelay"].removesuffix("s")))
        except (KeyError, ValueError, AttributeError):
            continue
    return None


def _daily(facts: list[dict]) -> str | None:
    """The quota of the day that is used up, if one is."""
    violations = [v for fact in facts for v in fact.get("violations") or [] if isinstance(v, dict)]
    return next((v["quotaId"] for v in violations if "PerDay" in str(v.get("quotaId"))), None)
