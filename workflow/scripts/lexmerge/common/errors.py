"""The error of a user's input."""


class StudyError(Exception):
    """Something the user gave is wrong: the message names the thing, the place and the remedy."""


def nearest(name: object, allowed: list[str]) -> str:
    """A hint that ends an error: the closest allowed name, then all of them."""
    import difflib

    close = difflib.get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(sorted(allowed)) or 'none'}"
