"""Send many requests to a paid service in batches, which cost half and are answered within a day.

A state file next to the journal records the batches under way, as one line of JSON for each event. A batch
is named there before it is submitted: if the job is killed, the next run looks for that name at the provider
and does not pay twice.
"""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay
from tqdm import tqdm

from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Growing, Journal, key_of
from lexmerge.services.replies import Answer
from lexmerge.services.requests import Rejected, Request, TryAgain, answers_kept, backoff

TRIES = 2  # batches in which one run submits the same request
PATIENCE = 6 * 3600.0  # seconds that a provider may be unreachable; a batch takes up to a day
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0  # seconds between attempts to reach the provider
OVERHEAD_BYTES = 400  # maximum bytes of a request in a batch, apart from its body

Found = TypeVar("Found")


class BatchGone(Exception):
    """The provider does not have this batch, or no longer has its results."""


class Progress(NamedTuple):
    """Progress of a batch.

    Attributes:
        state: `running`, `ended` (also if it expired or was cancelled) or `failed`; the last two may have
            answers.
        done: Number of requests that ended; 0 while the provider does not count them.
        total: Number of requests of the batch; 0 while the provider does not count them.
        said: The provider's reason for a failure.
    """

    state: str
    done: int = 0
    total: int = 0
    said: str = ""


@runtime_checkable
class BatchClient(Protocol):
    """A connection to one server with a batch API.

    Each method raises TryAgain if it may succeed later, and a StudyError if it will not. Those that take the
    id of a batch raise BatchGone if the provider does not have it.

    Attributes:
        batch_requests: Maximum number of requests in one batch.
        batch_bytes: Maximum size of one batch.
    """

    batch_requests: int
    batch_bytes: int

    async def submit(self, bodies: dict[str, dict[str, Any]], name: str) -> str:
        """Submit a batch.

        Args:
            bodies: Request bodies by key, all for one model.
            name: Our name of the batch.

        Returns:
            The provider's id of the batch.
        """
        ...

    async def find(self, name: str) -> str | None:
        """Return the id of the batch submitted under this name, or None if there is none."""
        ...

    async def progress(self, batch_id: str) -> Progress:
        """Return the progress of a batch."""
        ...

    async def results(self, batch_id: str, keys: list[str]) -> dict[str, Answer | Exception]:
        """Fetch the results of a batch that is not running.

        Args:
            batch_id: The provider's id of the batch.
            keys: The keys that it was submitted with, in their order.

        Returns:
            Answers by key. Requests that failed or expired have an exception or are absent.
        """
        ...


def ask_in_batches(
    requests: Sequence[Request],
    client: BatchClient,
    journal: Journal,
    state: str | Path,
    poll_seconds: float,
    what: str,
    tolerant: bool = False,
) -> list[Answer | None]:
    """Submit the requests that have no answer in the journal, in batches, and add the answers to it.

    Batches in the state file are awaited, not submitted again. A request whose answer is missing when its
    batch has ended is submitted once more.

    Args:
        requests: Requests with their `body`; their hashes are the keys of the journal.
        client: The connection to the server.
        journal: The journal of paid answers.
        state: Path of the state file (JSON lines).
        poll_seconds: Seconds between two looks at the batches.
        what: The unit of the progress bar.
        tolerant: True to return None for missing answers if others arrived; the next run submits them again.

    Returns:
        The answers in the order of the requests.

    Raises:
        StudyError: If the service refuses the requests or stays unreachable, or if answers are missing: any
            of them, or with `tolerant` all of them.
    """
    todo = {key_of(request): request for request in requests if key_of(request) not in journal}
    if todo:
        asyncio.run(_Run(todo, client, journal, _Ledger(state), poll_seconds, what).work(tolerant))
    return answers_kept(requests, journal)


@dataclass
class _Batch:
    """A batch by our name; `id` is the provider's, and None until the provider has confirmed the batch."""

    name: str
    keys: list[str]
    id: str | None = None
    settled: set[str] = field(default_factory=set)  # keys with answers in the journal, or without any


class _Ledger:
    """The batches under way, in an append-only file."""

    def __init__(self, path: str | Path):
        self._file = Growing(path)
        self.batches: dict[str, _Batch] = {}
        self.path = self._file.path
        # Batches first: a host may settle a batch that another host's file describes.
        for event in sorted(self._file.records(), key=lambda event: "keys" not in event):
            try:
                self._take(event)
            except (KeyError, TypeError):
                print(f"{path}: an event cannot be read and is skipped: {event}")

    def open(self, keys: list[str]) -> list[_Batch]:
        """The batches that may still answer one of these keys."""
        wanted = set(keys)
        return [b for b in self.batches.values() if wanted & (set(b.keys) - b.settled)]

    def begin(self, keys: list[str]) -> _Batch:
        """Record a batch that is about to be submitted."""
        name = f"lexmerge-{uuid.uuid4().hex}"
        self._write({"name": name, "keys": keys})
        return self.batches[name]

    def submitted(self, batch: _Batch, batch_id: str) -> None:
        """Record the provider's id of a batch."""
        self._write({"name": batch.name, "batch": batch_id})

    def settle(self, batch: _Batch, keys: list[str]) -> None:
        """Record that the batch will answer no more of these keys."""
        self._write({"name": batch.name, "settled": keys})

    def _take(self, event: dict[str, Any]) -> None:
        """Apply an event to `batches`."""
        if "keys" in event:
            self.batches[event["name"]] = _Batch(event["name"], event["keys"])
        elif "batch" in event:
            self.batches[event["name"]].id = event["batch"]
        else:
            self.batches[event["name"]].settled.update(event["settled"])

    def _write(self, event: dict[str, Any]) -> None:
        """Append an event, synced to disk, and apply it."""
        self._file.append(event)
        self._take(event)


class _Run:
    """One run over the missing answers."""

    def __init__(
        self,
        todo: dict[str, Request],
        client: BatchClient,
        journal: Journal,
        ledger: _Ledger,
        poll_seconds: float,
        what: str,
    ):
        self.todo, self.client, self.journal, self.ledger = todo, client, journal, ledger
        self.poll_seconds, self.what = poll_seconds, what
        self.cause = "some answers are missing"
        self.tries: Counter[str] = Counter()
        self.running: dict[str, int] = {}

    async def work(self, tolerant: bool) -> None:
        """Answer every request, or raise the StudyError that `ask_in_batches` describes."""
        with tqdm(total=len(self.todo), unit=self.what, mininterval=2) as self.bar:
            try:
                while await self._round():
                    pass
            except (StudyError, TryAgain, Rejected, OSError) as error:
                raise StudyError(self._ending(error)) from None
        if missing := self._missing():
            if tolerant and len(missing) < len(self.todo):
                print(f"{len(missing)} answers are missing: {self.cause}")
            else:
                raise StudyError(self._ending(self.cause))

    async def _round(self) -> bool:
        """Submit missing requests and wait for all batches under way; False if there are neither."""
        batches = [b for b in self.ledger.open(self._missing()) if b.id or await self._arrived(b)]
        covered = {key for batch in batches for key in batch.keys}
        fresh = [k for k in self._missing() if k not in covered and self.tries[k] < TRIES]
        for part in self._parts(fresh):
            batches.append(await self._submit(part))
        while batches:
            batches = [batch for batch in batches if not await self._collected(batch)]
            if not batches:
                return True
            await asyncio.sleep(self.poll_seconds)
        return False

    async def _arrived(self, batch: _Batch) -> bool:
        """True if a batch without an id is at the provider; if not, its requests can be submitted again."""
        if found := await _patiently(lambda: self.client.find(batch.name)):
            self.ledger.submitted(batch, found)
        else:
            self.ledger.settle(batch, batch.keys)
        return bool(found)

    async def _submit(self, keys: list[str]) -> _Batch:
        """Submit a batch of the requests with these keys."""
        batch = self.ledger.begin(keys)
        bodies, sent = {key: self.todo[key]["body"] for key in keys}, False

        async def submit() -> str:
            """Submit the batch, unless an earlier attempt whose reply was lost has succeeded."""
            nonlocal sent
            if sent and (found := await self.client.find(batch.name)):
                return found
            sent = True
            return await self.client.submit(bodies, batch.name)

        self.ledger.submitted(batch, await _patiently(submit))
        return batch

    async def _collected(self, batch: _Batch) -> bool:
        """Look at a batch; True if it is over and its answers are in the journal."""
        batch_id = batch.id
        assert batch_id, "_round waits only for batches that the provider has confirmed"
        try:
            progress = await _patiently(lambda: self.client.progress(batch_id))
            if progress.state == "running":
                self._show({batch.name: progress.done})
                return False
            found = await _patiently(lambda: self.client.results(batch_id, batch.keys))
            self._keep(batch, found, progress.said or f"the batch {batch_id} ended without all its answers")
            over = [key for key in batch.keys if key in self.todo]
        except BatchGone as error:
            print(f"{batch_id}: {error}; its missing requests are submitted again")
            self._keep(batch, {}, str(error))
            over = batch.keys
        self.ledger.settle(batch, over)
        self._show({batch.name: 0})
        return True

    def _keep(self, batch: _Batch, found: dict[str, Answer | Exception], otherwise: str) -> None:
        """Add the answers found to the journal; `otherwise` is the cause for keys without a result."""
        for key in batch.keys:
            if key not in self.todo or key in self.journal:
                continue
            answer = found.get(key)
            if answer is None or isinstance(answer, Exception):
                self.tries[key] += 1
                self.cause = str(answer or otherwise)
            else:
                self.journal.add(self.todo[key], answer)

    def _parts(self, keys: list[str]) -> Iterator[list[str]]:
        """Divide the keys into batches of one model each, as large as the provider accepts."""
        by_model: dict[str, list[str]] = {}
        for key in keys:
            by_model.setdefault(self.todo[key]["body"]["model"], []).append(key)
        for group in by_model.values():
            part: list[str] = []
            size = 0
            for key in group:
                weight = len(json.dumps(self.todo[key]["body"])) + OVERHEAD_BYTES
                if part and (
                    len(part) == self.client.batch_requests or size + weight > self.client.batch_bytes
                ):
                    yield part
                    part, size = [], 0
                part.append(key)
                size += weight
            yield part

    def _missing(self) -> list[str]:
        """Keys without an answer in the journal."""
        return [key for key in self.todo if key not in self.journal]

    def _show(self, running: dict[str, int]) -> None:
        """Update the progress bar; `running` has the answered requests of batches by name."""
        self.running.update(running)
        self.bar.n = len(self.todo) - len(self._missing()) + sum(self.running.values())
        self.bar.refresh()

    def _ending(self, cause: object) -> str:
        """The message of the error that ends the run."""
        missing = len(self._missing())
        kept, place = f"{len(self.todo) - missing} of {len(self.todo)} answers", self.journal.path.absolute()
        waits = "wait for the batches under way and " if self.ledger.open(self._missing()) else ""
        return (
            f"{cause}. {kept} are kept in {place}; run the same command again to {waits}request only the "
            "other "
            f"{missing}"
        )


async def _patiently(call: Callable[[], Awaitable[Found]]) -> Found:
    """Return the result of a call, repeated after each TryAgain until `PATIENCE` is over."""
    patient = AsyncRetrying(
        stop=stop_after_delay(PATIENCE), wait=_wait, retry=retry_if_exception_type(TryAgain), reraise=True
    )
    async for attempt in patient:
        with attempt:
            return await call()
    raise AssertionError("tenacity ends with an answer or an error")


def _wait(state: RetryCallState) -> float:
    """Seconds to wait before the next attempt."""
    return backoff(state, FIRST_WAIT, LONGEST_WAIT)
