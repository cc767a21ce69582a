"""What the candidates of one search scored, found by any number of workers that share nothing but a folder.

Each worker runs the whole search, and reads what another has evaluated already. It holds a lease on the
candidate that it evaluates (`lexmerge.common.leases`); when a worker is killed, its lease becomes void and
another takes the candidate over.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from lexmerge.common.journal import Journal, answers_in, key_of
from lexmerge.common.leases import Leases

HEARTBEAT = 10  # seconds between two touches of a lease
STALE = 180  # seconds after which an untouched lease is void
POLL = 0.5  # seconds after which a worker looks again when the others hold all candidates that are left


class Evaluations:
    """The answers of all workers by their requests; this one appends to a journal of its own.

    When two workers have evaluated the same candidate, the answer of the lower number counts, for all.
    """

    def __init__(self, folder: str | Path, worker: int):
        """Read this worker's journal, and end the leases that it had before it was killed.

        Args:
            folder: The folder that the workers of one search share.
            worker: The number of this worker, from 0. No two processes have the same at one time.
        """
        self._folder, self._worker = Path(folder), worker
        self._own = Journal(self._folder / f"{worker}.jsonl")
        self._others: dict[Path, tuple[int, dict[str, dict]]] = {}
        self._leases = Leases(self._folder / "leases", HEARTBEAT, STALE)
        self._leases.remove_kind(str(worker))

    def get(self, request: dict) -> dict | None:
        """Return the answer to a request, as far as this worker has read the journals.

        Args:
            request: What `all` was given.

        Returns:
            The answer, or None if there is none yet.
        """
        key = key_of(request)
        found = [(self._own.path, self._own.get(key))]
        found += [(file, answers.get(key)) for file, (_, answers) in self._others.items()]
        found.sort(key=lambda pair: (_worker_of(pair[0]), pair[0].name))
        return next((answer for _, answer in found if answer is not None), None)

    def all(
        self, requests: list[dict], evaluate: Callable[[dict], dict], before_each: Callable[[], None]
    ) -> list[dict]:
        """Answer all requests: each is read, evaluated here, or waited for.

        Args:
            requests: The candidates of one generation, with all that their answers depend on.
            evaluate: Gives the answer to a request.
            before_each: Called before each request that is not answered yet. It may raise an error to end the
                work; all answers so far are kept.

        Returns:
            The answers, in the order of the requests.
        """
        # Each worker begins at another place, so that they seldom want the same.
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
        return [self.get(request) for request in requests]

    def _open(self, requests: list[dict]) -> dict[str, dict]:
        """The requests without an answer, by the names of their leases."""
        return {key_of(request)[:16]: request for request in requests if self.get(request) is None}

    def _answer(self, request: dict, evaluate: Callable[[dict], dict]) -> None:
        """Evaluate a request on which this worker has the lease, unless another has done so meanwhile."""
        self._look()
        if self.get(request) is not None:  # answered between the last look and the lease
            return
        answer = evaluate(request)
        self._look()
        if self.get(request) is None:  # or another took this worker for lost, and was faster
            self._own.add(request, answer)

    def _look(self) -> None:
        """Read what the others have appended."""
        for file in self._folder.glob("[0-9]*.jsonl"):
            if file != self._own.path and (size := _size(file)) != self._others.get(file, (0,))[0]:
                self._others[file] = (size, answers_in(file))


def _size(file: Path) -> int:
    """The bytes in a file. It is opened, since NFS asks the server only then."""
    with file.open("rb") as handle:
        return os.fstat(handle.fileno()).st_size


def _worker_of(journal: Path) -> int:
    """Whose journal a file is: `2.jsonl`, or `2@host.jsonl` where another host has begun the first."""
    return int(journal.stem.partition("@")[0])
