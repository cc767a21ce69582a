"""Prompts answered by a local model: the back end of the settings, and a journal of what is done."""

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Journal, key_of
from lexmerge.models.backend import BACK_ENDS
from lexmerge.models.generation import Answer, Decoding, Engine, Writer, ids_hash

Start = Callable[[int], Engine]  # makes an engine, given the longest prompt's length in tokens


def starter(folder: str, settings: dict[str, Any], resources: dict[str, Any]) -> Start:
    """Choose how to load a checkpoint.

    Args:
        folder: The checkpoint's folder.
        settings: `definitions` in the config, which names the back end.
        resources: The job's resources, with its `threads`.

    Returns:
        A function that loads the checkpoint, given the longest prompt's length in tokens.
    """

    def start(longest: int) -> Engine:
        return BACK_ENDS[settings["backend"]].start(folder, settings, longest, resources)

    return start


def answers(
    prompts: list[str],
    folder: str,
    settings: dict,
    decoding: Decoding,
    start: Start,
    journal: Journal,
    code: str,
) -> list[Answer]:
    """One answer to each prompt, in their order, by the checkpoint in `folder`.

    A batch that is done is in the journal: a killed job goes on after its last whole batch and ends with the
    same rows. It is found again by all that it depends on: the checkpoint's files, the settings, the
    decoding, the prompts, the packages' versions, and `code`, the fingerprint of the engine's module. The
    engine is started only if something is missing.
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
    engine, found = None, {}
    with _Progress(len(ids)) as progress:
        for batch in BACK_ENDS[settings["backend"]].batches([len(row) for row in ids], folder, settings):
            rows = [ids[i] for i in batch]
            request = {"model": key_of(known), "prompts": ids_hash(rows)}
            done = journal.get(key_of(request))
            if done is None:
                if engine is None:
                    engine = start(max(map(len, ids)))
                    progress.unpause()  # the estimate is of what comes after the start
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
    """The installed versions of the packages that a back end's texts depend on."""
    packages = BACK_ENDS[backend].packages
    installed = {distribution.name for distribution in distributions()}
    return {name: version(name) for name in packages if name in installed}


class _Progress(tqdm):
    """Answers done, the estimate of the end, and new tokens a second."""

    def __init__(self, total: int):
        super().__init__(total=total, unit="answer", mininterval=2)
        self.tokens = 0


def _generate(engine, rows, ends, decoding, progress) -> list[list[int]]:
    new: dict[int, list[int]] = {}
    for i, tokens in engine.generate(rows, ends, decoding):
        new[i] = tokens
        progress.tokens += len(tokens)
        elapsed = progress.format_dict["elapsed"]
        progress.set_postfix_str(f"{progress.tokens / max(elapsed, 1e-9):.0f} tokens/s", refresh=False)
        progress.update()
    if len(new) != len(rows):
        raise StudyError(
            f"{engine.name}: {len(new)} of {len(rows)} prompts were answered; nothing was written"
        )
    return [new[i] for i in range(len(rows))]
