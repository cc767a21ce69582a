"""What the candidates of one search scored, found by any number of workers that share nothing but a folder.

Each worker runs the whole search; what another has evaluated already it reads. A worker that is killed leaves
a claim that is no longer renewed, and another takes its candidate over.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lexmerge.common.journal import Journal, answers_in, key_of

RENEWED = 10  # seconds after which a claim is renewed
STALE = 180  # seconds without renewal after which it is void: caches of shared file systems last a minute
LOOK_AGAIN = 0.5  # seconds between looks at what the others have done


class Evaluations:
    """The answers of all workers by their requests; this one appends to a journal of its own."""

    def __init__(self, folder: str | Path, worker: int):
        self._folder, self._worker = Path(folder), worker
        self._own = Journal(self._folder / f"{worker}.jsonl")
        self._others: dict[Path, tuple[int, dict[str, dict]]] = {}
        self._claims = self._folder / "claims"
        self._claims.mkdir(exist_ok=True)
        self._seen: dict[Path, tuple[int, float]] = {}

    def get(self, request: dict) -> dict | None:
        """The answer, if there is one; should two workers have one, the lower number's, for all."""
        key = key_of(request)
        found = [(self._own.path, self._own.get(key))]
        found += [(file, answers.get(key)) for file, (_, answers) in self._others.items()]
        found.sort(key=lambda pair: (_worker_of(pair[0]), pair[0].name))
        return next((answer for _, answer in found if answer is not None), None)

    def all(
        self, requests: list[dict], evaluate: Callable[[dict], dict], before_each: Callable[[], None]
    ) -> list[dict]:
        """The answers to all requests, in their order: read, evaluated here, or waited for.

        `before_each` is called before each that is not known yet; it may raise: all that is known is kept.
        """
        # Each worker begins at another place, so that they seldom want the same.
        first = int(len(requests) * (self._worker * 0.618)) % len(requests)
        order = [*range(first, len(requests)), *range(first)]
        while open_ones := [requests[n] for n in order if self.get(requests[n]) is None]:
            before_each()
            self._look()
            open_ones = [request for request in open_ones if self.get(request) is None]
            for request in open_ones:
                with self._claimed(key_of(request)) as ours:
                    if ours:
                        self._look()
                        if self.get(request) is None:
                            answer = evaluate(request)
                            self._look()  # another may have taken it for lost, and been faster
                            if self.get(request) is None:
                                self._own.add(request, answer)
                        break
            else:
                if open_ones:
                    time.sleep(LOOK_AGAIN)
        return [self.get(request) for request in requests]

    def _look(self) -> None:
        """Read what the others have appended."""
        for file in self._folder.glob("[0-9]*.jsonl"):
            if file != self._own.path and (size := file.stat().st_size) != self._others.get(file, (0,))[0]:
                self._others[file] = (size, answers_in(file))

    @contextmanager
    def _claimed(self, key: str) -> Iterator[bool]:
        """True while the candidate is this worker's; a thread renews the claim."""
        claim = self._claims / key[:16]
        if not self._take(claim):
            yield False
            return
        done = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(claim, done), daemon=True)
        renewing.start()
        try:
            yield True
        finally:
            done.set()
            renewing.join()
            claim.unlink(missing_ok=True)

    def _take(self, claim: Path) -> bool:
        try:
            with claim.open("x") as file:
                file.write(str(self._worker))
            return True
        except FileExistsError:
            pass
        if not self._is_void(claim):
            return False
        try:
            claim.rename(claim.with_suffix(f".void{self._worker}"))  # only one of the others succeeds
        except FileNotFoundError:
            return False
        claim.with_suffix(f".void{self._worker}").unlink()
        return self._take(claim)

    def _is_void(self, claim: Path) -> bool:
        """Is it this worker's from before it was killed, or no longer renewed?"""
        try:
            holder, renewed = claim.read_text(), claim.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        if holder == str(self._worker):
            return True
        # By this machine's clock: those of others may differ.
        last, since = self._seen.get(claim, (None, 0.0))
        if renewed != last:
            self._seen[claim] = (renewed, time.monotonic())
            return False
        return time.monotonic() - since > STALE

    def _renew(self, claim: Path, done: threading.Event) -> None:
        while not done.wait(RENEWED):
            try:
                os.utime(claim)
            except FileNotFoundError:
                return


def _worker_of(journal: Path) -> int:
    """Whose journal a file is: `2.jsonl`, or `2@host.jsonl` where another host has begun the first."""
    return int(journal.stem.partition("@")[0])
