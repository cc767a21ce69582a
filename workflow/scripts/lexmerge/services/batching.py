"""Ask a paid service many things in batches: half the price, within a day, and nothing paid for twice.

What is under way stands in a state file beside the journal, one line of JSON an event. A batch is named there
before it is sent, so that after a kill it is looked for at the provider by its name, and not sent again.
"""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_exponential_jitter
from tqdm import tqdm

from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Growing, Journal, key_of
from lexmerge.services.requests import Rejected, TryAgain

TRIES = 2  # batches that a request is put in, in one run
PATIENCE = 6 * 3600.0  # seconds that a provider may be out of reach; a batch takes up to a day
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
AROUND = 400  # bytes of a line that are not the body, at the most

Found = TypeVar("Found")


class BatchGone(Exception):
    """The provider does not have this batch, or no longer has what came of it."""


class Progress(NamedTuple):
    """`state` is `running`, `ended` (also by expiry or cancelling) or `failed`; the last two may have
    answers. `done` and `total` are 0 while the provider does not count. `said`: why it failed."""

    state: str
    done: int = 0
    total: int = 0
    said: str = ""


class BatchClient(Protocol):
    """A service that takes batches. Each method raises TryAgain for what may pass, and a StudyError for what
    will not; those that take a batch's id raise BatchGone where there is none."""

    batch_requests: int  # the most that the provider takes in one batch
    batch_bytes: int

    async def submit(self, bodies: dict[str, dict], name: str) -> str:
        """Send the bodies, all for one model, by their keys; the provider's id of the batch."""

    async def find(self, name: str) -> str | None:
        """The id of the batch that was submitted under this name, if it got there."""

    async def progress(self, batch_id: str) -> Progress:
        """How far a batch is."""

    async def results(self, batch_id: str, keys: list[str]) -> dict[str, dict | Exception]:
        """What came of a batch that is not running; `keys` are those it was submitted with, in their order.
        Answers are as those of `send`, but the model is None where the provider does not say which answered.
        What failed or expired is an Exception, or is not there."""


def ask_in_batches(
    requests: list[dict],
    client: BatchClient,
    journal: Journal,
    state: str | Path,
    poll_seconds: float,
    what: str,
    tolerant: bool = False,
) -> list[dict | None]:
    """The answers in the order of the requests, from the journal where they are there already.

    A batch that the state file knows is waited for, and not sent again. What is missing when its batch has
    ended is put in one more; if it is missing again, a StudyError says so, and that the same command asks
    for it. If `tolerant`, what is missing of a batch of which something came is None, and the next run asks
    again.
    """
    todo = {key_of(request): request for request in requests if key_of(request) not in journal}
    if todo:
        asyncio.run(_Run(todo, client, journal, _Ledger(state), poll_seconds, what).work(tolerant))
    return [journal.get(key_of(request)) for request in requests]


@dataclass
class _Batch:
    """A batch by our name for it; `id` is None until the provider has said what it calls it."""

    name: str
    keys: list[str]
    id: str | None = None
    settled: set[str] = field(default_factory=set)  # keys whose answers are in the journal, or will not come


class _Ledger:
    """The batches that are under way, in a file that only grows."""

    def __init__(self, path: str | Path):
        self._file, self.batches = Growing(path), {}
        self.path = self._file.path
        events = list(self._file.records())
        for event in sorted(
            events, key=lambda event: "keys" not in event
        ):  # hosts settle each other's batches
            try:
                self._take(event)
            except (KeyError, TypeError):
                print(f"{path}: an event cannot be read and is left out: {event}")

    def open(self, keys: list[str]) -> list[_Batch]:
        """The batches from which one of these keys may still come."""
        wanted = set(keys)
        return [b for b in self.batches.values() if wanted & (set(b.keys) - b.settled)]

    def begin(self, keys: list[str]) -> _Batch:
        name = f"lexmerge-{uuid.uuid4().hex}"
        self._write({"name": name, "keys": keys})
        return self.batches[name]

    def submitted(self, batch: _Batch, batch_id: str) -> None:
        self._write({"name": batch.name, "batch": batch_id})

    def settle(self, batch: _Batch, keys: list[str]) -> None:
        self._write({"name": batch.name, "settled": keys})

    def _take(self, event: dict) -> None:
        if "keys" in event:
            self.batches[event["name"]] = _Batch(event["name"], event["keys"])
        elif "batch" in event:
            self.batches[event["name"]].id = event["batch"]
        else:
            self.batches[event["name"]].settled.update(event["settled"])

    def _write(self, event: dict) -> None:
        """Add an event; it is on the disk when this returns."""
        self._file.append(event)
        self._take(event)


class _Run:
    """One run over what is missing."""

    def __init__(
        self,
        todo: dict[str, dict],
        client: BatchClient,
        journal: Journal,
        ledger: _Ledger,
        poll_seconds: float,
        what: str,
    ):
        self.todo, self.client, self.journal, self.ledger = todo, client, journal, ledger
        self.poll_seconds, self.what = poll_seconds, what
        self.tries, self.running, self.cause = Counter(), {}, "some answers did not come"

    async def work(self, tolerant: bool) -> None:
        with tqdm(total=len(self.todo), unit=self.what, mininterval=2) as self.bar:
            try:
                while await self._round():
                    pass
            except (StudyError, TryAgain, Rejected, OSError) as error:
                raise StudyError(self._ending(error)) from None
        if missing := self._missing():
            if tolerant and len(missing) < len(self.todo):
                print(f"{len(missing)} answers did not come: {self.cause}")
            else:
                raise StudyError(self._ending(self.cause))

    async def _round(self) -> bool:
        """Wait for what is under way and for what this sends; False if there is neither."""
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
        """Did a batch whose id we never learned get to the provider? If not, its requests are free again."""
        if found := await _patiently(lambda: self.client.find(batch.name)):
            self.ledger.submitted(batch, found)
        else:
            self.ledger.settle(batch, batch.keys)
        return bool(found)

    async def _submit(self, keys: list[str]) -> _Batch:
        batch = self.ledger.begin(keys)
        bodies, sent = {key: self.todo[key]["body"] for key in keys}, False

        async def submit() -> str:
            """An attempt whose answer was lost may have succeeded."""
            nonlocal sent
            if sent and (found := await self.client.find(batch.name)):
                return found
            sent = True
            return await self.client.submit(bodies, batch.name)

        self.ledger.submitted(batch, await _patiently(submit))
        return batch

    async def _collected(self, batch: _Batch) -> bool:
        """Look at a batch; True if it is over, and what came of it is kept."""
        try:
            progress = await _patiently(lambda: self.client.progress(batch.id))
            if progress.state == "running":
                self._show({batch.name: progress.done})
                return False
            found = await _patiently(lambda: self.client.results(batch.id, batch.keys))
            self._keep(batch, found, progress.said or f"the batch {batch.id} ended without all its answers")
            over = [key for key in batch.keys if key in self.todo]
        except BatchGone as error:
            print(f"{batch.id}: {error}; what is missing of it is sent again")
            self._keep(batch, {}, str(error))
            over = batch.keys
        self.ledger.settle(batch, over)
        self._show({batch.name: 0})
        return True

    def _keep(self, batch: _Batch, found: dict[str, dict | Exception], otherwise: str) -> None:
        for key in batch.keys:
            if key not in self.todo or key in self.journal:
                continue
            answer = found.get(key)
            if isinstance(answer, dict):
                self.journal.add(self.todo[key], answer)
            else:
                self.tries[key] += 1
                self.cause = str(answer or otherwise)

    def _parts(self, keys: list[str]) -> Iterator[list[str]]:
        """The keys in batches of one model each, as large as the provider takes them."""
        by_model: dict[str, list[str]] = {}
        for key in keys:
            by_model.setdefault(self.todo[key]["body"]["model"], []).append(key)
        for group in by_model.values():
            part, size = [], 0
            for key in group:
                weight = len(json.dumps(self.todo[key]["body"])) + AROUND
                if part and (
                    len(part) == self.client.batch_requests or size + weight > self.client.batch_bytes
                ):
                    yield part
                    part, size = [], 0
                part.append(key)
                size += weight
            yield part

    def _missing(self) -> list[str]:
        return [key for key in self.todo if key not in self.journal]

    def _show(self, running: dict[str, int]) -> None:
        self.running.update(running)
        self.bar.n = len(self.todo) - len(self._missing()) + sum(self.running.values())
        self.bar.refresh()

    def _ending(self, cause: object) -> str:
        missing = len(self._missing())
        kept = f"{len(self.todo) - missing} of {len(self.todo)} answers are kept in {self.journal.path}"
        waits = "waits for the batches that are under way, " if self.ledger.open(self._missing()) else ""
        return f"{cause}. {kept}; the same command {waits}asks for the other {missing}, and for no more"


async def _patiently(call: Callable[[], Awaitable[Found]]) -> Found:
    """What a call returns, however often it has to be made within the patience."""
    patient = AsyncRetrying(
        stop=stop_after_delay(PATIENCE), wait=_wait, retry=retry_if_exception_type(TryAgain), reraise=True
    )
    async for attempt in patient:
        with attempt:
            return await call()
    raise AssertionError("tenacity ends with an answer or an error")


def _wait(state: RetryCallState) -> float:
    after = state.outcome.exception().after
    guess = wait_exponential_jitter(FIRST_WAIT, max=LONGEST_WAIT, jitter=FIRST_WAIT)(state)
    return after if after is not None else guess
