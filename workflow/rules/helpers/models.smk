"""Helpers for models: their sources, and the resources for training or fetching them."""

from lexmerge.benchmarks.tasks import definition_files
from lexmerge.benchmarks.toy import GLOSSARY, MAKERS

# All defined toy models, also those that the study does not select: selecting fewer retrains nothing.
TOY_MODELS = {
    name: model["source"]
    for name, model in defined_models(config, TOY_STUDY).items()
    if model["source"].startswith("toy:")
}
TOY_TASKS = [
    file
    for suite in ("pubmedqa", "japanese_leaderboard", "jmedbench")
    for file in definition_files(f"resources/benchmarks/{suite}", MAKERS)
]
TOY_PROMPTS = {language: f"resources/prompts/definition.{language}.txt" for language in ("en", "ja")}


def is_linked(model):
    """True if a model's source is a local folder, which is linked and not copied."""
    return Path(STUDY["models"][model]["source"]).is_dir()


def fetched_model(model):
    """A model's download as text, with its size; empty for a local folder."""
    gigabytes = estimates.fetching(SIZES[model])["disk_mb"] / 1000
    return "" if is_linked(model) else f"{STUDY['models'][model]['source']}, {gigabytes:.1f} GB"
