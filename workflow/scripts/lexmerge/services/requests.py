"""Send many requests to a paid service: with concurrency, rate limit and retries, each answer in a journal.

The retries of the SDKs are off: they differ from each other and would multiply with the ones here. When a
service says how long to wait, all requests wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

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
from lexmerge.services.replies import Answer

Request = dict[str, Any]
Send = Callable[[Request], Awaitable[Answer]]


class TryAgain(Exception):
    """A request failed for a reason that may pass, such as a server error.

    Attributes:
        after: Seconds to wait as requested by the service, or None.
        rate_limited: True if every request must wait, not only this one.
    """

    def __init__(self, reason: str, after: float | None = None, rate_limited: bool = False):
        super().__init__(reason)
        self.after, self.rate_limited = after, rate_limited


class Rejected(Exception):
    """The service rejects this one request for good; it may accept others."""


def answers_kept(requests: Sequence[Request], journal: Journal) -> list[Answer | None]:
    """Answers from the journal in the order of the requests; None for those that are missing."""
    return [journal.get(key_of(request)) for request in requests]


def backoff(state: RetryCallState, first: float, longest: float) -> float:
    """Seconds to wait before the next attempt.

    Args:
        state: The failed attempt.
        first: Wait before the second attempt, in seconds.
        longest: Maximum wait, in seconds.

    Returns:
        The wait that the service requested, or exponential backoff with jitter if it requested none.
    """
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, TryAgain) and error.after is not None:
        return error.after
    return wait_exponential_jitter(first, max=longest, jitter=first)(state)


def ask_all(
    requests: Sequence[Request],
    send: Send,
    journal: Journal,
    limits: Limits,
    what: str,
    tolerant: bool = False,
) -> list[Answer | None]:
    """Send the requests that have no answer in the journal, and add the answers to it.

    A request that fails for good does not stop the others. A StudyError raised by `send`, such as for a
    refused key, stops the run; answers under way are still awaited and kept.

    Args:
        requests: The requests; their hashes are the keys of the journal.
        send: Sends one request; see `provider.Client.send` for its exceptions.
        journal: The journal of paid answers.
        limits: Limits of the requests.
        what: The unit of the progress bar.
        tolerant: True to return None for requests that failed, which the next run sends again.

    Returns:
        The answers in the order of the requests.

    Raises:
        StudyError: If `send` raised one, the service is down, or, unless `tolerant`, a request failed.
    """
    todo = {key_of(request): request for request in requests if key_of(request) not in journal}
    if todo:
        asyncio.run(_Run(todo, send, journal, limits, what).work(tolerant))
    return answers_kept(requests, journal)


class _Run:
    """One run over the missing answers: workers that share a queue, a rate limit and a common wait."""

    def __init__(self, todo: dict[str, Request], send: Send, journal: Journal, limits: Limits, what: str):
        self.todo, self.send, self.journal, self.limits, self.what = todo, send, journal, limits, what
        self.queue, self.in_a_row = list(todo.values()), 0
        self.failed: dict[str, TryAgain | Rejected] = {}
        self.answered = bool(journal)  # True once the service has accepted a request
        self.fatal: StudyError | OSError | None = None
        self.paused_until = 0.0

    async def work(self, tolerant: bool) -> None:
        """Answer every request, or raise the StudyError that `ask_all` describes."""
        self.rate = AsyncLimiter(1, 60 / self.limits.requests_per_minute)
        with tqdm(total=len(self.todo), unit=self.what, mininterval=2) as self.progress:
            await asyncio.gather(*(self._worker() for _ in range(self.limits.connections)))
        missing = sum(key not in self.journal for key in self.todo)
        if not missing or (tolerant and not self.fatal):
            return
        kept, place = f"{len(self.todo) - missing} of {len(self.todo)} answers", self.journal.path.absolute()
        cause = self.fatal or next(iter(self.failed.values()))
        raise StudyError(
            f"{cause}. {kept} are kept in {place}; run the same command again to request only the other "
            f"{missing}"
        )

    async def _worker(self) -> None:
        """Take requests from the queue until it is empty or the run stops."""
        while self.queue and not self.fatal:
            request = self.queue.pop(0)
            try:
                self.journal.add(request, await self._answer(request))
                self.in_a_row, self.answered = 0, True
                self.progress.update()
            except (StudyError, OSError) as error:  # also if the journal cannot be written
                self.fatal = self.fatal or error
            except (TryAgain, Rejected) as error:
                self.failed[key_of(request)] = error
                print(f"given up: {error}")
                if isinstance(error, Rejected) and self.answered:
                    continue  # the fault is in this request, not in the service
                self.in_a_row += 1
                most = 2 if isinstance(error, Rejected) else self.limits.failures
                if self.in_a_row >= most:
                    self.fatal = self.fatal or StudyError(f"{self.in_a_row} failures in a row: {error}")

    async def _answer(self, request: Request) -> Answer:
        """Send a request until it is answered or the limits are reached."""
        patient = AsyncRetrying(
            stop=stop_after_attempt(self.limits.attempts) | stop_after_delay(self.limits.patience),
            wait=lambda state: backoff(state, self.limits.first_wait, 60),
            retry=retry_if_exception_type(TryAgain),
            reraise=True,
        )
        async for attempt in patient:
            with attempt:
                return await self._send(request)
        raise AssertionError("tenacity ends with an answer or an error")

    async def _send(self, request: Request) -> Answer:
        """Send a request once, when the rate limit and the common wait allow it."""
        clock = asyncio.get_running_loop()
        async with self.rate:  # before the common wait, which may begin while this waits for the rate limit
            while not self.fatal and (closed := self.paused_until - clock.time()) > 0:
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
                    raise StudyError(
                        f"the service asks to wait {error.after:.0f} s, longer than the limit of "
                        f"{self.limits.longest_wait:.0f} s ({error}); run again later"
                    ) from None
                if error.rate_limited and error.after:
                    self.paused_until = max(self.paused_until, clock.time() + error.after)
                raise
