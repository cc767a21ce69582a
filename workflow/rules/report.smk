"""What the study is, and the report: one self-contained page."""


rule study:
    output:
        f"{RESULTS}/study.yaml",
    log:
        f"{RESULTS}/logs/study.log",
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("study"),
        config=canonical(STUDY),
    message:
        "Write down the study's whole config and the versions"
    script:
        "../scripts/study.py"


rule report:
    input:
        study=f"{RESULTS}/study.yaml",
        funnel=rules.vocabulary_terms.output.funnel,
        translations=rules.vocabulary_translations.output[0],
        definition_scores=rules.tables_definition_scores.output[0],
        definition_flags=rules.tables_definition_flags.output[0],
        benchmarks=rules.tables_benchmarks.output[0],
        benchmark_scores=rules.tables_benchmark_scores.output[0],
        comparisons=rules.statistics_comparisons.output[0],
        controls=rules.tables_controls.output[0],
        costs=rules.tables_costs.output[0],
        ratings=rules.statistics_ratings.output[0] if RATINGS else [],
        agreement=rules.statistics_agreement.output[0],
        figure=rules.figures_score_histograms.output.svg,
        distances=rules.statistics_distances.output[0],
        heat_map=rules.figures_distances.output.svg,
        searches=rules.tables_search.output.search if SEARCHED else [],
        search_figures=expand(f"{RESULTS}/figures/search_{{merge}}.svg", merge=SEARCHED),
        definitions=[f"{RESULTS}/definitions/{model}.jsonl" for model in TESTED],
        references=f"{RESULTS}/references/{EXPERT}.jsonl",
        judgements=judgements_of(JUDGED),
        results=benchmarks_of([(TESTED[0], suite) for suite in SUITES], ".json"),
        template=ancient("workflow/report/index.html.j2"),
    output:
        f"{RESULTS}/report/index.html",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/timings/report.tsv"
    conda:
        "../../envs/tables.yaml"
    params:
        code=code("report"),
        content=digest("workflow/report/index.html.j2"),
        models=TESTED,
        judged=JUDGED,
        judges={name: judge_title(name) for name in JUDGES},
        searched=SEARCHED,
    message:
        "Write the report"
    script:
        "../scripts/report.py"
