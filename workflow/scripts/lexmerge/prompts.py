"""Prompts: small texts with places such as `{term}`, put into the model's chat template where it has one."""

import re
from pathlib import Path


def read_prompt(path: str | Path) -> str:
    return Path(path).read_text(encoding="utf-8").rstrip("\n")


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
