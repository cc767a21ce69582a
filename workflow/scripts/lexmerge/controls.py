"""Which judges pass their controls, for the tables that they appear in."""

from lexmerge.files import read_numbers


def controls_of(path: str) -> dict[str, str]:
    """`passed` or `failed` for every judge, from the table of controls: a judge that fails one fails."""
    table = read_numbers(path)
    tested = table[table.passed.notna()].astype({"passed": str})
    return {
        judge: "failed" if (tested[tested.judge == judge].passed != "True").any() else "passed"
        for judge in table.judge.unique()
    }
