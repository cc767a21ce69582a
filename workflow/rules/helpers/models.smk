"""The models: their sources, and what training or fetching them takes."""

from lexmerge.benchmarks.tasks import definition_files
from lexmerge.benchmarks.toy import GLOSSARY, MAKERS

# All that are defined, whether the study selects them or not: selecting fewer trains nothing again.
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
    """Is a model's source a local folder, which is linked and not copied?"""
    return Path(STUDY["models"][model]["source"]).is_dir()


def fetched_model(model):
    """What is downloaded for a model, in words; empty for a local folder."""
    gigabytes = estimates.fetching(SIZES[model])["disk_mb"] / 1000
    return "" if is_linked(model) else f"{STUDY['models'][model]['source']}, {gigabytes:.1f} GB"
