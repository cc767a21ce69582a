"""Models of the Hugging Face hub: a pinned commit, its headers, its files. `HF_TOKEN` opens gated ones."""

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    NotASafetensorsRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from lexmerge.common.errors import StudyError

SMALL = ["*.json", "*.jinja", "*.model", "tokenizer*"]
WEIGHTS = ["*.safetensors"]


@contextmanager
def explained(source: str, revision: str) -> Iterator[None]:
    """The hub's errors as one sentence with the remedy; the token is in none of them."""
    try:
        yield
    except GatedRepoError:
        raise StudyError(
            f"{source} is gated: accept its licence at https://huggingface.co/{source} with your account, "
            "and set the environment variable HF_TOKEN to a token of that account"
        ) from None
    except RevisionNotFoundError:
        raise StudyError(f"{source} has no revision {revision!r}; name a commit of it") from None
    except RepositoryNotFoundError:
        raise StudyError(
            f"the hub has no model {source!r} that can be seen; check the name, and if it is private set the "
            "environment variable HF_TOKEN"
        ) from None
    except NotASafetensorsRepoError:
        raise StudyError(f"{source} has no safetensors; pickles are not read") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise StudyError(
            f"{source} cannot be fetched from the hub ({type(error).__name__}): run again"
        ) from None


def commit_of(source: str, revision: str) -> str:
    """The commit that a revision is today."""
    with explained(source, revision):
        return HfApi().model_info(source, revision=revision).sha


def headers_of(source: str, revision: str) -> tuple[str, dict[str, tuple[tuple[int, ...], str]]]:
    """The commit of a revision, and every tensor's shape and dtype, from a few kilobytes of each file."""
    commit = commit_of(source, revision)
    with explained(source, revision):
        metadata = HfApi().get_safetensors_metadata(source, revision=commit)
    tensors = {
        name: (tuple(tensor.shape), tensor.dtype)
        for file in metadata.files_metadata.values()
        for name, tensor in file.tensors.items()
    }
    return commit, tensors


def fetch(source: str, commit: str, folder: str, patterns: list[str]) -> None:
    """Files of a commit; what is there is not fetched again, and what was cut off goes on."""
    with explained(source, commit):
        snapshot_download(source, revision=commit, local_dir=folder, allow_patterns=patterns)


def published_hashes(source: str, commit: str) -> dict[str, str]:
    """The sha256 of the large files, as the hub has it."""
    with explained(source, commit):
        found = HfApi().model_info(source, revision=commit, files_metadata=True).siblings or []
    return {file.rfilename: file.lfs.sha256 for file in found if file.lfs}
