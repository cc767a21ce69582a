"""Helpers for models: their sources, and the resources for training or fetching them."""

from lexmerge.benchmarks.tasks import definition_files
from lexmerge.benchmarks.toy import FOLDERS, GLOSSARY, MAKERS
from lexmerge.models.files import ADAPTER, ADAPTER_WEIGHTS, folder_files
from lexmerge.models.tokens import TOKENIZER, WITH_TOKENIZER
from lexmerge.models.adapted import unadapted

# All defined toy models, also those that the study does not select: selecting fewer retrains nothing. A study without
# any trains none.
TOY_MODELS = {
    name: model["source"]
    for name, model in DEFINED_MODELS.items()
    if model["source"].startswith("toy:") and "adapter" not in model
}
if not TOY_MODELS.keys() & STUDY["models"]:
    TOY_MODELS = {}
ADAPTED = [name for name, model in STUDY["models"].items() if "adapter" in model]
TOY_TASKS = [
    file
    for folder in (map(shipped, FOLDERS) if TOY_MODELS else [])
    for file in definition_files(folder, MAKERS)
]
TOY_GLOSSARY = shipped(GLOSSARY)
TOY_PROMPTS = {code: shipped(f"resources/prompts/definition.{code}.txt") for code in ("en", "ja")}


def files_of_source(model):
    """The files of a model in a local folder, which are linked; empty for a hub model."""
    source = STUDY["models"][model]["source"]
    return [str(file) for file in folder_files(source)] if is_linked(model) else []


def adapter_files(model):
    """The files of a model's adapter in a local folder; empty for one on the hub."""
    folder = Path(STUDY["models"][model]["adapter"])
    names = (ADAPTER, ADAPTER_WEIGHTS, *TOKENIZER, *WITH_TOKENIZER)
    return [str(folder / name) for name in names if (folder / name).is_file()]


def is_linked(model):
    """True if a model's source is a local folder, which is linked and not copied."""
    return Path(STUDY["models"][model]["source"]).is_dir()


def fetched_model(model):
    """A model's download as text, with its size; empty for a local folder."""
    gigabytes = estimates.fetching(SIZES[model])["disk_mb"] / 1000
    return "" if is_linked(model) else f"{STUDY['models'][model]['source']}, {gigabytes:.1f} GB"
