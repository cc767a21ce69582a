"""Describe the study: its resolved config and the versions of the software that runs it."""

import importlib.metadata
import platform

import yaml
from lexmerge.common.files import write_text
from lexmerge.common.shipped import of_any_folder, workflow_version
from lexmerge.run.job import job

PACKAGES = (
    "snakemake",
    "mergekit",
    "torch",
    "transformers",
    "lm_eval",
    "datasets",
    "nltk",
    "sacrebleu",
    "pandas",
)


def versions() -> dict[str, str]:
    """The versions in this environment; a package that only another environment has is left out."""
    found = {"lexmerge": workflow_version(), "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    with job(snakemake.log[0]):
        described = {"config": of_any_folder(snakemake.params.config), "versions": versions()}
        write_text(snakemake.output[0], yaml.safe_dump(described, sort_keys=False, allow_unicode=True))
