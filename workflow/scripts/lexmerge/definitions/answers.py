"""Answers of a local model to prompts, kept in a journal batch by batch."""

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Journal, key_of
from lexmerge.models.backend import BACK_ENDS
from lexmerge.models.generation import Answer, Decoding, Engine, Writer, ids_hash

if TYPE_CHECKING:  # tqdm's class has a type parameter only in its stubs
    Bar = tqdm[Any]
else:
    Bar = tqdm

Start = Callable[[int], Engine]  # loads a checkpoint, given the length of the longest prompt in tokens


def starter(folder: str, settings: dict[str, Any], resources: dict[str, Any]) -> Start:
    """Make the function that loads a checkpoint with the configured back end.

    Args:
        folder: The checkpoint's folder.
        settings: The config's `definitions`, which name the back end.
        resources: The job's resources, including `threads`.

    Returns:
        A function that takes the length of the longest prompt in tokens and returns the engine.
    """

    def start(longest: int) -> Engine:
        return BACK_ENDS[settings["backend"]].start(folder, settings, longest, resources)

    return start


def answers(
    prompts: list[str],
    folder: str,
    settings: dict[str, Any],
    decoding: Decoding,
    start: Start,
    journal: Journal,
    code: str,
) -> list[Answer]:
    """Answer prompts with a checkpoint, and keep each finished batch in a journal.

    A job that was killed continues after its last finished batch and ends with the same rows. The key of a
    batch covers everything that its answers depend on: the checkpoint's files, the settings, the decoding,
    the prompts, the versions of the packages, and the back end's code. The engine starts only if a batch is
    missing.

    Args:
        prompts: The prompts.
        folder: The checkpoint's folder.
        settings: The config's `definitions`.
        decoding: How the answers are decoded.
        start: Loads the checkpoint; see `starter`.
        journal: The journal of the finished batches.
        code: The fingerprint of the back end's module.

    Returns:
        One answer for each prompt, in the order of the prompts.

    Raises:
        StudyError: The engine did not answer every prompt of a batch.
    """
    writer = Writer(folder)
    ids = writer.ids(prompts)
    files = json.loads((Path(folder) / "provenance.json").read_text(encoding="utf-8"))["files"]
    known = {
        "files": files,
        "settings": settings,
        "decoding": asdict(decoding),
        "versions": versions(settings["backend"]),
        "code": code,
    }
    engine: Engine | None = None
    found: dict[int, Answer] = {}
    with _Progress(len(ids)) as progress:
        for batch in BACK_ENDS[settings["backend"]].batches([len(row) for row in ids], folder, settings):
            rows = [ids[i] for i in batch]
            request = {"model": key_of(known), "prompts": ids_hash(rows)}
            done = journal.get(key_of(request))
            if done is None:
                if engine is None:
                    engine = start(max(map(len, ids)))
                    progress.unpause()  # the estimated time leaves out the loading
                done = {
                    "engine": engine.name,
                    "tokens": _generate(engine, rows, writer.ends, decoding, progress),
                }
                journal.add(request, done)
            else:
                progress.update(len(rows))
            for i, tokens in zip(batch, done["tokens"], strict=True):
                found[i] = writer.read(ids[i], tokens, done["engine"], len(batch))
    return [found[i] for i in range(len(ids))]


def versions(backend: str) -> dict[str, str]:
    """Look up the installed versions of the packages that a back end's texts depend on.

    Args:
        backend: The back end's name.

    Returns:
        The version by package; packages that are not installed are left out.
    """
    packages = BACK_ENDS[backend].packages
    installed = {distribution.name for distribution in distributions()}
    return {name: version(name) for name in packages if name in installed}


class _Progress(Bar):
    """A progress bar over answers, with the number of new tokens per second."""

    def __init__(self, total: int) -> None:
        super().__init__(total=total, unit="answer", mininterval=2)
        self.tokens = 0


def _generate(
    engine: Engine, rows: list[list[int]], ends: list[int], decoding: Decoding, progress: _Progress
) -> list[list[int]]:
    """Generate the new tokens of one batch, in the order of its prompts."""
    new: dict[int, list[int]] = {}
    for i, tokens in engine.generate(rows, ends, decoding):
        new[i] = tokens
        progress.tokens += len(tokens)
        elapsed = progress.format_dict["elapsed"]
        progress.set_postfix_str(f"{progress.tokens / max(elapsed, 1e-9):.0f} tokens/s", refresh=False)
        progress.update()
    if len(new) != len(rows):
        raise StudyError(
            f"{engine.name}: only {len(new)} of {len(rows)} prompts were answered; no answer was saved. Run "
            "again"
        )
    return [new[i] for i in range(len(rows))]
