"""Prompts: small texts with places such as `{term}`, put into the model's chat template where it has one."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

VERSION = re.compile(r"\A# *version *: *(.*?) *\r?\n", re.I)


@dataclass(frozen=True)
class Prompt:
    """A prompt's text, the version that its file gives itself (empty if none), and the hash of the text."""

    text: str
    version: str
    sha256: str


def load_prompt(path: str | Path) -> Prompt:
    """Read a prompt; a first line `# version: 2` names its version and is no part of what is sent."""
    written = Path(path).read_text(encoding="utf-8-sig")
    named = VERSION.match(written)
    text = (written[named.end() :] if named else written).rstrip("\n")
    return Prompt(text, named[1] if named else "", hashlib.sha256(text.encode()).hexdigest()[:12])


def read_prompt(path: str | Path) -> str:
    """The text of a prompt."""
    return load_prompt(path).text


def fill(prompt: str, term: str, **others: str) -> str:
    """The values stand where their names were; they are no templates: braces in them stay braces."""
    values = {"term": term, **others}
    return re.sub(rf"\{{({'|'.join(values)})\}}", lambda place: values[place[1]], prompt)


def chat_ids(tokenizer, text: str) -> list[int]:
    """Token ids of one user turn, ready for the answer; the template's own BOS is not doubled."""
    if tokenizer.chat_template is None:
        return tokenizer(text)["input_ids"]
    turn = [{"role": "user", "content": text}]
    templated = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    return tokenizer(templated, add_special_tokens=False)["input_ids"]
