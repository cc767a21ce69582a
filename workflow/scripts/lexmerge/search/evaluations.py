"""The evaluations of one search, shared by any number of workers through a folder.

Each worker runs the whole search and reads the evaluations of the others. While it evaluates a candidate it
holds a lease on it (`lexmerge.common.leases`); when a worker is killed, its lease becomes void and another
worker takes over the candidate.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lexmerge.common.journal import Journal, answers_in, key_of
from lexmerge.common.leases import Leases

HEARTBEAT = 10  # seconds between two touches of a lease
STALE = 180  # seconds after which an untouched lease is void
POLL = 0.5  # seconds between two checks when other workers hold all remaining candidates


class Evaluations:
    """The answers of all workers by request; each worker appends to its own journal.

    If two workers have evaluated the same candidate, all use the answer of the worker with the lower number.
    """

    def __init__(self, folder: str | Path, worker: int) -> None:
        """Read this worker's journal, and remove the leases that it held before it was killed.

        Args:
            folder: The folder that the workers of one search share.
            worker: The number of this worker, from 0; no two running processes may have the same.
        """
        self._folder, self._worker = Path(folder), worker
        self._own = Journal(self._folder / f"{worker}.jsonl")
        self._others: dict[Path, tuple[int, dict[str, dict[str, Any]]]] = {}
        self._leases = Leases(self._folder / "leases", HEARTBEAT, STALE)
        self._leases.remove_kind(str(worker))

    def get(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a request from the journals as last read; None if there is none yet."""
        key = key_of(request)
        found = [(self._own.path, self._own.get(key))]
        found += [(file, answers.get(key)) for file, (_, answers) in self._others.items()]
        found.sort(key=lambda pair: (_worker_of(pair[0]), pair[0].name))
        return next((answer for _, answer in found if answer is not None), None)

    def all(
        self,
        requests: list[dict[str, Any]],
        evaluate: Callable[[dict[str, Any]], dict[str, Any]],
        before_each: Callable[[], None],
    ) -> list[dict[str, Any]]:
        """Answer all requests: read each answer, evaluate it here, or wait for another worker.

        Args:
            requests: The candidates of one generation, including everything that their answers depend on.
            evaluate: Returns the answer to a request.
            before_each: Called before each unanswered request. It may raise an error to stop; all answers so
                far are kept.

        Returns:
            The answers, in the order of the requests.
        """
        # Each worker begins at a different request, so that they seldom compete for one. The golden ratio
        # spreads any number of workers evenly.
        first = int(len(requests) * (self._worker * 0.618)) % len(requests)
        ordered = [*requests[first:], *requests[:first]]
        while self._open(ordered):
            before_each()
            self._look()
            if not (open_ones := self._open(ordered)):
                break
            lease = self._leases.take_first_free(open_ones, str(self._worker))
            if lease is None:
                time.sleep(POLL)
                continue
            try:
                self._answer(open_ones[lease.name], evaluate)
            finally:
                lease.give_back()
        found = [self.get(request) for request in requests]
        return [answer for answer in found if answer is not None]  # by now, there is one to each

    def _open(self, requests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """The unanswered requests, by the names of their leases."""
        return {key_of(request)[:16]: request for request in requests if self.get(request) is None}

    def _answer(self, request: dict[str, Any], evaluate: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Evaluate a request on which this worker holds the lease, unless another has answered it."""
        self._look()
        if self.get(request) is not None:  # answered since the last reading
            return
        answer = evaluate(request)
        self._look()
        if self.get(request) is None:  # it is there if another worker found this lease stale and was faster
            self._own.add(request, answer)

    def _look(self) -> None:
        """Read the journals of the other workers that have grown."""
        for file in self._folder.glob("[0-9]*.jsonl"):
            if file != self._own.path and (size := _size(file)) != self._others.get(file, (0,))[0]:
                self._others[file] = (size, answers_in(file))


def _size(file: Path) -> int:
    """The size of a file in bytes. The file is opened because NFS asks the server only on opening."""
    with file.open("rb") as handle:
        return os.fstat(handle.fileno()).st_size


def _worker_of(journal: Path) -> int:
    """The number of a journal's worker: 2 for `2.jsonl`, and for `2@host.jsonl` from another host."""
    return int(journal.stem.partition("@")[0])
