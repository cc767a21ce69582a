"""MergeKit's merge methods and what they take, from `workflow/schemas/merge_methods.yaml`.

The file is written from MergeKit's registry by `make docs`. Nothing of MergeKit is imported here, since
Snakemake reads this at every start.
"""

import functools
from pathlib import Path
from typing import Any

import yaml

METHODS = Path(__file__).parents[3] / "schemas" / "merge_methods.yaml"


@functools.cache
def methods() -> dict[str, dict[str, Any]]:
    """Read what MergeKit knows of each method.

    Returns:
        By name: `base` (`required`, `optional` or `ignored`), `inputs` and `non_base` (the least and the most
        models, None for no limit), and `parameters` by name with `scope`, `type` and `required`.
    """
    return yaml.safe_load(METHODS.read_text(encoding="utf-8"))
