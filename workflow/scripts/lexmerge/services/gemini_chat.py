"""Client of the Gemini API, with Google's SDK.

A request is {"model", "system", "text", "config"}; `config` has fields of the SDK's GenerateContentConfig.
"""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

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
    """JSON from the server, in camel case; fields that are not declared are ignored."""

    model_config = ConfigDict(alias_generator=to_camel)


class Part(Wire):
    """A part of an answer: text or thoughts."""

    text: str | None = None
    thought: bool | None = None


class Content(Wire):
    """The content of an answer."""

    parts: list[Part] | None = None


class Candidate(Wire):
    """A candidate answer."""

    content: Content | None = None
    finish_reason: str | None = None


class Feedback(Wire):
    """The service's feedback on a prompt."""

    block_reason: str | None = None


class Usage(Wire):
    """Token counts."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None


Form = TypeVar("Form", bound=Wire)


class Reply(Wire):
    """A GenerateContentResponse."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Usage | None = None
    model_version: str | None = None
    response_id: str | None = None

    def answer(self) -> Answer:
        """The first candidate, or the block of the prompt, as an `Answer`; ValueError if there is neither."""
        block = self.prompt_feedback and self.prompt_feedback.block_reason
        if not self.candidates and not block:
            raise ValueError("neither candidates nor a block")
        first = self.candidates[0] if self.candidates else Candidate.model_validate({"finishReason": block})
        reason, parts = first.finish_reason, (first.content and first.content.parts) or []
        blocked = reason in BLOCKED or not self.candidates
        finished = FINISHED.get(reason or "", reason and reason.lower())
        return {
            "model": self.model_version and self.model_version.removeprefix("models/"),
            "text": "".join(part.text or "" for part in parts if not part.thought),
            "refusal": None,
            "finish_reason": "content_filter" if blocked else finished,
            "block": reason if blocked else None,
            "usage": _usage(self.usage_metadata),
            "id": self.response_id,
        }


class Stats(Wire):
    """Numbers of requests in a batch."""

    request_count: int = 0
    successful_request_count: int = 0
    failed_request_count: int = 0


class Item(Wire):
    """The result of one request of a batch. `response` is validated later, so a bad one affects no other."""

    response: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class Inlined(Wire):
    """The list of results of a batch."""

    inlined_responses: list[Item] = []


class Output(Wire):
    """The results of a batch."""

    inlined_responses: Inlined = Inlined()


class About(Wire):
    """The metadata of a batch."""

    display_name: str | None = None
    state: str = ""
    batch_stats: Stats = Stats()
    output: Output | None = None


class Operation(Wire):
    """A batch, which the API represents as an operation."""

    name: str
    metadata: About = About()
    error: dict[str, Any] | None = None
    response: Output | None = None


class Page(Wire):
    """A page of the list of batches."""

    operations: list[Operation] = []
    next_page_token: str | None = None


class Gemini:
    """A connection to one server.

    The SDK uses httpx2 even if aiohttp is installed, because it repeats requests on its own over aiohttp.
    Redirects are not followed, since they would receive the key.

    Args:
        base_url: The server's base URL; None for Google's.
        variable: Name of the environment variable with the key, which is masked in all errors.
        timeout: Seconds to wait for an answer.
    """

    batch_requests, batch_bytes = 50_000, 18_000_000  # Gemini's limit is 20 MB of inlined requests

    def __init__(self, base_url: str | None, variable: str, timeout: float = 120):
        self.base_url, self.variable, self.timeout = (base_url or SERVER).rstrip("/"), variable, timeout
        self.key = api_key(variable)
        self.loop: asyncio.AbstractEventLoop | None = None

    async def send(self, request: dict[str, Any]) -> Answer:
        """Send one request; see `provider.Client.send`."""
        config = _config(request).model_copy(update={"should_return_http_response": True})
        call = self._sdk().aio.models.generate_content(
            model=request["model"], contents=request["text"], config=config
        )
        raw = await self._asked(call, StudyError(self._no_model(request["model"])))
        try:
            return Reply.model_validate_json(raw.sdk_http_response.body).answer()
        except ValueError:
            raise TryAgain(f"the reply of {self.base_url} is not an answer of a model") from None

    async def submit(self, bodies: dict[str, dict[str, Any]], name: str) -> str:
        """See `BatchClient`."""
        model: str = next(iter(bodies.values()))["model"]
        inlined = [
            types.InlinedRequest(contents=body["text"], config=_config(body), metadata={"key": key})
            for key, body in bodies.items()
        ]
        call = self._sdk().aio.batches.create(model=model, src=inlined, config={"display_name": name})
        made: types.BatchJob = await self._asked(call, StudyError(self._no_model(model)))
        if not made.name:
            raise TryAgain(f"the reply of {self.base_url} is not a batch")
        return made.name

    async def find(self, name: str) -> str | None:
        """See `BatchClient`."""
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
        """See `BatchClient`."""
        batch = await self._read(batch_id, Operation)
        state, stats = batch.metadata.state.rpartition("_STATE_")[2], batch.metadata.batch_stats
        found = "ended" if state in ENDED else "failed" if state == "FAILED" or batch.error else "running"
        done = stats.successful_request_count + stats.failed_request_count
        return Progress(found, done, stats.request_count, self._said((batch.error or {}).get("message")))

    async def results(self, batch_id: str, keys: list[str]) -> dict[str, Answer | Exception]:
        """See `BatchClient`.

        The server sometimes leaves out the keys that were submitted with the requests. Results without keys
        are matched by the documented order, that of the requests, if their number is right; otherwise they
        cannot be matched and are left out.
        """
        batch = await self._read(batch_id, Operation)
        output = batch.metadata.output or batch.response or Output()
        items = output.inlined_responses.inlined_responses
        named: Sequence[str | None] = [(item.metadata or {}).get("key") for item in items]
        if not any(named) and len(items) == len(keys):
            named = keys
        return {key: self._outcome(item) for key, item in zip(named, items, strict=True) if key}

    def _outcome(self, item: Item) -> Answer | Exception:
        """The answer of one request of a batch, or the exception that stands for it."""
        try:
            return Reply.model_validate(item.response).answer()
        except ValueError:
            said = self._said((item.error or {}).get("message"))
            return TryAgain(f"{self.base_url}: a request of a batch failed: {said or 'empty result'}")

    def _sdk(self) -> genai.Client:
        """The SDK's client for the running event loop, since connections belong to the loop that opened them.

        The client is kept because the SDK closes its connections when the client is deleted.
        """
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

    async def _read(self, path: str, kind: type[Form], **query: Any) -> Form:
        """Fetch a path of the batch API.

        Without the SDK, whose types fail on the error details of a single request and so lose the batch.
        """
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
            raise TryAgain(f"the reply of {self.base_url} is not a batch") from None

    async def _asked(self, call: Awaitable[Any], gone: Exception) -> Any:
        """Await a call; errors as in `provider.Client.send`, but `gone` for a 404."""
        try:
            return await call
        except errors.APIError as error:
            raise (gone if error.code == 404 else self._explain(error)) from None
        except httpx2.HTTPError as error:
            cause = self._masked(f"{type(error).__name__} {error}".strip())
            raise TryAgain(f"{self.base_url} did not answer: {cause}") from None
        except (json.JSONDecodeError, UnicodeDecodeError, ValidationError):
            raise TryAgain(f"the reply of {self.base_url} cannot be read") from None
        except ValueError as error:  # raised by the SDK before it sends the request
            raise StudyError(f"the SDK does not accept the request: {self._said(str(error))}") from None

    def _explain(self, error: errors.APIError) -> Exception:
        """The exception to raise for an HTTP error; see `provider.Client.send`."""
        said, facts, status = self._said(error.message), _facts(error.details), error.code
        after = _delay(facts)
        after = server_delay(error.response.headers) if after is None else after
        if status in (401, 403) or any(fact.get("reason") == "API_KEY_INVALID" for fact in facts):
            remedy = f"set {self.variable} to a valid one with access to the model"
            return StudyError(f"{self.base_url} refused the key ({status}): {remedy}: {said}")
        if status == 429 and (quota := _daily(facts)):
            remedy = "wait until it is reset, or get a larger one"
            return StudyError(f"{self.base_url}: the daily quota is used up ({quota}): {remedy}")
        if status == 429:
            return TryAgain(f"too many requests (429): {said}", after, rate_limited=True)
        if status in (408, 409, 499) or status >= 500:
            return TryAgain(f"{self.base_url} failed ({status})", after)
        kind = Rejected if status in UNFIT else StudyError
        return kind(f"{self.base_url} does not accept the request ({status}): {said}")

    def _no_model(self, model: str) -> str:
        """The message of an error about a model that does not exist."""
        return f"{self.base_url} has no model {model!r} (404): misspelt or withdrawn; set another `model`"

    def _said(self, text: str | None) -> str:
        """A server's message to quote in an error: without the key, and cut."""
        return self._masked(text or "")[:LONGEST]

    def _masked(self, text: str) -> str:
        """Hide the key in a text."""
        return text.replace(self.key, "***")


def _config(request: dict[str, Any]) -> types.GenerateContentConfig:
    """The SDK's configuration of a request."""
    try:
        return types.GenerateContentConfig(system_instruction=request["system"] or None, **request["config"])
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StudyError(f"Gemini does not accept these parameters: {wrong}") from None


def _usage(usage: Usage | None) -> dict[str, int] | None:
    """Token counts under OpenAI's names; thoughts are charged as output, so they count as completion."""
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.prompt_token_count or 0,
        "completion_tokens": (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        "total_tokens": usage.total_token_count or 0,
    }


def _facts(body: object) -> list[dict[str, Any]]:
    """The details in the body of an error; may be empty."""
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return [fact for fact in details if isinstance(fact, dict)] if isinstance(details, list) else []


def _delay(facts: list[dict[str, Any]]) -> float | None:
    """Seconds to wait from a RetryInfo, such as "45.8s", or None."""
    for fact in facts:
        try:
            return max(0.0, float(fact["retryDelay"].removesuffix("s")))
        except (KeyError, ValueError, AttributeError):
            continue
    return None


def _daily(facts: list[dict[str, Any]]) -> str | None:
    """The id of a daily quota that is used up, or None."""
    violations = [v for fact in facts for v in fact.get("violations") or [] if isinstance(v, dict)]
    return next((v["quotaId"] for v in violations if "PerDay" in str(v.get("quotaId"))), None)
