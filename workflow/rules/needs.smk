"""What the study's jobs ask of a scheduler: see `lexmerge/plan/estimates.py`. A profile's `set-resources` wins."""

from lexmerge.plan import estimates as needs
from lexmerge.services import costs
from lexmerge.benchmarks.pins import pins as pinned_data

SIZES = {
    name: needs.size_of(model["source"], model.get("parameters"), f"{RESULTS}/models/{name}")
    for name, model in STUDY["models"].items()
}


BATCHED = [judge for judge in JUDGES if STUDY["judges"][judge].get("mode") == "batch"]


def asks_for(need, log="", gpu=False):
    """A rule's `resources:` from a function of its wildcards and threads.

    `log` is what follows the rule in the log's name. With `gpu` the job asks for as many cards as it needs.
    """

    def mem_mb(wildcards, attempt, threads, rulename):
        file = Path(RESULTS, "logs", rulename, log.format(**wildcards))
        return needs.grown(need(wildcards, threads)["mem_mb"], attempt, f"{file}.log")

    def of(key):
        return lambda wildcards, threads: need(wildcards, threads)[key]

    asked = {"mem_mb": mem_mb, "runtime": lambda w, threads: needs.minutes(need(w, threads)["seconds"])}
    return asked | ({"gpu": of("gpu")} if gpu else {})


def reads(wildcard, need, log):
    """A rule's `resources:` that reads the weights of the model or merge that a wildcard names.

    A merge whose weights were removed is made again first, which `merged_again` says among the resources.
    """

    def model(wildcards):
        return getattr(wildcards, wildcard)

    asked = asks_for(lambda w, threads: room_for(model(w), need(w, threads)), log, gpu=True)
    return asked | {"merged_again": lambda w: merged_again(model(w))}


def light(cells=0):
    """The resources of tables, figures and the like, which hold a row a term for each of so many cells."""
    return asks_for(lambda w, threads: needs.light(cells * terms()))


@cache
def terms():
    """How many terms the study has: counted, or as many as it samples, or assumed."""
    vocabulary = STUDY["vocabulary"]
    return needs.terms([f"{RESULTS}/vocabulary/terms.tsv", vocabulary.get("terms")], vocabulary)


@cache
def documents(suite):
    """How many documents a suite asks: counted, or those of its source, or assumed."""
    limit = STUDY["benchmarks"][suite].get("limit")
    return sum(
        needs.documents(
            f"{RESULTS}/benchmark_data/{suite}/{task}/test.jsonl",
            pinned_data().get(task, {}) if is_pinned(suite) else needs.TOY_TASK if from_toy(suite) else {},
            limit,
        )
        for task in tasks_of(suite)
    )


@cache
def size_of(model):
    """The size of a model or merge under test."""
    if model in MERGES:
        return needs.merged(STUDY["merges"][model]["recipe"], SIZES)
    return SIZES[model]


@cache
def merging(merge):
    return needs.merging(STUDY["merges"][merge]["recipe"], SIZES, STUDY["merging"])


def room_for(model, need):
    """What a job asks for that reads a model: of a merge that may have to be made again first, for that too."""
    may_be_removed = model in MERGES and (model not in KEPT or merged_again(model))
    return needs.one_after_the_other(merging(model), need) if may_be_removed else need


def measuring():
    """The distances, and before them the merges whose weights were removed."""
    need = needs.distances([size_of(model) for model in MEASURED]) | {"gpu": 0}
    for merge in (merge for merge in MEASURED if merged_again(merge)):
        need = needs.one_after_the_other(merging(merge), need)
    return need


@cache
def asking(model, threads):
    return needs.asking(size_of(model), STUDY["definitions"], terms(), threads)


def defining(model, threads):
    """The expert's definitions are copies of its references, unless they are drawn a second time."""
    return needs.copying() if model == EXPERT and not SECOND_PASS else asking(model, threads)


def asking_all(threads):
    """One engine that takes one merge after the other."""
    each = [asking(merge, threads) for merge in MERGES]
    return {key: max(need[key] for need in each) for key in ("mem_mb", "gpu")} | {
        "seconds": sum(need["seconds"] for need in each)
    }


@cache
def testing(model, suite, threads):
    return needs.testing(size_of(model), STUDY["benchmarking"], documents(suite), threads)


@cache
def searching(merge, threads):
    search = search_of(merge)
    tasks = sum(map(len, objective_of(merge).values()))
    asked = needs.testing(size_of(merge), STUDY["benchmarking"], tasks * search["documents"], threads)
    recipe = STUDY["merges"][merge]["recipe"]
    return needs.searching(recipe, SIZES, search, merging(merge), asked)


@cache
def scoring_searched(merge, threads):
    """The parents and some merges of a search, on the documents that the tables report."""
    tested = [testing(merge, suite, threads) for suite in objective_of(merge)]
    seconds = 4 * sum(need["seconds"] for need in tested) + merging(merge)["seconds"]
    memory = max(need["mem_mb"] for need in tested) + merging(merge)["mem_mb"]
    return {"seconds": seconds, "mem_mb": memory, "gpu": max(need["gpu"] for need in tested)}


def judging(judge, calls):
    """A judge's calls; a lexical one asks nobody."""
    settings = STUDY["judges"][judge]
    return needs.requests(calls if settings["provider"] in costs.KEYS else 0, settings)


def controlling(judge):
    return judging(judge, costs.calls_of_controls(STUDY, terms()))


def at_work(judge, need):
    """What a judge's job takes without the hours in which it waits for a batch."""
    return {"seconds": 60} if judge in BATCHED else need


def translating():
    """Calls that the translations take: none where they are read from a table."""
    return terms() if STUDY["translations"]["provider"] == "openai" else 0


def expected():
    """What each job will take, (seconds, GPUs, cores) by its log's name; what is absent takes a second."""
    jobs = {f"models/{name}": (needs.fetching(size), 1) for name, size in SIZES.items()}
    jobs |= {f"merges/{merge}": (merging(merge), 1) for merge in MERGES}
    jobs |= {f"definitions/{model}": (defining(model, 1), 1) for model in TESTED}
    jobs |= {f"references/{EXPERT}": (asking(EXPERT, 1), 1), "toy_models": ({"seconds": 60}, 2)}
    jobs |= {f"transfer_definitions/{model}": (asking(model, 1), 1) for model in TESTED if BOTH_LANGUAGES}
    jobs |= {"definitions_of_merges": (asking_all(1), 1)} if MERGES else {}
    jobs |= {f"benchmarks/{suite}/{model}": (testing(model, suite, 1), 1) for model, suite in BENCHMARKED}
    judged = {
        f"judgements/{judge}/{model}": (at_work(judge, judging(judge, terms())), 1) for model, judge in JUDGED
    }
    jobs |= judged | {f"transfer_{log}": need for log, need in judged.items()}
    jobs |= {f"controls/{judge}": (at_work(judge, controlling(judge)), 1) for judge in JUDGES}
    jobs |= {"vocabulary_translations": (needs.requests(translating(), STUDY["translations"]), 1)}
    jobs |= {"statistics_distances": (needs.distances([size_of(model) for model in MEASURED]), 1)}
    for merge in SEARCHED:
        workers = [Path(file).stem for file in histories_of(merge)]
        jobs |= {f"search/{merge}/{worker}": (searching(merge, 1), 1) for worker in workers}
        jobs |= {f"search_scores/{merge}": (scoring_searched(merge, 1), 1)}
    return {log: (need["seconds"], need.get("gpu", 0), threads) for log, (need, threads) in jobs.items()}


def fetched():
    """What is fetched from elsewhere, by the log of the job that does."""
    sources = {name: model["source"] for name, model in STUDY["models"].items() if name not in TOY_MODELS}
    models = {
        f"models/{name}": f"{source}, {needs.fetching(SIZES[name])['disk_mb'] / 1000:.1f} GB"
        for name, source in sources.items()
        if not Path(source).is_dir()
    }
    data = {
        f"benchmark_data/{suite}/{task}": f"the documents of {suite}"
        for suite in SUITES
        if is_pinned(suite)
        for task in tasks_of(suite)
    }
    return models | data


def on_the_disk():
    """Bytes of each checkpoint, by the log of the job that makes it; a folder of the user's is only linked."""
    models = {
        f"models/{name}": size.parameters * 2
        for name, size in SIZES.items()
        if not Path(STUDY["models"][name]["source"]).is_dir()
    }
    return models | {f"merges/{merge}": merging(merge)["disk_mb"] * 1e6 for merge in MERGES}


def assumptions():
    """What a plan takes for granted."""
    counted = Path(f"{RESULTS}/vocabulary/terms.tsv").is_file()
    on_gpu = any(gpu for _, gpu, _ in expected().values())
    known = {"name": "by its name", "assumed": "assumed: say it under `parameters`"}
    return [
        *(
            f"{name} has {size.parameters / 1e9:g} billion parameters, {known[size.known_by]}"
            for name, size in SIZES.items()
            if size.known_by in known
        ),
        *(f"{judge} answers within a day, since it is asked in batches" for judge in BATCHED),
        *(["a GPU for every job that may use one (`device: auto`)"] if on_gpu else []),
        f"{terms()} terms, {'as chosen' if counted else 'until the vocabulary is made'}",
    ]
