"""The providers of language models that a study may ask over the network: see `providers/`, one file each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from lexmerge.common.registry import Registry
from lexmerge.services.replies import Answer


class Client(Protocol):
    """A connection to one server. A provider with `batches` has the methods of `batching.BatchClient` too."""

    async def send(self, request: dict[str, Any], /) -> Answer:
        """Ask once.

        Args:
            request: What the provider's `body` made.

        Returns:
            The answer, from whichever model the server took.

        Raises:
            requests.TryAgain: If the request may succeed later.
            requests.Rejected: If the server does not take this one request; it may take others.
            StudyError: If no request will succeed, such as with a refused key.
        """
        ...


@dataclass(frozen=True)
class Provider:
    """A provider of language models, as judges and translations ask it.

    Attributes:
        about: What the choice means, for the config reference.
        client: Makes a client from a server's address (None: the provider's own) and the name of the
            environment variable with the key (None: no key). Imports its SDK only when called.
        body: Makes a request from the model's name, the instructions (empty: none), the text, the name and
            the JSON schema of the answer, and the parameters. Answers are kept by the hash of the result.
        key_variable: The environment variable with the key, unless the config names another.
        server: The address that is written into a study that names none; None if the client knows its own.
        keyless_servers: True if servers at other addresses are asked without a key and cost nothing.
        prices: The provider's id in the price list of genai-prices; None if it is not there.
        parameters: A judge's default `parameters`.
        translation_parameters: The default `parameters` of translations.
        token_limits: The parameters that limit an answer's tokens. They are doubled for an answer that was
            cut off at the limit, which is asked for once more.
        reserved: Parameters that the workflow sets itself, so that a config may not.
        batches: True if requests can be sent in batches (`mode: batch`).
    """

    about: str
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
    """True if `base_url` is not the provider's own address, and servers elsewhere need no key."""
    provider = PROVIDERS[name]
    return provider.keyless_servers and base_url is not None and base_url != provider.server
