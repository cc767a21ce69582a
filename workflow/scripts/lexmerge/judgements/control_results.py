"""Results of the judges' controls, read from the table `controls`."""

import pandas as pd

from lexmerge.common.files import read_numbers


def controls_of(path: str) -> dict[str, str]:
    """Read whether each judge passed its controls.

    Args:
        path: The table of controls, made by `tables_controls`.

    Returns:
        By judge: `failed` if it failed any control, `passed` if it passed all, those with the reference and
        with another term's reference among them, otherwise `untested`.
    """
    table = read_numbers(path)
    tested = table[table.passed.notna()].astype({"passed": str})
    return {judge: _outcome(tested[tested.judge == judge]) for judge in table.judge.unique()}


def noise_of(path: str) -> dict[str, float]:
    """Read each judge's noise.

    Args:
        path: The table of controls, made by `tables_controls`.

    Returns:
        By judge: the standard deviation of its scores for the same definition, averaged over terms.
    """
    table = read_numbers(path)
    repeats = table[table.control == "repeat"]
    return dict(zip(repeats.judge, repeats["mean"], strict=True))


def _outcome(tested: pd.DataFrame) -> str:
    """The result from the controls that were tested; see `controls_of`."""
    if (tested.passed != "True").any():
        return "failed"
    return "passed" if {"reference", "other_term"} <= set(tested.control) else "untested"
