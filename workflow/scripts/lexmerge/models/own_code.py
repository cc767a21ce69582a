"""Code that comes with a checkpoint, which never runs."""

import json
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError

FILES = ("config.json", "tokenizer_config.json")


def own_code(folder: str | Path, name: str | Path) -> str | None:
    """Describe the fault of a checkpoint that asks for Python code of its own; None for any other.

    Args:
        folder: The checkpoint's folder; no more than `FILES` is read.
        name: What messages call the folder.

    Raises:
        StudyError: A file is not a JSON object.
    """
    for file in FILES:
        path = Path(folder, file)
        if path.is_file() and "auto_map" in json_object(path):
            return (
                f"{name}/{file} has `auto_map`: the model needs its own code, which lexmerge never runs; "
                "if transformers knows this kind of model without it, remove `auto_map` from a copy of the "
                "checkpoint"
            )
    return None


def json_object(file: Path) -> dict[str, Any]:
    """Read a JSON file that holds a mapping.

    Raises:
        StudyError: The file is something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(f"{file} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise StudyError(f"{file} is not a JSON object")
    return content
