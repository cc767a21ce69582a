"""The error for faults in the user's input, and a hint on misspelt names."""


class StudyError(Exception):
    """A fault in the user's input. The message names the thing, the place and the remedy."""


def nearest(name: object, allowed: list[str]) -> str:
    """Suggest a name, as the end of an error message.

    Args:
        name: The name that is not allowed.
        allowed: All allowed names.

    Returns:
        The closest allowed name, if one is close, then all of them.
    """
    import difflib

    close = difflib.get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(sorted(allowed)) or 'none'}"
