"""Documents from their published source, pinned by commit and checksum in resources/benchmarks/data.yaml."""

from lexmerge.benchmarks.data_source import DataSource, Document
from lexmerge.benchmarks.pins import LOCAL, pin, pins, unreachable
from lexmerge.common.errors import StudyError


def documents(task: str, split: str, path: str | None) -> list[Document]:
    """Read a split from the files in the folder `path`; those that are absent are fetched into it."""
    from lexmerge.benchmarks.data_sets import pinned_documents

    return pinned_documents(task, split, path or LOCAL)


def search_documents(task: str, path: str | None) -> tuple[list[Document] | None, str]:
    """Read a split of the data set's own, if the pin names one for searches."""
    if "search" not in pin(task)["files"]:
        return None, "the solved examples"
    return documents(task, "search", path), "a split of the data set's own"


def test_documents(task: str) -> int | None:
    """The number of test documents that the pin gives."""
    known = pins().get(task, {}).get("documents", {}).get("test", {}).get("n")
    return int(known) if known else None


def check(task: str, split: str, file: str) -> None:
    """Compare the SHA-256 of a file written for the harness with the pin's, if that has one."""
    from lexmerge.common.files import sha256

    expected, found = pin(task).get("documents", {}).get(split, {}).get("sha256"), sha256(file)
    print(f"{task}, {split}: sha256 {found}, {'as pinned' if found == expected else 'none is pinned'}")
    if expected not in (None, found):
        raise StudyError(
            f"{task}: the {split} documents have the sha256 {found} and not {expected}, as pinned"
        )


REGISTERED = DataSource(
    "the source and commit that resources/benchmarks/data.yaml names",
    documents=documents,
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
