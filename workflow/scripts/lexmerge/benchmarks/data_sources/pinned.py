"""Published data sets, pinned by commit and checksum in resources/benchmarks/data.yaml."""

from lexmerge.benchmarks.data_source import DataSource, no_files
from lexmerge.benchmarks.pins import LOCAL, PINNED, pin, pins, unreachable
from lexmerge.benchmarks.rows import Document
from lexmerge.common.errors import StudyError


def documents(task: str, split: str, path: str | None) -> list[Document]:
    """Read a split from the files in the folder `path`, and fetch missing files into it."""
    from lexmerge.benchmarks.data_sets import pinned_documents

    return pinned_documents(task, split, path or LOCAL)


def search_documents(task: str, path: str | None) -> tuple[list[Document] | None, str]:
    """Read the split that the pin names for searches; None, for the solved examples, if it names none."""
    if "search" not in pin(task)["files"]:
        return None, "the solved examples"
    return documents(task, "search", path), "a split of the data set's own"


def test_documents(task: str) -> int | None:
    """Look up the pinned number of test documents; None if the pin has none."""
    known = pins().get(task, {}).get("documents", {}).get("test", {}).get("n")
    return int(known) if known else None


def check(task: str, split: str, file: str) -> None:
    """Check the SHA-256 of a file written for the harness against the pin, if that has one."""
    from lexmerge.common.files import sha256

    expected, found = pin(task).get("documents", {}).get(split, {}).get("sha256"), sha256(file)
    print(f"{task}, {split}: sha256 {found}, {'as pinned' if found == expected else 'none is pinned'}")
    if expected not in (None, found):
        raise StudyError(
            f"benchmarks: the {split} documents of {task} have the sha256 {found}, but {PINNED} expects "
            f"{expected}; remove the task's files from `data.path` and run again, to fetch them"
        )


REGISTERED = DataSource(
    documents=documents,
    files=no_files,  # the pin is their identity
    identity=pin,
    search_documents=search_documents,
    tasks=pins,
    test_documents=test_documents,
    check=check,
    unreachable=unreachable,
    takes_path=True,
    default_path=LOCAL,
    fetches=True,
)
