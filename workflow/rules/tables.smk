"""The paper's two tables and its figure, for this study, and the statistics behind them."""

JUDGED = [(model, judge) for judge in JUDGES for model in TESTED]
BENCHMARKED = [(model, suite) for suite in SUITES for model in TESTED]


def judgements_of(cells):
    return [f"{RESULTS}/judgements/{judge}/{model}.jsonl" for model, judge in cells]


def benchmarks_of(cells, ending):
    return [f"{RESULTS}/benchmarks/{suite}/{model}{ending}" for model, suite in cells]


rule tables_definition_scores:
    input:
        judgements_of(JUDGED),
    output:
        f"{RESULTS}/tables/definition_scores.tsv",
    log:
        f"{RESULTS}/logs/tables_definition_scores.log",
    benchmark:
        f"{RESULTS}/timings/tables_definition_scores.tsv"
    params:
        code=code("tables_definition_scores"),
        cells=JUDGED,
    conda:
        "../../envs/tables.yaml"
    script:
        "../scripts/tables_definition_scores.py"


rule tables_benchmarks:
    input:
        benchmarks_of(BENCHMARKED, ".json"),
    output:
        f"{RESULTS}/tables/benchmarks.tsv",
    log:
        f"{RESULTS}/logs/tables_benchmarks.log",
    benchmark:
        f"{RESULTS}/timings/tables_benchmarks.tsv"
    params:
        code=code("tables_benchmarks"),
        cells=BENCHMARKED,
    conda:
        "../../envs/tables.yaml"
    script:
        "../scripts/tables_benchmarks.py"


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
    params:
        code=code("figures_score_histograms"),
        cells=JUDGED,
        judges={name: judge_title(name) for name in JUDGES},
    conda:
        "../../envs/tables.yaml"
    script:
        "../scripts/figures_score_histograms.py"


rule statistics_comparisons:
    input:
        judgements=judgements_of(JUDGED),
        results=benchmarks_of(BENCHMARKED, ".json"),
        samples=benchmarks_of(BENCHMARKED, ".samples.jsonl"),
    output:
        f"{RESULTS}/statistics/comparisons.tsv",
    log:
        f"{RESULTS}/logs/statistics_comparisons.log",
    benchmark:
        f"{RESULTS}/timings/statistics_comparisons.tsv"
    params:
        code=code("statistics_comparisons"),
        judged=JUDGED,
        benchmarked=BENCHMARKED,
        merges=MERGES,
        baselines=[GENERALIST, EXPERT],
        seed=STUDY["study"]["seed"],
    conda:
        "../../envs/tables.yaml"
    script:
        "../scripts/statistics_comparisons.py"


rule statistics_agreement:
    input:
        judgements_of(JUDGED),
    output:
        f"{RESULTS}/statistics/agreement.tsv",
    log:
        f"{RESULTS}/logs/statistics_agreement.log",
    benchmark:
        f"{RESULTS}/timings/statistics_agreement.tsv"
    params:
        code=code("statistics_agreement"),
        cells=JUDGED,
    conda:
        "../../envs/tables.yaml"
    script:
        "../scripts/statistics_agreement.py"
