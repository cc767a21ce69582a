"""The benchmark suites: their tasks, definitions, documents and resources."""

from lexmerge.benchmarks import suite_members
from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.tasks import defined, definition_files
from lexmerge.models.backend import harness_back_ends


def data_source(suite):
    """The source of a suite's documents: see `lexmerge/benchmarks/data_sources`."""
    return DATA_SOURCES[STUDY["benchmarks"][suite]["data"]["source"]]


def data_path(suite):
    """The folder of a suite's documents that the config names, or None."""
    return STUDY["benchmarks"][suite]["data"].get("path")


def documents_files(suite, task, *splits):
    """The local files that a task's documents are read from."""
    return [file for split in splits for file in data_source(suite).files(task, split, data_path(suite))]


@cache  # every job of a sweep asks
def definitions_of(suite):
    """The files that define a suite's tasks; empty for the harness's own tasks."""
    folder = STUDY["benchmarks"][suite].get("folder")
    return definition_files(folder, STUDY["benchmarks"][suite]["tasks"]) if folder else []


@cache
def definitions_of_task(suite, task):
    """The files that define one task of a suite."""
    return definition_files(STUDY["benchmarks"][suite]["folder"], [task])


@cache
def data_of(suite):
    """The files of a suite's documents and solved examples; empty for tasks that bring their own."""
    return [
        f"{RESULTS}/benchmark_data/{suite}/{task}/{split}.jsonl"
        for task in (tasks_of(suite) if data_source(suite).documents else [])
        for split in ("test", "train")
    ]


@cache
def tasks_of(suite):
    """The tasks of a suite, including those of its groups and tags."""
    return suite_members.tasks_of(STUDY["benchmarks"][suite])


@cache
def documents(suite):
    """The number of a suite's documents: counted, given by the source, or assumed."""
    return sum(
        estimates.documents(
            f"{RESULTS}/benchmark_data/{suite}/{task}/test.jsonl",
            data_source(suite).test_documents(task),
            STUDY["benchmarks"][suite].get("limit"),
        )
        for task in tasks_of(suite)
    )


@cache
def testing(model, suite, threads):
    """The resources and seconds that a suite takes on a model."""
    return estimates.testing(size_of(model), STUDY["benchmarking"], documents(suite), threads)
