"""Figures, each as SVG, PNG and PDF."""

if JUDGES:

    rule figures_score_histograms:
        input:
            judgements_of(JUDGED),
        output:
            svg=report(
                f"{RESULTS}/figures/score_histograms.svg",
                caption="../report/score_histograms.rst",
                category="Figures",
                labels={"shows": "Figure 1: score distributions by judge"},
            ),
            png=f"{RESULTS}/figures/score_histograms.png",
            pdf=f"{RESULTS}/figures/score_histograms.pdf",
        log:
            f"{RESULTS}/logs/figures_score_histograms.log",
        benchmark:
            f"{RESULTS}/timings/figures_score_histograms.tsv"
        conda:
            "../../envs/tables.yaml"
        resources:
            **light(len(JUDGED)),
        params:
            code=code("figures_score_histograms"),
            cells=JUDGED,
            judges={name: judge_title(name) for name in JUDGES},
        message:
            "Figure 1: score distributions by judge"
        script:
            "../scripts/figures_score_histograms.py"


if COMPARED:

    rule figures_differences:
        input:
            comparisons=rules.statistics_comparisons.output[0],
            results=benchmarks_of([(TESTED[0], suite) for suite in SUITES], ".json"),
        output:
            svg=report(
                f"{RESULTS}/figures/differences.svg",
                caption="../report/comparisons.rst",
                category="Figures",
                labels={"shows": "Pairwise comparisons with the parents"},
            ),
            png=f"{RESULTS}/figures/differences.png",
            pdf=f"{RESULTS}/figures/differences.pdf",
        log:
            f"{RESULTS}/logs/figures_differences.log",
        benchmark:
            f"{RESULTS}/timings/figures_differences.tsv"
        conda:
            "../../envs/tables.yaml"
        resources:
            **light(),
        params:
            code=code("figures_differences"),
            judges={name: judge_title(name) for name in JUDGES},
        message:
            "Plot the differences between merges and parents"
        script:
            "../scripts/figures_differences.py"


rule figures_distances:
    input:
        rules.statistics_distances.output[0],
    output:
        svg=report(
            f"{RESULTS}/figures/distances.svg",
            caption="../report/distances.rst",
            category="Figures",
            labels={"shows": "Weight distances between the models"},
        ),
        png=f"{RESULTS}/figures/distances.png",
        pdf=f"{RESULTS}/figures/distances.pdf",
    log:
        f"{RESULTS}/logs/figures_distances.log",
    benchmark:
        f"{RESULTS}/timings/figures_distances.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(),
    params:
        code=code("figures_distances"),
        models=MEASURED,
    message:
        "Plot the distances between the models"
    script:
        "../scripts/figures_distances.py"


if SEARCHED:

    rule figures_search:
        input:
            histories=lambda w: histories_of(w.merge),
            parameters=rules.tables_search.output.parameters,
        output:
            svg=report(
                f"{RESULTS}/figures/search_{{merge}}.svg",
                caption="../report/search.rst",
                category="Figures",
                labels={"shows": "Recipe search of {merge}"},
            ),
            png=f"{RESULTS}/figures/search_{{merge}}.png",
            pdf=f"{RESULTS}/figures/search_{{merge}}.pdf",
        log:
            f"{RESULTS}/logs/figures_search/{{merge}}.log",
        benchmark:
            f"{RESULTS}/timings/figures_search/{{merge}}.tsv"
        conda:
            "../../envs/tables.yaml"
        resources:
            **light(),
        params:
            code=code("figures_search"),
            search=lambda w: canonical(search_of(w.merge)),
        message:
            "Plot the search of {wildcards.merge}"
        script:
            "../scripts/figures_search.py"
