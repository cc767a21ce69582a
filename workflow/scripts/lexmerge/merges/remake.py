"""Remake a merge's weights: `python -m lexmerge.merges.remake FOLDER PLACE`, run as a separate process."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import yaml

from lexmerge.common.errors import StudyError
from lexmerge.merges.merge import check_inputs, write_weights
from lexmerge.merges.recipes import models_of
from lexmerge.models.checkpoints import read_headers


def remake(folder: Path, place: Path) -> None:
    """Write the weights of a merge again, from the recipe, seed and settings in its provenance.

    Args:
        folder: The folder of the merge, with its provenance.json.
        place: The target folder of the weights.

    Raises:
        StudyError: The models cannot be merged by the recipe, or the disk has too little room.
    """
    known = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    recipe = known["recipe"]
    check_inputs(recipe, [read_headers(path, path) for path in models_of(recipe)], str(folder))
    write_weights(recipe, yaml.safe_dump(recipe, sort_keys=False), place, known["seed"], known["settings"])


def end_with(parent: int) -> None:
    """Exit when the parent process is gone: nobody would collect the result."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    try:
        remake(*map(Path, sys.argv[1:]))
    except StudyError as error:
        sys.exit(f"failed: {error}")
