"""A number and its noun agree."""

import pytest
from lexmerge.common.plurals import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 merges"), (1, "1 merge"), (2, "2 merges"), (1200, "1,200 merges")]
)
def test_one_is_singular_and_the_rest_is_plural(number, said):
    assert counted(number, "merge") == said
