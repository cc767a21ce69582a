"""Benchmark suites: their documents, and their results for every model under test."""


include: "helpers/benchmarks.smk"


rule benchmark_data:
    input:
        lambda w: sources(*documents_files(w.suite, w.task, "test", "train")),
    output:
        # The questions, and the solved examples before them: an empty file if the task shows none.
        test=f"{RESULTS}/benchmark_data/{{suite}}/{{task}}/test.jsonl",
        train=f"{RESULTS}/benchmark_data/{{suite}}/{{task}}/train.jsonl",
    log:
        f"{RESULTS}/logs/benchmark_data/{{suite}}/{{task}}.log",
    benchmark:
        f"{RESULTS}/timings/benchmark_data/{{suite}}/{{task}}.tsv"
    conda:
        "../../envs/benchmarks.yaml"
    resources:
        **asks_for(lambda w, threads: {"seconds": 300, "work": 5, "mem_mb": 4000}, "{suite}/{task}"),
        fetches=lambda w: f"the documents of {w.suite}" if data_source(w.suite).fetches else "",
    params:
        code=code("benchmark_data"),
        reader=lambda w: code_of(DATA_SOURCES, STUDY["benchmarks"][w.suite]["data"]["source"]),
        content=lambda w: digest(
            *documents_files(w.suite, w.task, "test", "train"), *definitions_of_task(w.suite, w.task)
        ),
        definition=lambda w: str(defined(STUDY["benchmarks"][w.suite]["folder"])[w.task]),
        source=lambda w: STUDY["benchmarks"][w.suite]["data"]["source"],
        path=lambda w: data_path(w.suite),
        identity=lambda w: canonical(data_source(w.suite).identity(w.task)),
    message:
        "Prepare the documents of {wildcards.task}"
    script:
        "../scripts/benchmark_data.py"


rule benchmarks:
    input:
        checkpoint=lambda w: provenance_of(w.model),
        definitions=lambda w: sources(*definitions_of(w.suite)),
        data=lambda w: data_of(w.suite),
    output:
        results=f"{RESULTS}/benchmarks/{{suite}}/{{model}}.json",
        samples=f"{RESULTS}/benchmarks/{{suite}}/{{model}}.samples.jsonl",
    log:
        f"{RESULTS}/logs/benchmarks/{{suite}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/benchmarks/{{suite}}/{{model}}.tsv"
    priority: READ_PRIORITY
    conda:
        f"../../envs/{harness_back_ends()[STUDY['benchmarking']['backend']].harness_environment}.yaml"
    resources:
        **reads("model", lambda w, threads: testing(w.model, w.suite, threads), "{suite}/{model}"),
        gpu_memory_percent=90,
        fetches=lambda w: (
            ""
            if data_source(w.suite).documents
            else f"the data sets of {w.suite}, unless the Hugging Face cache has them"
        ),
    params:
        code=code("benchmarks"),
        content=lambda w: digest(*definitions_of(w.suite)),
        definitions=lambda w: STUDY["benchmarks"][w.suite].get("folder"),
        tasks=lambda w: STUDY["benchmarks"][w.suite]["tasks"],
        folder=lambda w: checkpoint_of(w.model),
        settings=lambda w: canonical(
            STUDY["benchmarking"] | {"limit": STUDY["benchmarks"][w.suite].get("limit")}
        ),
        journal=lambda w: f"{RESULTS}/journal/benchmarks/{w.suite}/{w.model}",
    message:
        "Evaluate {wildcards.model} on {wildcards.suite}"
    script:
        "../scripts/benchmarks.py"
