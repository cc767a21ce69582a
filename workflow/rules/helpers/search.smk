"""Helpers for searches: their objectives, documents, histories and resources."""

from lexmerge.benchmarks import suite_members


def search_of(merge):
    """Return the section `search` of a merge."""
    return STUDY["merges"][merge]["search"]


def objective_of(merge):
    """Group the tasks of a search's objectives by suite."""
    found = {}
    for parts in search_of(merge)["objectives"].values():
        for part in parts:
            tasks = found.setdefault(suite_members.suite_of(part["task"], STUDY["benchmarks"]), [])
            tasks += [] if part["task"] in tasks else [part["task"]]
    return found


def suites_of_search(merge):
    """Return the tasks to run, and the folder of their definitions, for each suite of the objectives."""
    return {
        suite: {"tasks": tasks, "folder": STUDY["benchmarks"][suite].get("folder")}
        for suite, tasks in objective_of(merge).items()
    }


def tasks_of_search(merge, suite):
    """List the tasks of a search's objectives in a suite, including those of its groups."""
    return suite_members.tasks_of(STUDY["benchmarks"][suite] | {"tasks": objective_of(merge)[suite]})


def data_of_search(merge, folder):
    """List the files with a search's documents in `folder`; tasks that bring their own documents have none."""
    return [
        f"{RESULTS}/{folder}/{suite}/{task}/{split}.jsonl"
        for suite in objective_of(merge)
        for task in (tasks_of_search(merge, suite) if data_source(suite).documents else [])
        for split in ("test", "train")
    ]


@cache
def definitions_of_search(merge):
    """List the files that define the tasks of a search's objectives."""
    return [
        file
        for suite in suites_of_search(merge).values()
        if suite["folder"]
        for file in definition_files(suite["folder"], suite["tasks"])
    ]


def searched_for(merge):
    """Return the settings that affect a search's history: without seeds, workers and published values."""
    search = {key: value for key, value in search_of(merge).items() if key not in ("seeds", "workers")}
    parameters = {
        name: {key: value for key, value in spec.items() if key != "published"}
        for name, spec in search["parameters"].items()
    }
    return search | {"parameters": parameters}


def histories_of(merge):
    """List the histories of all seeds and workers of a search; those of one seed are equal."""
    search = search_of(merge)
    return [
        f"{RESULTS}/search/{merge}/{seed}.{worker}.jsonl"
        for seed in search["seeds"]
        for worker in range(search["workers"])
    ]


@cache
def searching(merge, threads):
    """Estimate the resources of one search."""
    search = search_of(merge)
    tasks = sum(len(tasks_of_search(merge, suite)) for suite in objective_of(merge))
    asked = estimates.testing(size_of(merge), STUDY["benchmarking"], tasks * search["documents"], threads)
    recipe = STUDY["merges"][merge]["recipe"]
    return estimates.searching(recipe, SIZES, search, merging(merge), asked)


@cache
def scoring_searched(merge, threads):
    """Estimate the resources to score a search's results on the documents that the tables report."""
    tested = [testing(merge, suite, threads) for suite in objective_of(merge)]
    seconds = 4 * sum(need["seconds"] for need in tested) + merging(merge)["seconds"]
    memory = max(need["mem_mb"] for need in tested) + merging(merge)["mem_mb"]
    return {"seconds": seconds, "mem_mb": memory, "gpu": max(need["gpu"] for need in tested)}
