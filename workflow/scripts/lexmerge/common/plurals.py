"""Numbers with their nouns, for the terminal and the report."""


def counted(number: int, noun: str) -> str:
    """Format a number with its noun, such as `1 merge` and `1,200 merges`.

    Args:
        number: The number.
        noun: The noun in the singular; its plural ends in `s`.
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
