"""Prompts: texts with placeholders such as `{term}`, and their tokens in a model's chat template."""

import hashlib
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from lexmerge.common.errors import StudyError

SECONDS = 30  # that a chat template may take, thousands of times what an honest one needs
LONGEST = 1_000_000  # characters that a chat template may add to a conversation
VERSION = re.compile(r"\A# *version *: *(.*?) *\r?\n", re.I)


@dataclass(frozen=True)
class Prompt:
    """A prompt.

    Attributes:
        text: The text, with placeholders.
        version: The version that its file declares; empty if none.
        sha256: The first 12 hexadecimal digits of the text's SHA-256.
    """

    text: str
    version: str
    sha256: str


def load_prompt(path: str | Path) -> Prompt:
    """Read a prompt; a first line such as `# version: 2` declares its version and is not part of the text."""
    written = Path(path).read_text(encoding="utf-8-sig")
    named = VERSION.match(written)
    text = (written[named.end() :] if named else written).rstrip("\n")
    return Prompt(text, named[1] if named else "", hashlib.sha256(text.encode()).hexdigest()[:12])


def read_prompt(path: str | Path) -> str:
    """Read the text of a prompt, without the line of its version."""
    return load_prompt(path).text


def fill(prompt: str, term: str, **others: str) -> str:
    """Replace the placeholders of a prompt by values, in which braces are kept as they are."""
    values = {"term": term, **others}
    return re.sub(rf"\{{({'|'.join(values)})\}}", lambda place: values[place[1]], prompt)


def chat_ids(tokenizer: Any, text: str) -> list[int]:
    """Tokenize one user turn, up to where the model's answer begins.

    Args:
        tokenizer: A tokenizer of Hugging Face Transformers.
        text: The user's text.

    Returns:
        Token ids: of the text in the chat template with a single BOS, or of the plain text if there is no
        template.
    """
    ids: list[int]
    if tokenizer.chat_template is None:
        ids = tokenizer(text)["input_ids"]
        return ids
    turn = [{"role": "user", "content": text}]
    templated = in_template(tokenizer, turn, add_generation_prompt=True)
    ids = tokenizer(templated, add_special_tokens=False)["input_ids"]
    return ids


def check_template(tokenizer: Any) -> None:
    """Render a conversation of one turn, before a library renders many without limits; see `in_template`."""
    if tokenizer.chat_template is not None:
        in_template(tokenizer, [{"role": "user", "content": "?"}], add_generation_prompt=True)


def in_template(tokenizer: Any, turns: list[dict[str, str]], **options: Any) -> str:
    """Put a conversation into a model's chat template, a program that comes with the model, under limits.

    Args:
        tokenizer: A tokenizer of Hugging Face Transformers with a chat template.
        turns: The `role` and the `content` of each turn.
        **options: Other arguments of the tokenizer's `apply_chat_template`.

    Raises:
        StudyError: The template needs more than `SECONDS` (in the main thread), too much memory or too many
            calls within calls, or it adds more than `LONGEST` characters.
    """
    try:
        with _time_limit(SECONDS):
            text: str = tokenizer.apply_chat_template(turns, tokenize=False, **options)
    except TimeoutError:
        fault = f"takes more than {SECONDS} s for one conversation and may never end"
    except (MemoryError, RecursionError) as error:
        fault = f"cannot be used ({type(error).__name__})"
    else:
        added = len(text) - sum(len(turn["content"]) for turn in turns)
        if added <= LONGEST:
            return text
        fault = f"adds {added:,} characters to one conversation; at most {LONGEST:,} are allowed"
    raise StudyError(
        f"{tokenizer.name_or_path}: the model's chat template {fault}. Correct it in a copy of the model "
        "(chat_template.jinja or tokenizer_config.json), or take another model"
    )


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError in the block after a time; only the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
