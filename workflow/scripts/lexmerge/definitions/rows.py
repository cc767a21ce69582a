"""The rows that definitions travel in, from the models under test to the judges and the report."""

from typing import TypedDict

NOT_ASKED = "not_asked"  # the finish reason of a term without a translation, which the model was not asked


class Definition(TypedDict):
    """A row of `definitions/<model>.jsonl` and `references/<expert>.jsonl`.

    Attributes:
        term: The term in the source language.
        translation: Its translation; empty if it has none.
        prompt_language: The code of the language that the model was asked in.
        definition: What the model wrote.
        finish_reason: `stop` at an end token, `length` at the limit, `not_asked` without a translation.
        tokens: New tokens, the end token among them.
        flags: What is odd about the text, as words; see `flags.flags_of`.
        prompt_version: The version that the prompt's file gives itself.
        prompt_sha256: The first 12 digits of the prompt's hash.
        prompt_tokens: Tokens of the filled-in prompt.
        input_sha256: The hash of the prompt's token ids: models with equal ones were asked the same.
        decoding: How tokens were chosen, in words.
        engine: What generated the text: packages with versions, number format, processor.
        batch_rows: How many prompts were answered in the same batch.
    """

    term: str
    translation: str
    prompt_language: str
    definition: str
    finish_reason: str
    tokens: int
    flags: list[str]
    prompt_version: str
    prompt_sha256: str
    prompt_tokens: int
    input_sha256: str
    decoding: str
    engine: str
    batch_rows: int
