"""Data sets named in task definitions, which LM Evaluation Harness reads from the hub or its cache."""

import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexmerge.common.errors import StudyError
from lexmerge.common.network import answers

if TYPE_CHECKING:  # importing lm-eval takes seconds
    from lm_eval.api.task import Task

COMMIT = re.compile(r"/([0-9a-f]{40})/")  # a folder of the cache of data sets


def only_given_documents(folder: str) -> None:
    """Read data sets from files alone, apart from the user's cache; call it before `datasets` is imported.

    Args:
        folder: A temporary folder for the copies that the library `datasets` makes of the files, which would
            otherwise fill the user's cache.
    """
    os.environ |= {"HF_DATASETS_CACHE": folder, "HF_HUB_OFFLINE": "1"}


def user_cache() -> None:
    """Read data sets from the user's cache or the hub; from the cache alone if the hub cannot be reached.

    The library `datasets` would otherwise try to reach the hub for half a minute for each data set.
    """
    import huggingface_hub.constants as hub

    if not hub.HF_HUB_OFFLINE and not answers(hub.ENDPOINT):
        print(f"{hub.ENDPOINT} cannot be reached: data sets are read from the cache alone")
        os.environ["HF_HUB_OFFLINE"] = "1"
        hub.HF_HUB_OFFLINE = True


@contextmanager
def named_data_sets(names: list[str], folder: str | None) -> Iterator[None]:
    """Name the task, the data set and the remedy in the error of a data set that cannot be loaded.

    Args:
        names: The tasks and groups of the suite, for the remedy.
        folder: The folder of their definitions; None for the harness's own tasks.

    Raises:
        StudyError: A data set cannot be loaded.
    """
    from lm_eval.api.task import ConfigurableTask, Task

    kept = {kind: kind.download for kind in (ConfigurableTask, Task)}
    for kind, download in kept.items():
        kind.download = _named(download, names, folder)
    try:
        yield
    finally:
        for kind, download in kept.items():
            kind.download = download


def _named(download: Callable[..., None], names: list[str], folder: str | None) -> Callable[..., None]:
    """Wrap a task's method `download`."""

    @functools.wraps(download)
    def wrapped(task: "Task", *arguments: Any, **more: Any) -> None:
        try:
            download(task, *arguments, **more)
        except StudyError:
            raise
        except Exception as error:
            raise StudyError(_fault(task, error, names, folder)) from error

    return wrapped


def _fault(task: "Task", error: Exception, names: list[str], folder: str | None) -> str:
    """Describe a data set that cannot be loaded, with the remedy."""
    from huggingface_hub.constants import HF_HUB_OFFLINE

    which = f"{task.DATASET_PATH} ({task.DATASET_NAME})" if task.DATASET_NAME else str(task.DATASET_PATH)
    name = getattr(getattr(task, "_config", None), "task", None) or type(task).__name__
    cause = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    said = f"benchmarks: the data set {which} of the task {name} cannot be loaded: {cause}"
    if "scripts are no longer supported" in cause:
        return f"{said}\n  It needs a loading script, which `datasets` no longer runs; leave the task out"
    own = f"include_path={str(Path(folder).absolute())!r}" if folder else ""
    fetch = f"from lm_eval.tasks import TaskManager; m = TaskManager({own}); [m.load(n) for n in {names}]"
    only = (
        "Only the cache is read: the hub is out of reach, or HF_HUB_OFFLINE is set. "
        if HF_HUB_OFFLINE
        else ""
    )
    return (
        f"{said}\n  The cache is {_cache()}. {only}Fetch all data sets of the suite once, with network "
        f'access and the same HF_HOME:\n  python -c "{fetch}"'
    )


def _cache() -> Path:
    """The absolute path of the cache of data sets."""
    import datasets

    return Path(datasets.config.HF_DATASETS_CACHE).absolute()


def revisions(task: "Task") -> list[str]:
    """Find the commits that a task's data set was read from on the hub.

    Args:
        task: lm-eval's Task object.

    Returns:
        The commits; empty if the documents are not from the hub.
    """
    splits = task.dataset.values() if isinstance(getattr(task, "dataset", None), dict) else []
    files = [file["filename"] for split in splits for file in getattr(split, "cache_files", [])]
    return sorted({commit for file in files for commit in COMMIT.findall(file)})
