"""MergeKit's merge methods and their parameters, from `workflow/schemas/merge_methods.yaml`.

`make docs` writes this file from MergeKit's registry. MergeKit itself is not imported, since Snakemake reads
this module at every start.
"""

import functools
from pathlib import Path
from typing import Any

import yaml

METHODS = Path(__file__).parents[3] / "schemas" / "merge_methods.yaml"


@functools.cache
def methods() -> dict[str, dict[str, Any]]:
    """Load the properties of each merge method.

    Returns:
        By the method's name: `base` (`required`, `optional` or `ignored`), `inputs` and `non_base` (the
        minimum and the maximum number of models, None for no limit), and `parameters` by name with `scope`,
        `type` and `required`.
    """
    known: dict[str, dict[str, Any]] = yaml.safe_load(METHODS.read_text(encoding="utf-8"))
    return known
