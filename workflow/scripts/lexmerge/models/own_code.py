"""Code that comes with a checkpoint, which never runs."""

from pathlib import Path

from lexmerge.models.files import read_object

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
        if path.is_file() and "auto_map" in read_object(path):
            return (
                f"{name}/{file} has `auto_map`: the model needs its own code, which lexmerge never runs; "
                "if transformers knows this kind of model without it, remove `auto_map` from a copy of the "
                "checkpoint"
            )
    return None
