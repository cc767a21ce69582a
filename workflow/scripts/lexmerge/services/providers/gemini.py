"""Google's Gemini API."""

from typing import Any

from lexmerge.services.provider import Client, Provider

# Technical terms often trip filters made for conversations.
UNFILTERED = [
    {"category": f"HARM_CATEGORY_{kind}", "threshold": "BLOCK_NONE"}
    for kind in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
]


def client(base_url: str | None, variable: str | None) -> Client:
    """Make a client; see `Provider.client`. The SDK takes a second to import."""
    from lexmerge.services.gemini_chat import Gemini

    return Gemini(base_url, variable or REGISTERED.key_variable)


def body(
    model: str, instructions: str, text: str, form: str, schema: dict[str, Any], parameters: dict[str, Any]
) -> dict[str, Any]:
    """Make a request with a structured answer; see `Provider.body`. Gemini takes no schema name (`form`)."""
    config = {
        "response_mime_type": "application/json",
        "response_json_schema": schema,
        "safety_settings": UNFILTERED,
        **parameters,
    }
    return {"model": model, "system": instructions, "text": text, "config": config}


REGISTERED = Provider(
    client=client,
    body=body,
    key_variable="GEMINI_API_KEY",
    prices="google",
    parameters={"temperature": 0, "seed": 1, "max_output_tokens": 4000},  # the limit includes its thoughts
    translation_parameters={"temperature": 0, "max_output_tokens": 2000},
    token_limits=("max_output_tokens",),
    reserved=("model", "response_mime_type", "response_json_schema", "system_instruction"),
    batches=True,
)
