"""Is there a network? Asked before a run that needs it."""

import urllib.error
import urllib.request


def answers(url: str) -> bool:
    """Does the host of the address say anything at all?"""
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except urllib.error.HTTPError:
        return True  # it is there, if only to say that it has nothing at its root
    except OSError:
        return False
    return True
