"""The study's config and versions, and the report: one self-contained page."""

PAGE = [
    shipped(f"workflow/report/{file}")
    for file in ("index.html.j2", "page.css", "vendor/fzstd.js", "explorer.js")
]


rule study:
    output:
        f"{RESULTS}/study.yaml",
    log:
        f"{RESULTS}/logs/study.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(),
    params:
        code=code("study"),
        config=canonical(STUDY),
        version=workflow_version(),
    message:
        "Record the complete config and all versions"
    script:
        "../scripts/study.py"


rule report:
    input:
        study=f"{RESULTS}/study.yaml",
        funnel=f"{RESULTS}/vocabulary/funnel.tsv",
        translations=f"{RESULTS}/vocabulary/translations.tsv",
        definition_scores=f"{RESULTS}/tables/definition_scores.tsv" if JUDGES else [],
        definition_flags=f"{RESULTS}/tables/definition_flags.tsv",
        benchmarks=f"{RESULTS}/tables/benchmarks.tsv" if SUITES else [],
        benchmark_scores=f"{RESULTS}/tables/benchmark_scores.tsv" if SUITES else [],
        comparisons=f"{RESULTS}/statistics/comparisons.tsv" if COMPARED else [],
        validity=f"{RESULTS}/tables/validity.tsv" if SCORED else [],
        transfer=f"{RESULTS}/statistics/transfer.tsv" if JUDGES else [],
        published=f"{RESULTS}/tables/published.tsv" if PUBLISHED else [],
        controls=f"{RESULTS}/tables/controls.tsv" if JUDGES else [],
        costs=f"{RESULTS}/tables/costs.tsv" if JUDGES else [],
        ratings=f"{RESULTS}/statistics/ratings.tsv" if RATINGS else [],
        rated_means=f"{RESULTS}/statistics/prediction_powered.tsv" if RATINGS else [],
        agreement=f"{RESULTS}/statistics/agreement.tsv" if len(JUDGES) > 1 else [],
        figure=f"{RESULTS}/figures/score_histograms.svg" if JUDGES else [],
        forest=f"{RESULTS}/figures/differences.svg" if COMPARED else [],
        distances=f"{RESULTS}/statistics/distances.tsv",
        heat_map=f"{RESULTS}/figures/distances.svg",
        searches=f"{RESULTS}/tables/search.tsv" if SEARCHED else [],
        search_figures=expand(f"{RESULTS}/figures/search_{{merge}}.svg", merge=SEARCHED),
        terms=f"{RESULTS}/vocabulary/terms.tsv",
        definitions=[f"{RESULTS}/definitions/{model}.jsonl" for model in TESTED],
        references=f"{RESULTS}/references/{EXPERT}.jsonl",
        provenances=[provenance_of(model) for model in TESTED],
        judgements=judgements_of(JUDGED),
        other_definitions=[
            f"{RESULTS}/transfer/definitions/{model}.jsonl" for model in TESTED if BOTH_LANGUAGES
        ],
        other_judgements=judgements_of(TRANSFERRED, "transfer/"),
        results=benchmarks_of([(TESTED[0], suite) for suite in SUITES], ".json"),
        page=[ancient(file) for file in PAGE],
    output:
        report(
            f"{RESULTS}/report/index.html",
            caption="../report/page.rst",
            category="The report",
            labels={"shows": "Complete report with the term explorer"},
        ),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/timings/report.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(len(JUDGED) + len(TESTED)),
    params:
        code=code("report"),
        content=digest(*PAGE),
        models=TESTED,
        judged=JUDGED,
        transferred=TRANSFERRED,
        asked=[language_of(model) for model in TESTED],
        others=[other_language_of(model) for model in TESTED],
        judges={name: judge_title(name) for name in JUDGES},
        searched=SEARCHED,
    message:
        "Write the report"
    script:
        "../scripts/report.py"
