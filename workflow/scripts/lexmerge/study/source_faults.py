"""Checks of models on the Hugging Face hub: their ids and revisions, without a connection."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexmerge.models.adapted import adapter_source, answers_for_source
from lexmerge.study.paths import looked_at
from lexmerge.study.selection import selected_models
from lexmerge.study.violations import place_of, shown

# The hub's rules, as `huggingface_hub.utils.validate_repo_id` has them, for an id with an owner.
PART = r"(?![-.])[A-Za-z0-9_.-]{1,96}(?<![-.])"
HUB_ID = re.compile(f"(?!.*(--|\\.\\.))(?!.*\\.git\\Z){PART}/{PART}")
COMMIT = re.compile(r"[0-9a-f]{7,40}", re.I)
# A tag or branch, by Git's rules for names of references.
LETTER = r"[^\s~^:?*\[\\\x00-\x20\x7f]"
REFERENCE = re.compile(rf"(?![/.-])(?!.*(\.\.|//|@\{{|/\.|\.lock(/|\Z))){LETTER}+(?<![/.])")
# Names that people give to branches; `refs/pr/` are proposals, which change until they are taken.
BRANCHES = ("main", "master", "trunk", "head", "dev", "devel", "develop", "development", "latest", "nightly")
BRANCH_FOLDERS = ("refs/heads/", "refs/pr/", "heads/", "origin/")


def source_faults(config: dict[str, Any]) -> Iterator[str]:
    """Find ids that the hub does not take, and revisions that are none or move.

    Args:
        config: A config laid over the toy study's.

    Yields:
        A line for each fault of a selected model.
    """
    for name in selected_models(config):
        model = config["models"][name]
        source, place = model["source"], place_of(["models", name])
        if "adapter" in model:
            yield from _adapter_faults(model, f"{place}.adapter")
        if not answers_for_source(config["models"], name):
            continue
        if source.startswith(("toy:", ".", "/", "~")) or source.count("/") != 1 or Path(source).is_dir():
            continue  # no hub model
        if not HUB_ID.fullmatch(source):
            yield (
                f"{place}.source: {shown(source)} is not a hub id; the two parts of OWNER/NAME have letters, "
                "digits, `_`, `-` and `.`, at most 96 each, and neither `-` nor `.` at an end. If a folder "
                f"is meant, there is none at {looked_at(source)}"
            )
        if "revision" in model:
            yield from _revision_faults(model, f"{place}.revision")


def _adapter_faults(model: dict[str, Any], place: str) -> Iterator[str]:
    """Faults of the adapter of one model, if it is not a folder."""
    adapter = model["adapter"]
    if Path(adapter).is_dir():
        return
    source, revision = adapter_source(adapter)
    if adapter.startswith(("/", ".", "~")) or not HUB_ID.fullmatch(source):
        yield (
            f"{place}: {shown(adapter)} is not a hub id such as org/name, and there is no folder "
            f"{looked_at(adapter)}"
        )
    elif revision is None:
        yield (
            f"{place}: the adapter has no commit; write {shown(adapter + '@0123abc')} with its commit. If a "
            f"folder is meant, there is none at {looked_at(adapter)}"
        )
    else:
        yield from _revision_faults(model | {"revision": revision}, place)


def _revision_faults(model: dict[str, Any], place: str) -> Iterator[str]:
    """Faults of the revision of one hub model."""
    revision = model["revision"]
    if COMMIT.fullmatch(revision):
        return
    if not REFERENCE.fullmatch(revision) or re.fullmatch(r"[0-9a-f]{41,}", revision, re.I):
        yield f"{place}: {shown(revision)} is neither a commit (7 to 40 hexadecimal digits) nor a tag"
    elif is_moving(revision) and not model.get("allow_moving"):
        yield (
            f"{place}: {shown(revision)} moves when the authors upload something; name the commit, which the "
            "hub shows under `Files and versions`, or set `allow_moving: true` for this model"
        )


def is_moving(revision: str) -> bool:
    """True if a revision has the name of a branch or of a pull request; a tag may have any other name."""
    small = revision.lower()
    return small in BRANCHES or small.startswith(BRANCH_FOLDERS)
