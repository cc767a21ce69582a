"""What the study is, and the report: one self-contained page."""

PAGE = ("index.html.j2", "page.css", "vendor/fzstd.js", "explorer.js")


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
        validity=rules.tables_validity.output[0],
        transfer=rules.statistics_transfer.output[0],
        published=rules.tables_published.output[0] if PUBLISHED else [],
        controls=rules.tables_controls.output[0],
        costs=rules.tables_costs.output[0],
        ratings=rules.statistics_ratings.output.ratings if RATINGS else [],
        rated_means=rules.statistics_ratings.output.means if RATINGS else [],
        agreement=rules.statistics_agreement.output[0],
        figure=rules.figures_score_histograms.output.svg,
        forest=rules.figures_differences.output.svg,
        distances=rules.statistics_distances.output[0],
        heat_map=rules.figures_distances.output.svg,
        searches=rules.tables_search.output.search if SEARCHED else [],
        search_figures=expand(f"{RESULTS}/figures/search_{{merge}}.svg", merge=SEARCHED),
        terms=rules.vocabulary_terms.output.terms,
        definitions=[f"{RESULTS}/definitions/{model}.jsonl" for model in TESTED],
        references=f"{RESULTS}/references/{EXPERT}.jsonl",
        provenances=[provenance_of(model) for model in TESTED],
        judgements=judgements_of(JUDGED),
        other_definitions=[
            f"{RESULTS}/transfer/definitions/{model}.jsonl" for model in TESTED if BOTH_LANGUAGES
        ],
        other_judgements=judgements_of(TRANSFERRED, "transfer/"),
        results=benchmarks_of([(TESTED[0], suite) for suite in SUITES], ".json"),
        page=[ancient(f"workflow/report/{file}") for file in PAGE],
    output:
        report(
            f"{RESULTS}/report/index.html",
            caption="../report/page.rst",
            category="The report",
            labels={"shows": "The whole report, with the term explorer"},
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
        content=digest(*(f"workflow/report/{file}" for file in PAGE)),
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
