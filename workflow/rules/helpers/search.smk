"""The searches: their objectives, documents and histories, and what they take."""

from lexmerge.benchmarks.tasks import suite_of


def search_of(merge):
    return STUDY["merges"][merge]["search"]


def objective_of(merge):
    """The tasks of a search's objectives by the suite that they are of."""
    found = {}
    for parts in search_of(merge)["objectives"].values():
        for part in parts:
            tasks = found.setdefault(suite_of(part["task"], STUDY["benchmarks"]), [])
            tasks += [] if part["task"] in tasks else [part["task"]]
    return found


def suites_of_search(merge):
    """For each suite of a search's objectives the names to run, and the folder that defines them."""
    return {
        suite: {"tasks": tasks, "folder": STUDY["benchmarks"][suite].get("folder")}
        for suite, tasks in objective_of(merge).items()
    }


def data_of_search(merge, folder):
    """The documents of a search's tasks, below `folder`; none of tasks that bring their own."""
    return [
        f"{RESULTS}/{folder}/{suite}/{task}/{split}.jsonl"
        for suite, given in suites_of_search(merge).items()
        for task in (leaves(given["folder"], given["tasks"]) if data_source(suite).documents else [])
        for split in ("test", "train")
    ]


def definitions_of_search(merge):
    """The files that define the tasks of a search's objectives."""
    return [
        file
        for suite in suites_of_search(merge).values()
        if suite["folder"]
        for file in definition_files(suite["folder"], suite["tasks"])
    ]


def searched_for(merge):
    """What a search's history depends on: not how many share the work, and not what others have found."""
    search = {key: value for key, value in search_of(merge).items() if key not in ("seeds", "workers")}
    parameters = {
        name: {key: value for key, value in spec.items() if key != "published"}
        for name, spec in search["parameters"].items()
    }
    return search | {"parameters": parameters}


def histories_of(merge):
    """What every worker of every seed of a search ends with; those of one seed are alike."""
    search = search_of(merge)
    return [
        f"{RESULTS}/search/{merge}/{seed}.{worker}.jsonl"
        for seed in search["seeds"]
        for worker in range(search["workers"])
    ]


@cache
def searching(merge, threads):
    search = search_of(merge)
    tasks = sum(map(len, objective_of(merge).values()))
    asked = estimates.testing(size_of(merge), STUDY["benchmarking"], tasks * search["documents"], threads)
    recipe = STUDY["merges"][merge]["recipe"]
    return estimates.searching(recipe, SIZES, search, merging(merge), asked)


@cache
def scoring_searched(merge, threads):
    """The parents and some merges of a search, on the documents that the tables report."""
    tested = [testing(merge, suite, threads) for suite in objective_of(merge)]
    seconds = 4 * sum(need["seconds"] for need in tested) + merging(merge)["seconds"]
    memory = max(need["mem_mb"] for need in tested) + merging(merge)["mem_mb"]
    return {"seconds": seconds, "mem_mb": memory, "gpu": max(need["gpu"] for need in tested)}
