"""Interface of the providers of language models; each file in `providers/` registers one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from lexmerge.common.registry import Registry
from lexmerge.services.replies import Answer


class Client(Protocol):
    """A connection to one server. Clients of providers with `batches` are also `batching.BatchClient`s."""

    async def send(self, request: dict[str, Any], /) -> Answer:
        """Send one request, without retries.

        Args:
            request: A request made by the provider's `body`.

        Returns:
            The answer. The server may have used another model than the one requested: see `Answer.model`.

        Raises:
            requests.TryAgain: If the request may succeed later.
            requests.Rejected: If the server rejects this request but may accept others.
            StudyError: If no request will succeed, for example because the key was refused.
        """
        ...


@dataclass(frozen=True)
class Provider:
    """A provider of language models for judges and translations.

    Attributes:
        client: Makes a client from the base URL of a server (None: the provider's own) and the name of the
            environment variable with the key (None: no key). It imports its SDK only when called.
        body: Makes a request from the name of the model, the instructions (empty: none), the text, the name
            and the JSON schema of the answer, and the parameters. The journal finds an answer by the hash of
            the request, so the result must not change between versions.
        key_variable: Default name of the environment variable with the key.
        server: Default base URL, written into the resolved study; None if the client has its own default.
        keyless_servers: True if servers at other URLs need no key and cost nothing.
        prices: The provider's id in genai-prices; None if it is not listed there.
        parameters: Default `parameters` of a judge.
        translation_parameters: Default `parameters` of translations.
        token_limits: Parameters that limit the tokens of an answer. They are doubled when a judge is asked
            once more because its answer was cut off.
        reserved: Parameters that the workflow sets itself and a config may not.
        batches: True if the provider has a batch API (`mode: batch`).
    """

    client: Callable[[str | None, str | None], Client]
    body: Callable[[str, str, str, str, dict[str, Any], dict[str, Any]], dict[str, Any]]
    key_variable: str
    server: str | None = None
    keyless_servers: bool = False
    prices: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    translation_parameters: dict[str, Any] = field(default_factory=dict)
    token_limits: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    batches: bool = False


PROVIDERS: Registry[Provider] = Registry("lexmerge.services.providers", Provider)


def is_own_server(name: str, base_url: str | None) -> bool:
    """True if `base_url` is not the provider's own server and its other servers need no key."""
    provider = PROVIDERS[name]
    return provider.keyless_servers and base_url is not None and base_url != provider.server
