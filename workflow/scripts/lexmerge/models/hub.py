"""Models on the Hugging Face hub: commits, headers and files. Gated models need `HF_TOKEN`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    NotASafetensorsRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from lexmerge.common.errors import StudyError
from lexmerge.common.files import hashes
from lexmerge.models.adapters import Adapter, adapter_from_files, read_adapter
from lexmerge.models.files import ADAPTER, ADAPTER_WEIGHTS, INDEX, SMALL, model_files, shards, weight_names


@contextmanager
def explained(source: str, revision: str) -> Iterator[None]:
    """Turn the hub's errors into a StudyError that names the remedy and never contains the token.

    Args:
        source: The model's name on the hub.
        revision: The requested branch, tag or commit.

    Raises:
        StudyError: The block raised an error of the hub, of the network or of the disk.
    """
    try:
        yield
    except GatedRepoError:
        raise StudyError(
            f"{source} is gated: accept its licence at https://huggingface.co/{source} with your account, "
            "and set the environment variable HF_TOKEN to a token of that account"
        ) from None
    except RevisionNotFoundError:
        raise StudyError(f"{source} has no revision {revision!r}; name one of its commits") from None
    except RepositoryNotFoundError:
        raise StudyError(
            f"the hub has no public model {source!r}; check the name, or set the environment variable "
            "HF_TOKEN for a private model"
        ) from None
    except NotASafetensorsRepoError:
        raise StudyError(
            f"{source} has no safetensors files, and pickle files are not read; name a revision that has them"
        ) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise StudyError(
            f"{source} could not be fetched from the hub ({type(error).__name__}); run again"
        ) from None


def commit_of(source: str, revision: str) -> str:
    """Look up the commit hash of a revision (a branch, tag or commit); see `explained` for errors."""
    with explained(source, revision):
        commit = HfApi().model_info(source, revision=revision).sha
    assert commit is not None  # the hub leaves it out only in lists of models
    return commit


def headers_of(source: str, revision: str) -> tuple[str, dict[str, tuple[tuple[int, ...], str]]]:
    """Fetch the headers of a model's safetensors files, a few kilobytes of each; see `explained` for errors.

    Args:
        source: The model's name on the hub.
        revision: A branch, tag or commit.

    Returns:
        The commit hash, and the shape and dtype of each tensor by name.
    """
    commit = commit_of(source, revision)
    with explained(source, revision):
        metadata = HfApi().get_safetensors_metadata(source, revision=commit)
    tensors: dict[str, tuple[tuple[int, ...], str]] = {
        name: (tuple(tensor.shape), tensor.dtype)
        for file in metadata.files_metadata.values()
        for name, tensor in file.tensors.items()
    }
    return commit, tensors


def adapter_on_hub(source: str, revision: str) -> Adapter:
    """Fetch the header and the small files of a LoRA adapter; see `explained` for errors.

    Args:
        source: The adapter's name on the hub.
        revision: A branch, tag or commit.
    """
    commit = commit_of(source, revision)
    with tempfile.TemporaryDirectory() as folder:
        fetch(source, commit, folder, [*SMALL])
        if not Path(folder, ADAPTER).is_file():
            return read_adapter(folder, source)  # raises
        with explained(source, commit):
            if not HfApi().file_exists(source, ADAPTER_WEIGHTS, revision=commit):
                return read_adapter(folder, source)  # raises
            found = HfApi().parse_safetensors_file_metadata(source, ADAPTER_WEIGHTS, revision=commit)
        tensors = {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in found.tensors.items()}
        return adapter_from_files(Path(folder), source, tensors)


def files_of(source: str, commit: str, folder: str) -> list[str]:
    """Choose the files of a model from the listing of its repository; see `explained` for errors.

    Args:
        source: The model's name on the hub.
        commit: The commit hash.
        folder: The target folder of the model, into which the index of several files is fetched.

    Returns:
        The names of the files, as `files.model_files` chooses them.

    Raises:
        StudyError: Also if the repository has two sets of weights, or lacks some.
    """
    with explained(source, commit):
        siblings = HfApi().model_info(source, revision=commit).siblings or []
        names = [file.rfilename for file in siblings if "/" not in file.rfilename]
        if INDEX in names:
            hf_hub_download(source, INDEX, revision=commit, local_dir=folder)
    place, listed = f"the repository {source}", shards(folder) if INDEX in names else None
    return model_files(names, weight_names(place, names, listed))


def fetch(source: str, commit: str, folder: str, patterns: list[str]) -> None:
    """Fetch files of a commit, resuming interrupted downloads and keeping complete files.

    Args:
        source: The model's name on the hub.
        commit: The commit hash.
        folder: The target folder.
        patterns: Glob patterns of the files to fetch.

    Raises:
        StudyError: See `explained`.
    """
    with explained(source, commit):
        snapshot_download(source, revision=commit, local_dir=folder, allow_patterns=patterns)


def checked_hashes(source: str, commit: str, folder: str) -> dict[str, str]:
    """Compute the hashes of downloaded files, and compare them with those that the hub publishes.

    Args:
        source: The name on the hub.
        commit: The commit hash.
        folder: The folder of the download.

    Returns:
        The sha256 of each file by name.

    Raises:
        StudyError: A file was damaged in the download; it is removed. See also `explained`.
    """
    files = hashes(folder)
    for name, published in published_hashes(source, commit).items():
        if name in files and files[name] != published:
            Path(folder, name).unlink()
            raise StudyError(
                f"{source}: {name} was damaged in the download and removed; run again, to fetch it"
            )
    return files


def published_hashes(source: str, commit: str) -> dict[str, str]:
    """Return the sha256 of each large (LFS) file of a commit by name, as the hub publishes it."""
    with explained(source, commit):
        found = HfApi().model_info(source, revision=commit, files_metadata=True).siblings or []
    return {file.rfilename: file.lfs.sha256 for file in found if file.lfs}
