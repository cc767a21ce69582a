"""A check that a network is available, before a run that needs it."""

import urllib.error
import urllib.request


def answers(url: str) -> bool:
    """True if the server at an address answers within 10 seconds, be it with an HTTP error."""
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
