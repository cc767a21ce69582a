"""The benchmark suites: their tasks, definitions and documents, and what they take."""

from lexmerge.benchmarks.data_source import DATA_SOURCES
from lexmerge.benchmarks.tasks import defined, definition_files, leaves
from lexmerge.models.backend import harness_back_ends


def data_source(suite):
    """Where the documents of a suite's tasks come from: see `lexmerge/benchmarks/data_sources`."""
    return DATA_SOURCES[STUDY["benchmarks"][suite]["data"]["source"]]


def data_path(suite):
    """The folder of the user's that holds a suite's documents, or None."""
    return STUDY["benchmarks"][suite]["data"].get("path")


def documents_files(suite, task, *splits):
    """The local files that a task's documents are made from."""
    return [file for split in splits for file in data_source(suite).files(task, split, data_path(suite))]


def definitions_of(suite):
    """The files that define a suite's tasks; none for the harness's own."""
    folder = STUDY["benchmarks"][suite].get("folder")
    return definition_files(folder, STUDY["benchmarks"][suite]["tasks"]) if folder else []


def definitions_of_task(suite, task):
    """The files that define one task of a suite."""
    return definition_files(STUDY["benchmarks"][suite]["folder"], [task])


@cache
def data_of(suite):
    """The documents of a suite's tasks, those asked and the solved examples; none of tasks that bring their own."""
    return [
        f"{RESULTS}/benchmark_data/{suite}/{task}/{split}.jsonl"
        for task in (tasks_of(suite) if data_source(suite).documents else [])
        for split in ("test", "train")
    ]


@cache
def tasks_of(suite):
    """The tasks that are run for a suite: those that the config names, and those of the groups it names."""
    return leaves(STUDY["benchmarks"][suite]["folder"], STUDY["benchmarks"][suite]["tasks"])


@cache
def documents(suite):
    """How many documents a suite asks: counted, or those of its source, or assumed."""
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
    """What a suite takes with a model."""
    return estimates.testing(size_of(model), STUDY["benchmarking"], documents(suite), threads)
