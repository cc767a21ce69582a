"""Benchmark suites: their data, and LM Evaluation Harness on every model under test."""


rule benchmark_data:
    input:
        lambda w: sources(data_files(w.suite)),
    output:
        f"{RESULTS}/benchmark_data/{{suite}}/{{task}}.jsonl",
    log:
        f"{RESULTS}/logs/benchmark_data/{{suite}}/{{task}}.log",
    benchmark:
        f"{RESULTS}/timings/benchmark_data/{{suite}}/{{task}}.tsv"
    conda:
        "../../envs/benchmarks.yaml"
    params:
        code=code("benchmark_data"),
        content=lambda w: digest(data_files(w.suite)),
        source=lambda w: STUDY["benchmarks"][w.suite]["data"]["source"],
        path=lambda w: data_files(w.suite),
    message:
        "Get the data of {wildcards.task}"
    script:
        "../scripts/benchmark_data.py"


rule benchmarks:
    input:
        checkpoint=lambda w: provenance_of(w.model),
        tasks=lambda w: sources(STUDY["benchmarks"][w.suite]["folder"]),
        data=lambda w: data_of(w.suite),
    output:
        results=f"{RESULTS}/benchmarks/{{suite}}/{{model}}.json",
        samples=f"{RESULTS}/benchmarks/{{suite}}/{{model}}.samples.jsonl",
    log:
        f"{RESULTS}/logs/benchmarks/{{suite}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/benchmarks/{{suite}}/{{model}}.tsv"
    conda:
        "../../envs/benchmarks.yaml"
    resources:
        gpu=1,
    params:
        code=code("benchmarks"),
        content=lambda w: digest(STUDY["benchmarks"][w.suite]["folder"]),
        folder=lambda w: checkpoint_of(w.model),
        settings=lambda w: canonical(
            STUDY["benchmarking"] | {"limit": STUDY["benchmarks"][w.suite].get("limit")}
        ),
    message:
        "Run {wildcards.suite} on {wildcards.model}"
    script:
        "../scripts/benchmarks.py"
