"""OpenAI, or any server that speaks its chat completions protocol, such as a local vLLM."""

from typing import Any

from lexmerge.services.provider import Client, Provider


def client(base_url: str | None, variable: str | None) -> Client:
    """Connect to a server; the SDK takes a second to import."""
    from lexmerge.services.openai_chat import Chat

    return Chat(base_url or SERVER, variable)


def body(
    model: str, instructions: str, text: str, form: str, schema: dict[str, Any], parameters: dict[str, Any]
) -> dict[str, Any]:
    """The body of a chat completion with a structured answer; see `Provider.body`."""
    messages = [{"role": "system", "content": instructions}] if instructions else []
    return {
        "model": model,
        "messages": [*messages, {"role": "user", "content": text}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": form, "strict": True, "schema": schema},
        },
        **parameters,
    }


SERVER = "https://api.openai.com/v1"
REGISTERED = Provider(
    about="a language model of OpenAI, or of any server that speaks its protocol",
    client=client,
    body=body,
    key_variable="OPENAI_API_KEY",
    server=SERVER,
    keyless_servers=True,
    prices="openai",
    parameters={"temperature": 0, "seed": 1, "max_completion_tokens": 500},
    translation_parameters={"temperature": 0, "max_completion_tokens": 300},
    token_limits=("max_completion_tokens", "max_tokens"),
    reserved=("model", "messages", "response_format", "stream", "n"),
    batches=True,
)
