"""Which judges pass their controls, for the tables that they appear in."""

import pandas as pd

from lexmerge.common.files import read_numbers


def controls_of(path: str) -> dict[str, str]:
    """`passed`, `failed` or `untested` for every judge, from the table of controls: who fails one fails."""
    table = read_numbers(path)
    tested = table[table.passed.notna()].astype({"passed": str})
    return {judge: _outcome(tested[tested.judge == judge]) for judge in table.judge.unique()}


def noise_of(path: str) -> dict[str, float]:
    """The spread of a judge's scores of one and the same definition, from the table of controls."""
    table = read_numbers(path)
    repeats = table[table.control == "repeat"]
    return dict(zip(repeats.judge, repeats["mean"], strict=True))


def _outcome(tested: pd.DataFrame) -> str:
    if (tested.passed != "True").any():
        return "failed"
    return "passed" if {"reference", "other_term"} <= set(tested.control) else "untested"
