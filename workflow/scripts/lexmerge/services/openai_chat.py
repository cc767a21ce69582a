"""Client of the chat completions API of OpenAI or of a compatible server, such as a local vLLM.

A request is the body of the HTTP request. Replies are validated only for the fields that are used; servers
may add others.
"""

import json
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import openai
from pydantic import BaseModel, Field, ValidationError

from lexmerge.common.errors import StudyError
from lexmerge.services.batching import BatchGone, Progress
from lexmerge.services.replies import LONGEST, UNFIT, Answer, api_key, blocked_prompt, server_delay
from lexmerge.services.requests import Rejected, TryAgain

QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
FILTERED = ("content_filter", "content_policy_violation")

# Fields that the SDK has as parameters; all others are passed on as `extra_body`.
KNOWN = ("model", "messages", "response_format")
ENDPOINT: Final = "/v1/chat/completions"

Form = TypeVar("Form", bound=BaseModel)


class Message(BaseModel):
    """The message of a choice."""

    content: str | None = None
    refusal: str | None = None


class Choice(BaseModel):
    """A choice of a chat completion."""

    message: Message
    finish_reason: str | None = None


class Reply(BaseModel):
    """A chat completion."""

    model: str
    choices: list[Choice] = Field(min_length=1)
    usage: dict[str, Any] | None = None
    id: str | None = None

    def answer(self) -> Answer:
        """The first choice as an `Answer`."""
        choice = self.choices[0]
        return {
            "model": self.model,
            "text": choice.message.content or "",
            "refusal": choice.message.refusal,
            "finish_reason": choice.finish_reason,
            "block": "content_filter" if choice.finish_reason == "content_filter" else None,
            "usage": self.usage,
            "id": self.id,
        }


class Fault(BaseModel):
    """An error of a batch or of one of its requests."""

    code: str | int | None = None
    message: str | None = None


class Faults(BaseModel):
    """The errors of a batch."""

    data: list[Fault] | None = None


class Counts(BaseModel):
    """Numbers of requests in a batch."""

    completed: int = 0
    failed: int = 0
    total: int = 0


class Batch(BaseModel):
    """A batch."""

    id: str
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: Faults | None = None
    request_counts: Counts | None = None
    metadata: dict[str, Any] | None = None


class File(BaseModel):
    """An uploaded file."""

    id: str


class Page(BaseModel):
    """A page of the list of batches."""

    data: list[Batch]
    has_more: bool = False


class Response(BaseModel):
    """The HTTP response to one request of a batch."""

    status_code: int
    body: dict[str, Any]


class Line(BaseModel):
    """The result of one request of a batch."""

    custom_id: str
    response: Response | None = None
    error: Fault | None = None


class Chat:
    """A connection to one server.

    Args:
        base_url: The server's base URL.
        variable: Name of the environment variable with the key, or None for a server without keys. The key
            is masked in all errors.
        timeout: Seconds to wait for an answer.
    """

    batch_requests, batch_bytes = 50_000, 190_000_000  # OpenAI's limit is 200 MB

    def __init__(self, base_url: str, variable: str | None, timeout: float = 120):
        self.base_url, self.variable, self.key = base_url, variable, api_key(variable)
        self.client = openai.AsyncOpenAI(
            base_url=base_url, api_key=self.key or "none", timeout=timeout, max_retries=0
        )

    async def send(self, request: dict[str, Any]) -> Answer:
        """Send one chat completion request; see `provider.Client.send`."""
        known = {key: request[key] for key in KNOWN if key in request}
        rest = {key: value for key, value in request.items() if key not in KNOWN}
        create = self.client.chat.completions.with_raw_response.create
        try:
            raw = await create(**known, extra_body=rest)
        except openai.APIStatusError as error:
            if getattr(error, "code", None) in FILTERED:
                return blocked_prompt(request["model"])
            raise self._explain(error, request["model"]) from None
        except openai.APIConnectionError as error:
            raise TryAgain(
                self._masked(f"{self.base_url} did not answer: {error.__cause__ or error}")
            ) from None
        try:
            reply = Reply.model_validate_json(raw.content)
        except ValidationError:
            raise TryAgain(f"the reply of {self.base_url} is not a chat completion") from None
        return reply.answer()

    async def submit(self, bodies: dict[str, dict[str, Any]], name: str) -> str:
        """See `BatchClient`."""
        lines = (
            json.dumps({"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body})
            for key, body in bodies.items()
        )
        upload = self.client.files.with_raw_response.create
        create = self.client.batches.with_raw_response.create
        nowhere = StudyError(f"{self.base_url} has no batch API (404): set `mode: now`")
        file = await self._asked(
            upload(file=(f"{name}.jsonl", "\n".join(lines).encode()), purpose="batch"), File, nowhere
        )
        made = create(
            input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", metadata={"name": name}
        )
        return (await self._asked(made, Batch, nowhere)).id

    async def find(self, name: str) -> str | None:
        """See `BatchClient`."""
        after: str | openai.Omit = openai.omit
        more = True
        nowhere = StudyError(f"{self.base_url} has no list of batches (404)")
        while more:
            listed = self.client.batches.with_raw_response.list(limit=100, after=after)
            page = await self._asked(listed, Page, nowhere)
            for batch in page.data:
                if (batch.metadata or {}).get("name") == name:
                    return batch.id
            more = page.has_more and bool(page.data)
            after = page.data[-1].id if more else openai.omit
        return None

    async def progress(self, batch_id: str) -> Progress:
        """See `BatchClient`."""
        batch = await self._batch(batch_id)
        state = {"failed": "failed"} | dict.fromkeys(("completed", "expired", "cancelled"), "ended")
        counts = batch.request_counts or Counts()
        faults = "; ".join(f.message or str(f.code) for f in (batch.errors and batch.errors.data) or [])
        found, done = state.get(batch.status, "running"), counts.completed + counts.failed
        return Progress(found, done, counts.total, self._masked(faults)[:LONGEST])

    async def results(self, batch_id: str, keys: list[str]) -> dict[str, Answer | Exception]:
        """See `BatchClient`. Results are matched by key, since their order is not that of the requests."""
        batch = await self._batch(batch_id)
        found: dict[str, Answer | Exception] = {}
        for file in filter(None, (batch.error_file_id, batch.output_file_id)):
            for line in (await self._content(file)).splitlines():
                found |= self._result(line)
        return found

    def _result(self, line: bytes) -> dict[str, Answer | Exception]:
        """The answer or exception in one line of results, by its key."""
        try:
            result = Line.model_validate_json(line)
            if result.response and result.response.status_code == 200:
                return {result.custom_id: Reply.model_validate(result.response.body).answer()}
        except ValidationError:
            raise TryAgain(f"{self.base_url}: a result of a batch cannot be read") from None
        fault = result.error or Fault()
        if result.response:
            fault = _fault(result.response.body)
        if fault.code in FILTERED:
            return {result.custom_id: blocked_prompt(None)}
        said = self._masked(f"{fault.code}: {fault.message}")[:LONGEST]
        return {result.custom_id: TryAgain(f"{self.base_url}: a request of a batch failed: {said}")}

    async def _batch(self, batch_id: str) -> Batch:
        """Fetch a batch."""
        retrieve = self.client.batches.with_raw_response.retrieve
        gone = BatchGone(f"{self.base_url} has no {batch_id} (404)")
        return await self._asked(retrieve(batch_id), Batch, gone)

    async def _content(self, file: str) -> bytes:
        """Fetch the content of a file."""
        content = self.client.files.with_raw_response.content
        return await self._raw(content(file), BatchGone(f"{self.base_url} has no {file} (404)"))

    async def _asked(self, call: Awaitable[Any], kind: type[Form], gone: Exception) -> Form:
        """Await a call of the batch API and validate its reply; errors as in `_raw`."""
        content = await self._raw(call, gone)
        try:
            return kind.model_validate_json(content)
        except ValidationError:
            form = kind.__name__.lower()
            raise TryAgain(f"the reply of {self.base_url} is not a {form}") from None

    async def _raw(self, call: Awaitable[Any], gone: Exception) -> bytes:
        """Await a call of the batch API and return the body; errors as in `send`, but `gone` for a 404."""
        try:
            content: bytes = (await call).content
            return content
        except openai.APIStatusError as error:
            raise (gone if error.status_code == 404 else self._explain(error, "batches")) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise TryAgain(self._masked(f"{self.base_url} did not answer: {cause}")) from None

    def _explain(self, error: openai.APIStatusError, model: str) -> Exception:
        """The exception to raise for an HTTP error; see `provider.Client.send`."""
        said = self._masked(str(error.message))
        status, after = error.status_code, server_delay(error.response.headers)
        if status == 401:
            return StudyError(
                f"{self.base_url} refused the key (401); set the environment variable {self.variable} to a "
                "valid key"
            )
        if getattr(error, "code", None) in QUOTA:
            return StudyError(f"{self.base_url}: the account has no quota left (429); add credit")
        if status == 429:
            return TryAgain(f"too many requests (429): {said}", after, rate_limited=True)
        if status in (408, 409) or status >= 500:
            return TryAgain(f"{self.base_url} failed ({status})", after)
        if status == 404:
            return StudyError(f"{self.base_url} has no model {model!r} (404): {said}")
        kind = Rejected if status in UNFIT else StudyError
        return kind(f"{self.base_url} does not accept the request ({status}): {said}")

    def _masked(self, text: str) -> str:
        """Hide the key in a text."""
        return text.replace(self.key, "***") if self.key else text


def _fault(body: dict[str, Any]) -> Fault:
    """The error in the body of a response."""
    try:
        return Fault.model_validate(body.get("error"))
    except ValidationError:
        return Fault(message=str(body))
