"""Chat completions of OpenAI or of any server that speaks its protocol, such as a local vLLM.

A request is the body that goes over the wire; an answer is what matters of the reply: `model`, `text`,
`refusal`, `finish_reason`, `block` (what filtered it, if anything did), `usage`, `id`.
"""

import json
from collections.abc import Awaitable
from typing import Any

import openai
from pydantic import BaseModel, Field, ValidationError

from lexmerge.common.errors import StudyError
from lexmerge.services.batching import BatchGone, Progress
from lexmerge.services.replies import LONGEST, UNFIT, Answer, api_key, blocked_prompt, server_delay
from lexmerge.services.requests import Rejected, TryAgain

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

    def answer(self) -> Answer:
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
    code: str | int | None = None
    message: str | None = None


class Faults(BaseModel):
    data: list[Fault] | None = None


class Counts(BaseModel):
    completed: int = 0
    failed: int = 0
    total: int = 0


class Batch(BaseModel):
    """What has to be in a batch; `File` is what has to be in an uploaded file."""

    id: str
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: Faults | None = None
    request_counts: Counts | None = None
    metadata: dict | None = None


class File(BaseModel):
    id: str


class Page(BaseModel):
    data: list[Batch]
    has_more: bool = False


class Response(BaseModel):
    status_code: int
    body: dict


class Line(BaseModel):
    """One of a batch's results."""

    custom_id: str
    response: Response | None = None
    error: Fault | None = None


class Chat:
    """One server. The key is in the environment variable, if the server wants one; it is never shown."""

    batch_requests, batch_bytes = 50_000, 190_000_000  # the provider takes 200 MB

    def __init__(self, base_url: str, variable: str | None, timeout: float = 120):
        self.base_url, self.variable, self.key = base_url, variable, api_key(variable)
        self.client = openai.AsyncOpenAI(
            base_url=base_url, api_key=self.key or "none", timeout=timeout, max_retries=0
        )

    async def send(self, request: dict) -> Answer:
        """Ask once.

        Args:
            request: The body of the request, as it goes over the wire.

        Returns:
            The answer, from whichever model the server took.

        Raises:
            TryAgain: If the request may succeed later.
            Rejected: If the server does not take this one request.
            StudyError: If no request will succeed: a refused key, a used-up quota, an unknown model.
        """
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
            raise TryAgain(f"{self.base_url} answered with something that is no chat completion") from None
        return reply.answer()

    async def submit(self, bodies: dict[str, dict], name: str) -> str:
        url = "/v1/chat/completions"
        lines = (
            json.dumps({"custom_id": key, "method": "POST", "url": url, "body": body})
            for key, body in bodies.items()
        )
        upload = self.client.files.with_raw_response.create
        create = self.client.batches.with_raw_response.create
        nowhere = StudyError(f"{self.base_url} takes no batches (404): ask it with `mode: now`")
        file = await self._asked(
            upload(file=(f"{name}.jsonl", "\n".join(lines).encode()), purpose="batch"), File, nowhere
        )
        made = create(input_file_id=file.id, endpoint=url, completion_window="24h", metadata={"name": name})
        return (await self._asked(made, Batch, nowhere)).id

    async def find(self, name: str) -> str | None:
        after, more = {}, True
        nowhere = StudyError(f"{self.base_url} has no list of batches (404)")
        while more:
            listed = self.client.batches.with_raw_response.list(limit=100, **after)
            page = await self._asked(listed, Page, nowhere)
            for batch in page.data:
                if (batch.metadata or {}).get("name") == name:
                    return batch.id
            more = page.has_more and bool(page.data)
            after = {"after": page.data[-1].id} if more else {}
        return None

    async def progress(self, batch_id: str) -> Progress:
        batch = await self._batch(batch_id)
        state = {"failed": "failed"} | dict.fromkeys(("completed", "expired", "cancelled"), "ended")
        counts = batch.request_counts or Counts()
        faults = "; ".join(f.message or str(f.code) for f in (batch.errors and batch.errors.data) or [])
        found, done = state.get(batch.status, "running"), counts.completed + counts.failed
        return Progress(found, done, counts.total, self._masked(faults)[:LONGEST])

    async def results(self, batch_id: str, keys: list[str]) -> dict[str, dict | Exception]:
        """As the protocol has it: by the key of each, since the order is not that of the requests. An answer
        is of whichever model the server took."""
        batch, found = await self._batch(batch_id), {}
        for file in filter(None, (batch.error_file_id, batch.output_file_id)):
            for line in (await self._content(file)).splitlines():
                found |= self._result(line)
        return found

    def _result(self, line: bytes) -> dict[str, dict | Exception]:
        try:
            result = Line.model_validate_json(line)
            if result.response and result.response.status_code == 200:
                return {result.custom_id: Reply.model_validate(result.response.body).answer()}
        except ValidationError:
            raise TryAgain(f"{self.base_url} has a result of a batch that cannot be read") from None
        fault = result.error or Fault()
        if result.response:
            fault = _fault(result.response.body)
        if fault.code in FILTERED:
            return {result.custom_id: blocked_prompt(None)}
        said = self._masked(f"{fault.code}: {fault.message}")[:LONGEST]
        return {result.custom_id: TryAgain(f"{self.base_url} has no answer in a batch: {said}")}

    async def _batch(self, batch_id: str) -> Batch:
        retrieve = self.client.batches.with_raw_response.retrieve
        return await self._asked(
            retrieve(batch_id), Batch, BatchGone(f"{self.base_url} has no {batch_id} (404)")
        )

    async def _content(self, file: str) -> bytes:
        content = self.client.files.with_raw_response.content
        return await self._asked(content(file), None, BatchGone(f"{self.base_url} has no {file} (404)"))

    async def _asked(self, call: Awaitable, kind: type[BaseModel] | None, gone: Exception) -> Any:
        """What a call about batches returns, as this kind or as it came; its errors as those of `send`, and
        `gone` for a 404."""
        try:
            raw = await call
            return kind.model_validate_json(raw.content) if kind else raw.content
        except openai.APIStatusError as error:
            raise (gone if error.status_code == 404 else self._explain(error, "batches")) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise TryAgain(self._masked(f"{self.base_url} did not answer: {cause}")) from None
        except ValidationError:
            raise TryAgain(
                f"{self.base_url} answered with something that is no {kind.__name__.lower()}"
            ) from None

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
        kind = Rejected if status in UNFIT else StudyError
        return kind(f"{self.base_url} does not accept the request ({status}): {said}")

    def _masked(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key else text


def _fault(body: dict) -> Fault:
    try:
        return Fault.model_validate(body.get("error"))
    except ValidationError:
        return Fault(message=str(body))
