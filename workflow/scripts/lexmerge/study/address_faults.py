"""Checks of the addresses of servers, before anything is sent to them."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from lexmerge.study.violations import place_of, shown

HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
EXAMPLE = "http://localhost:8000/v1"


def address_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find values of `base_url` that are no address of a server.

    Args:
        config: A config laid over the toy study's.

    Yields:
        A line for each fault. Passwords and keys in an address are not repeated.
    """
    asked = {place_of(["judges", name]): judge for name, judge in config["judges"].items()}
    for place, settings in (asked | {"translations": config["translations"]}).items():
        if "base_url" in settings and (fault := fault_of(settings["base_url"])):
            yield f"{place}.base_url: {fault}"


def fault_of(address: str) -> str | None:
    """Check the address of a server.

    Args:
        address: The address as given.

    Returns:
        Its fault and the remedy; None if it can be asked.
    """
    if re.search(r"[\s\x00-\x1f\x7f\\]", address):
        return "the address has a space, a line end, a backslash or a control character; remove it"
    try:
        parts = urlsplit(address)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        return f"the host or the port (1 to 65535) is wrong; write an address such as {EXAMPLE}"
    if "@" in parts.netloc:
        return (
            "a user or password does not belong in an address, which goes into the results; put the key into "
            "an environment variable, and the variable's name under `key_variable`"
        )
    if parts.scheme not in ("http", "https"):
        return f"the address does not begin with http:// or https://; write an address such as {EXAMPLE}"
    if port == 0:
        return "the port is 0; ports go from 1 to 65535"
    if not _is_host(host):
        return f"{shown(address)} names no host; write an address such as {EXAMPLE}"
    if parts.query or parts.fragment or address.endswith(("?", "#")):
        return "an address ends before `?` or `#`; put a key into an environment variable (`key_variable`)"
    return None


def _is_host(host: str) -> bool:
    """True for a host's name or an IP address."""
    if ":" in host or re.fullmatch(r"[\d.]+", host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True
    return bool(HOST.fullmatch(host))
