"""Evolutionary searches for the values of a recipe's placeholders; candidates are merged in memory."""


include: "helpers/search.smk"


if SEARCHED:

    rule search_data:
        input:
            test=f"{RESULTS}/benchmark_data/{{suite}}/{{task}}/test.jsonl",
            train=f"{RESULTS}/benchmark_data/{{suite}}/{{task}}/train.jsonl",
            files=lambda w: sources(*documents_files(w.suite, w.task, "search")),
        output:
            test=f"{RESULTS}/search_data/{{merge}}/{{suite}}/{{task}}/test.jsonl",
            train=f"{RESULTS}/search_data/{{merge}}/{{suite}}/{{task}}/train.jsonl",
        log:
            f"{RESULTS}/logs/search_data/{{merge}}/{{suite}}/{{task}}.log",
        benchmark:
            f"{RESULTS}/timings/search_data/{{merge}}/{{suite}}/{{task}}.tsv"
        conda:
            "../../envs/benchmarks.yaml"
        resources:
            **light(),
        params:
            code=code("search_data"),
            reader=lambda w: code_of(DATA_SOURCES, STUDY["benchmarks"][w.suite]["data"]["source"]),
            content=lambda w: digest(*documents_files(w.suite, w.task, "search")),
            definition=lambda w: str(defined(STUDY["benchmarks"][w.suite]["folder"])[w.task]),
            source=lambda w: STUDY["benchmarks"][w.suite]["data"]["source"],
            path=lambda w: data_path(w.suite),
            documents=lambda w: search_of(w.merge)["documents"],
            seed=STUDY["study"]["seed"],
        message:
            "Choose documents of {wildcards.task} for the search of {wildcards.merge}"
        script:
            "../scripts/search_data.py"

    rule search:
        input:
            parents=lambda w: [provenance_of(name) for name in parents_of(w.merge)],
            canonical=provenance_of(GENERALIST),
            definitions=lambda w: sources(*definitions_of_search(w.merge)),
            data=lambda w: data_of_search(w.merge, f"search_data/{w.merge}"),
        output:
            f"{RESULTS}/search/{{merge}}/{{seed}}.{{worker}}.jsonl",
        log:
            f"{RESULTS}/logs/search/{{merge}}/{{seed}}.{{worker}}.log",
        benchmark:
            f"{RESULTS}/timings/search/{{merge}}/{{seed}}.{{worker}}.tsv"
        conda:
            "../../envs/search.yaml"
        resources:
            **asks_for(lambda w, threads: searching(w.merge, threads), "{merge}/{seed}.{worker}", gpu=True),
        params:
            code=code("search"),
            scoring=code("lexmerge/search/candidates"),
            content=lambda w: digest(*definitions_of_search(w.merge)),
            recipe=lambda w: canonical(STUDY["merges"][w.merge]["recipe"]),
            adds_base=lambda w: adds_base(w.merge),
            search=lambda w: canonical(searched_for(w.merge)),
            suites=lambda w: suites_of_search(w.merge),
            folders=lambda w: {name: checkpoint_of(name) for name in parents_of(w.merge)},
            merge_seed=lambda w: STUDY["merges"][w.merge]["seed"],
            merging=canonical(MERGING),
            benchmarking=canonical(STUDY["benchmarking"]),
            journal=lambda w: f"{RESULTS}/journal/search/{w.merge}/{w.seed}",
        message:
            "Search recipes for {wildcards.merge}, seed {wildcards.seed}"
        script:
            "../scripts/search.py"

    rule search_recipes:
        input:
            lambda w: histories_of(w.merge),
        output:
            f"{RESULTS}/recipes/{{merge}}.yaml",
        log:
            f"{RESULTS}/logs/search_recipes/{{merge}}.log",
        benchmark:
            f"{RESULTS}/timings/search_recipes/{{merge}}.tsv"
        wildcard_constraints:
            merge=one_of(SEARCHED),
        conda:
            "../../envs/tables.yaml"
        resources:
            **light(),
        params:
            code=code("search_recipes"),
            folders=lambda w: {name: checkpoint_of(name) for name in parents_of(w.merge)},
            seed=lambda w: STUDY["merges"][w.merge]["seed"],
            threads=STUDY["merging"]["threads"],
        message:
            "Write the best recipe found for {wildcards.merge}"
        script:
            "../scripts/search_recipes.py"

    rule search_scores:
        input:
            histories=lambda w: histories_of(w.merge),
            merge=f"{RESULTS}/merges/{{merge}}/provenance.json",
            parents=lambda w: [provenance_of(name) for name in parents_of(w.merge)],
            canonical=provenance_of(GENERALIST),
            definitions=lambda w: sources(*definitions_of_search(w.merge)),
            searched=lambda w: data_of_search(w.merge, f"search_data/{w.merge}"),
            held_out=lambda w: data_of_search(w.merge, "benchmark_data"),
        output:
            f"{RESULTS}/search/{{merge}}/scores.json",
        log:
            f"{RESULTS}/logs/search_scores/{{merge}}.log",
        benchmark:
            f"{RESULTS}/timings/search_scores/{{merge}}.tsv"
        priority: READ_PRIORITY
        conda:
            "../../envs/search.yaml"
        resources:
            **reads("merge", lambda w, threads: scoring_searched(w.merge, threads), "{merge}"),
        params:
            code=code("search_scores"),
            content=lambda w: digest(*definitions_of_search(w.merge)),
            search=lambda w: canonical(search_of(w.merge)),
            suites=lambda w: suites_of_search(w.merge),
            limits=lambda w: {
                suite: STUDY["benchmarks"][suite].get("limit") for suite in objective_of(w.merge)
            },
            folders=lambda w: {name: checkpoint_of(name) for name in parents_of(w.merge)},
            merge_seed=lambda w: STUDY["merges"][w.merge]["seed"],
            merging=canonical(MERGING),
            benchmarking=canonical(STUDY["benchmarking"]),
            seed=STUDY["study"]["seed"],
        message:
            "Score the search results of {wildcards.merge} on held-out documents"
        script:
            "../scripts/search_scores.py"
