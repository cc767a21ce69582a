"""Ask a paid service many things: each once, some at a time, patiently, and with every answer kept.

The SDKs' own retries are off: they disagree with each other and multiply with ours. A service that says how
long to wait is believed, by all requests at once.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
)
from tenacity.wait import wait_exponential_jitter
from tqdm import tqdm

from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Journal, key_of
from lexmerge.services.limits import Limits

Send = Callable[[dict], Awaitable[dict]]


class TryAgain(Exception):
    """A request failed in a way that may pass. `after`: the seconds that the service asks to wait;
    `crowded`: it means every request, not this one alone."""

    def __init__(self, reason: str, after: float | None = None, crowded: bool = False):
        super().__init__(reason)
        self.after, self.crowded = after, crowded


class Rejected(Exception):
    """The service does not take this one request, however often it is sent; it may well take others."""


def ask_all(
    requests: list[dict], send: Send, journal: Journal, limits: Limits, what: str, tolerant: bool = False
) -> list[dict | None]:
    """The answers in the order of the requests, from the journal where they are there already.

    A request that fails for good does not stop the others; a StudyError at the end says how many are left,
    or if `tolerant` the answer is None and the next run asks again. A StudyError that `send` raises (a
    refused key, a used-up quota) stops at once; what is under way is waited for and kept.
    """
    todo = {key_of(request): request for request in requests if key_of(request) not in journal}
    if todo:
        asyncio.run(_Run(todo, send, journal, limits, what).work(tolerant))
    return [journal.get(key_of(request)) for request in requests]


class _Run:
    """One run over what is missing: a few workers that share a queue, a rate and a gate."""

    def __init__(self, todo: dict[str, dict], send: Send, journal: Journal, limits: Limits, what: str):
        self.todo, self.send, self.journal, self.limits, self.what = todo, send, journal, limits, what
        self.queue, self.failed, self.in_a_row = list(todo.values()), {}, 0
        self.answered = bool(journal)  # is there a request that the service takes?
        self.fatal: StudyError | None = None
        self.open_at = 0.0

    async def work(self, tolerant: bool) -> None:
        self.rate = AsyncLimiter(1, 60 / self.limits.requests_per_minute)
        with tqdm(total=len(self.todo), unit=self.what, mininterval=2) as self.progress:
            await asyncio.gather(*(self._worker() for _ in range(self.limits.connections)))
        missing = sum(key not in self.journal for key in self.todo)
        if not missing or (tolerant and not self.fatal):
            return
        kept = f"{len(self.todo) - missing} of {len(self.todo)} answers are kept in {self.journal.path}"
        cause = self.fatal or next(iter(self.failed.values()))
        raise StudyError(f"{cause}. {kept}; the same command asks for the other {missing}, and for no more")

    async def _worker(self) -> None:
        while self.queue and not self.fatal:
            request = self.queue.pop(0)
            try:
                self.journal.add(request, await self._answer(request))
                self.in_a_row, self.answered = 0, True
                self.progress.update()
            except (StudyError, OSError) as error:  # of the journal too: what cannot be kept is not asked for
                self.fatal = self.fatal or error
            except (TryAgain, Rejected) as error:
                self.failed[key_of(request)] = error
                print(f"given up: {error}")
                if isinstance(error, Rejected) and self.answered:
                    continue  # it is this request, and not the service
                self.in_a_row += 1
                most = 2 if isinstance(error, Rejected) else self.limits.failures
                if self.in_a_row >= most:
                    self.fatal = self.fatal or StudyError(f"{self.in_a_row} failures in a row: {error}")

    async def _answer(self, request: dict) -> dict:
        patient = AsyncRetrying(
            stop=stop_after_attempt(self.limits.attempts) | stop_after_delay(self.limits.patience),
            wait=self._wait,
            retry=retry_if_exception_type(TryAgain),
            reraise=True,
        )
        async for attempt in patient:
            with attempt:
                return await self._send(request)
        raise AssertionError("tenacity ends with an answer or an error")

    async def _send(self, request: dict) -> dict:
        clock = asyncio.get_running_loop()
        async with self.rate:  # first the rate, then the gate: it may close while the rate is waited for
            while not self.fatal and (closed := self.open_at - clock.time()) > 0:
                await asyncio.sleep(min(closed, 0.5))
            if self.fatal:
                raise self.fatal
            try:
                async with asyncio.timeout(self.limits.timeout):
                    return await self.send(request)
            except TimeoutError:
                raise TryAgain(f"no answer within {self.limits.timeout:.0f} s") from None
            except TryAgain as error:
                if error.after is not None and error.after > self.limits.longest_wait:
                    raise StudyError(f"the service asks to wait {error.after:.0f} s ({error})") from None
                if error.crowded and error.after:
                    self.open_at = max(self.open_at, clock.time() + error.after)
                raise

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception()
        guess = wait_exponential_jitter(self.limits.first_wait, max=60, jitter=self.limits.first_wait)(state)
        return error.after if error.after is not None else guess
