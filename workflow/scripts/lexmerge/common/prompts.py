"""Prompts: texts with placeholders such as `{term}`, and their tokens in a model's chat template."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    templated = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(templated, add_special_tokens=False)["input_ids"]
    return ids
