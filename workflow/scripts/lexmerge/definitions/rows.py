"""The row of a definition, as models under test write it and judges and the report read it."""

from typing import TypedDict

NOT_ASKED = "not_asked"  # the finish reason of a term that was skipped because it has no translation


class Definition(TypedDict):
    """A row of `definitions/<model>.jsonl` and `references/<expert>.jsonl`.

    Attributes:
        term: The term in the source language.
        translation: Its translation; empty if it has none.
        prompt_language: The code of the prompt's language.
        definition: The text that the model generated.
        finish_reason: `stop` at an end token, `length` at the token limit, `not_asked` without a translation.
        tokens: The number of new tokens, including the end token.
        flags: Defects of the text; see `flags.flags_of`.
        prompt_version: The version that the prompt's file states; empty if none.
        prompt_sha256: The first 12 digits of the prompt's SHA-256.
        prompt_tokens: The number of tokens of the filled-in prompt.
        input_sha256: The first 12 digits of the SHA-256 of the prompt's token ids, equal for equal input.
        decoding: The decoding in words, such as `greedy, at most 256 tokens`.
        engine: The packages with versions, the number format and the processor that generated the text.
        batch_rows: The number of prompts in the same batch.
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
