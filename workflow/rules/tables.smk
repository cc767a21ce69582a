"""The paper's two tables and its figure, for this study, the statistics behind them, and the distances."""


rule tables_definition_scores:
    input:
        judgements=judgements_of(JUDGED),
        controls=rules.tables_controls.output[0],
    output:
        f"{RESULTS}/tables/definition_scores.tsv",
    log:
        f"{RESULTS}/logs/tables_definition_scores.log",
    benchmark:
        f"{RESULTS}/timings/tables_definition_scores.tsv"
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("tables_definition_scores"),
        cells=JUDGED,
    message:
        "Table 1: the scores of the definitions"
    script:
        "../scripts/tables_definition_scores.py"


rule tables_definition_flags:
    input:
        [f"{RESULTS}/definitions/{model}.jsonl" for model in TESTED],
    output:
        f"{RESULTS}/tables/definition_flags.tsv",
    log:
        f"{RESULTS}/logs/tables_definition_flags.log",
    benchmark:
        f"{RESULTS}/timings/tables_definition_flags.tsv"
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("tables_definition_flags"),
        models=TESTED,
    message:
        "Count what is odd in the definitions"
    script:
        "../scripts/tables_definition_flags.py"


rule tables_benchmarks:
    input:
        benchmarks_of(BENCHMARKED, ".json"),
    output:
        f"{RESULTS}/tables/benchmarks.tsv",
    log:
        f"{RESULTS}/logs/tables_benchmarks.log",
    benchmark:
        f"{RESULTS}/timings/tables_benchmarks.tsv"
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("tables_benchmarks"),
        cells=BENCHMARKED,
    message:
        "Table 2: the benchmarks"
    script:
        "../scripts/tables_benchmarks.py"


rule tables_benchmark_scores:
    input:
        results=benchmarks_of(BENCHMARKED, ".json"),
        samples=benchmarks_of(BENCHMARKED, ".samples.jsonl"),
    output:
        f"{RESULTS}/tables/benchmark_scores.tsv",
    log:
        f"{RESULTS}/logs/tables_benchmark_scores.log",
    benchmark:
        f"{RESULTS}/timings/tables_benchmark_scores.tsv"
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("tables_benchmark_scores"),
        cells=BENCHMARKED,
        seed=STUDY["study"]["seed"],
    message:
        "Put error bars on the benchmarks, and say what each is made of"
    script:
        "../scripts/tables_benchmark_scores.py"


rule figures_score_histograms:
    input:
        judgements_of(JUDGED),
    output:
        svg=f"{RESULTS}/figures/score_histograms.svg",
        png=f"{RESULTS}/figures/score_histograms.png",
    log:
        f"{RESULTS}/logs/figures_score_histograms.log",
    benchmark:
        f"{RESULTS}/timings/figures_score_histograms.tsv"
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("figures_score_histograms"),
        cells=JUDGED,
        judges={name: judge_title(name) for name in JUDGES},
    message:
        "Figure 1: how often each judge gave each score"
    script:
        "../scripts/figures_score_histograms.py"


rule statistics_comparisons:
    input:
        judgements=judgements_of(JUDGED),
        controls=rules.tables_controls.output[0],
        results=benchmarks_of(BENCHMARKED, ".json"),
        samples=benchmarks_of(BENCHMARKED, ".samples.jsonl"),
    output:
        f"{RESULTS}/statistics/comparisons.tsv",
    log:
        f"{RESULTS}/logs/statistics_comparisons.log",
    benchmark:
        f"{RESULTS}/timings/statistics_comparisons.tsv"
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("statistics_comparisons"),
        judged=JUDGED,
        benchmarked=BENCHMARKED,
        merges=MERGES,
        baselines=[GENERALIST, EXPERT],
        margins=canonical(STUDY["statistics"]["margins"]),
        seed=STUDY["study"]["seed"],
    message:
        "Compare every merge with both parents"
    script:
        "../scripts/statistics_comparisons.py"


rule statistics_agreement:
    input:
        judgements=judgements_of(JUDGED),
        controls=rules.tables_controls.output[0],
    output:
        f"{RESULTS}/statistics/agreement.tsv",
    log:
        f"{RESULTS}/logs/statistics_agreement.log",
    benchmark:
        f"{RESULTS}/timings/statistics_agreement.tsv"
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("statistics_agreement"),
        cells=JUDGED,
    message:
        "Compare the judges with each other"
    script:
        "../scripts/statistics_agreement.py"


# Only where people have rated: how far they and the judges agree.
if RATINGS := JUDGING.get("ratings"):

    rule statistics_ratings:
        input:
            judgements=judgements_of(JUDGED),
            definitions=[f"{RESULTS}/definitions/{model}.jsonl" for model in TESTED],
            ratings=sources(RATINGS),
        output:
            f"{RESULTS}/statistics/ratings.tsv",
        log:
            f"{RESULTS}/logs/statistics_ratings.log",
        benchmark:
            f"{RESULTS}/timings/statistics_ratings.tsv"
        conda:
            "../../envs/tables.yaml"
        params:
            code=code("statistics_ratings"),
            content=digest(RATINGS),
            ratings=RATINGS,
            models=TESTED,
            cells=JUDGED,
        message:
            "Compare the judges with people"
        script:
            "../scripts/statistics_ratings.py"


rule statistics_distances:
    input:
        [provenance_of(model) for model in TESTED],
    output:
        f"{RESULTS}/statistics/distances.tsv",
    log:
        f"{RESULTS}/logs/statistics_distances.log",
    benchmark:
        f"{RESULTS}/timings/statistics_distances.tsv"
    conda:
        "../../envs/merges.yaml"
    params:
        code=code("statistics_distances"),
        models=TESTED,
        scale=[EXPERT, GENERALIST],
        same_below=STUDY["merging"]["same_below"],
    message:
        "Measure how far the models are from each other"
    script:
        "../scripts/statistics_distances.py"


rule figures_distances:
    input:
        rules.statistics_distances.output[0],
    output:
        svg=f"{RESULTS}/figures/distances.svg",
        png=f"{RESULTS}/figures/distances.png",
    log:
        f"{RESULTS}/logs/figures_distances.log",
    benchmark:
        f"{RESULTS}/timings/figures_distances.tsv"
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("figures_distances"),
        models=TESTED,
    message:
        "Draw how far the models are from each other"
    script:
        "../scripts/figures_distances.py"
