"""Shared by the clients of all providers: the form of an answer, API keys, Retry-After, model names."""

import email.utils
import os
import re
import time
from collections.abc import Mapping
from typing import Any, TypedDict

from lexmerge.common.errors import StudyError

UNFIT = (400, 413, 422)  # HTTP statuses that concern one request, such as one too long for the model
LONGEST = 300  # characters of a server's message that are quoted in an error
SNAPSHOT = re.compile(r"(-(preview|exp|latest))?(-\d{2,8})*")


class Answer(TypedDict):
    """An answer of a language model, in the same form for every provider.

    Attributes:
        model: The model that answered, as the service names it; None if the service does not name it.
        text: The answer's text; may be empty.
        refusal: The text of the model's refusal, or None.
        finish_reason: `stop`, `length`, `content_filter`, or a value of the service's own.
        block: The content filter that stopped the answer, or None.
        usage: Token counts `prompt_tokens`, `completion_tokens` and `total_tokens`, or None.
        id: The service's id of the answer, or None.
    """

    model: str | None
    text: str
    refusal: str | None
    finish_reason: str | None
    block: str | None
    usage: dict[str, Any] | None
    id: str | None


def blocked_prompt(model: str | None) -> Answer:
    """Make the answer to a prompt that the service's content filter refused."""
    return {
        "model": model,
        "text": "",
        "refusal": None,
        "finish_reason": "content_filter",
        "block": "content_filter",
        "usage": None,
        "id": None,
    }


def api_key(variable: str | None) -> str:
    """Read an API key from an environment variable.

    Args:
        variable: Name of the variable, or None for servers without keys.

    Returns:
        The key without surrounding whitespace; empty if no variable is named.

    Raises:
        StudyError: If the variable is empty, or the key is not printable ASCII.
    """
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise StudyError(f"no API key; set the environment variable {variable} to your key")
    if not (key.isascii() and key.isprintable()):
        raise StudyError(
            f"the environment variable {variable} is not a key: it has characters outside of printable ASCII"
        )
    return key


def server_delay(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header (ms, s or HTTP date), never negative; None if there is none."""
    for header, divisor in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(headers[header]) / divisor)
        except (KeyError, ValueError):
            continue
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError):
        return None


def is_model(asked: str, answered: str) -> bool:
    """True if the model that answered is the requested one, or a dated snapshot of that alias.

    `gpt-4o-2024-08-06` is a snapshot of `gpt-4o`; `gpt-4o-mini` is not.
    """
    return answered.startswith(asked) and SNAPSHOT.fullmatch(answered[len(asked) :]) is not None


def check_model(asked: str, answer: Mapping[str, Any], server: str) -> None:
    """Stop if another model than the requested one answered.

    Args:
        asked: The requested model.
        answer: An `Answer`.
        server: Base URL of the server, for the error.

    Raises:
        StudyError: If the answer names another model.
    """
    answered = answer["model"]
    if answered and not is_model(asked, answered):
        raise StudyError(
            f"{server} was asked for the model {asked!r}, but {answered!r} answered; set `model` to one it "
            "serves"
        )
