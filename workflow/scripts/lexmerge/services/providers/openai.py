"""OpenAI, or any server with its chat completions API, such as a local vLLM."""

from typing import Any

from lexmerge.services.provider import Client, Provider


def client(base_url: str | None, variable: str | None) -> Client:
    """Make a client; see `Provider.client`. The SDK takes a second to import."""
    from lexmerge.services.openai_chat import Chat

    return Chat(base_url or SERVER, variable)


def body(
    model: str, instructions: str, text: str, form: str, schema: dict[str, Any], parameters: dict[str, Any]
) -> dict[str, Any]:
    """Make the body of a chat completion with a structured answer; see `Provider.body`."""
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
