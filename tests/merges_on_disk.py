"""Which merges have weights on the disk, at one moment or at the most."""

import os
import threading
from pathlib import Path


def weights(folder: Path) -> set[str]:
    """The merges in a folder of merges that have weights."""
    return {file.parent.name for file in folder.glob("[!.]*/*.safetensors")}


class Sampler(threading.Thread):
    """Looks all the time at which merges have weights, wherever below `merges/` those lie.

    A look counts if the next one is the same: what it saw was there at one moment.
    """

    def __init__(self, merges: Path):
        super().__init__(daemon=True)
        self.merges, self.most, self.seen = merges, 0, set()
        self._over = threading.Event()

    def look(self) -> set[int]:
        found = set()
        for folder, _, files in os.walk(self.merges):
            for name in (name for name in files if name.endswith(".safetensors")):
                try:
                    found.add(Path(folder, name).stat().st_ino)
                except FileNotFoundError:
                    continue
        return found

    def run(self) -> None:
        before = None
        while not self._over.wait(0.005):
            if (now := self.look()) == before:
                self.most = max(self.most, len(now))
                self.seen |= weights(self.merges)
            before = now

    def __enter__(self) -> "Sampler":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self.join()
