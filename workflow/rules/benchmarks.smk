"""Benchmark suites: their data, and LM Evaluation Harness on every model under test."""




def data_of(suite):
    """The documents of a suite's tasks, in the order of its tasks."""
    return [f"{RESULTS}/benchmark_data/{suite}/{task}.jsonl" for task in STUDY["benchmarks"][suite]["tasks"]]


def data_files(suite):
    """What a suite's documents are made from: the toy glossary, or the user's files."""
    data = STUDY["benchmarks"][suite]["data"]
    return GLOSSARY if data["source"] == "toy" else data["path"]


rule benchmark_data:
    input:
        lambda w: sources(data_files(w.suite)),
    output:
        f"{RESULTS}/benchmark_data/{{suite}}/{{task}}.jsonl",
    log:
        f"{RESULTS}/logs/benchmark_data/{{suite}}/{{task}}.log",
    benchmark:
        f"{RESULTS}/timings/benchmark_data/{{suite}}/{{task}}.tsv"
    params:
        code=code("benchmark_data"),
        content=lambda w: digest(data_files(w.suite)),
        source=lambda w: STUDY["benchmarks"][w.suite]["data"]["source"],
        path=lambda w: data_files(w.suite),
    conda:
        "../../envs/benchmarks.yaml"
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
    resources:
        gpu=1,
    params:
        code=code("benchmarks"),
        content=lambda w: digest(STUDY["benchmarks"][w.suite]["folder"]),
        folder=lambda w: checkpoint_of(w.model),
        settings=lambda w: canonical(
            STUDY["benchmarking"] | {"limit": STUDY["benchmarks"][w.suite].get("limit")}
        ),
    conda:
        "../../envs/benchmarks.yaml"
    script:
        "../scripts/benchmarks.py"
