"""The paper's two tables and its figure, for this study, the statistics behind them, and the distances."""

# Rules that read a file a model name all their inputs by path, and not as `rules.….output`: with one of those,
# Snakemake 9.27 looks for every file among all, which in a sweep of 1,000 merges takes longer than the rest.


rule tables_definition_scores:
    input:
        judgements=judgements_of(JUDGED),
        controls=f"{RESULTS}/tables/controls.tsv",
    output:
        report(
            f"{RESULTS}/tables/definition_scores.tsv",
            caption="../report/definition_scores.rst",
            category="Tables",
            labels={"shows": "Table 1: scores of the definitions"},
        ),
    log:
        f"{RESULTS}/logs/tables_definition_scores.log",
    benchmark:
        f"{RESULTS}/timings/tables_definition_scores.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(len(JUDGED)),
    params:
        code=code("tables_definition_scores"),
        cells=JUDGED,
        seed=STUDY["study"]["seed"],
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
    resources:
        **light(len(TESTED)),
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
        report(
            f"{RESULTS}/tables/benchmarks.tsv",
            caption="../report/benchmarks.rst",
            category="Tables",
            labels={"shows": "Table 2: benchmarks"},
        ),
    log:
        f"{RESULTS}/logs/tables_benchmarks.log",
    benchmark:
        f"{RESULTS}/timings/tables_benchmarks.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(),
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
    resources:
        **light(len(BENCHMARKED)),
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
        svg=report(
            f"{RESULTS}/figures/score_histograms.svg",
            caption="../report/score_histograms.rst",
            category="Figures",
            labels={"shows": "Figure 1: how often each judge gave each score"},
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
        "Figure 1: how often each judge gave each score"
    script:
        "../scripts/figures_score_histograms.py"


rule tables_validity:
    input:
        definitions=[f"{RESULTS}/definitions/{model}.jsonl" for model in TESTED],
        references=f"{RESULTS}/references/{EXPERT}.jsonl",
        judgements=judgements_of(JUDGED),
        controls=f"{RESULTS}/tables/controls.tsv",
        results=benchmarks_of(BENCHMARKED, ".json"),
        samples=benchmarks_of(BENCHMARKED, ".samples.jsonl"),
    output:
        report(
            f"{RESULTS}/tables/validity.tsv",
            caption="../report/validity.rst",
            category="Tables",
            labels={"shows": "What else the scores may differ by"},
        ),
    log:
        f"{RESULTS}/logs/tables_validity.log",
    benchmark:
        f"{RESULTS}/timings/tables_validity.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(len(JUDGED) + len(BENCHMARKED)),
    params:
        code=code("tables_validity"),
        models=TESTED,
        judged=JUDGED,
        benchmarked=BENCHMARKED,
        expert=EXPERT,
        generalist=GENERALIST,
        against_references=[judge for judge in JUDGES if sees_references(judge)],
        substitutes={name: STUDY["judges"][name].get("substitute_for", "") for name in JUDGES},
        tolerance=STUDY["statistics"]["tolerance"],
    message:
        "Check what else than knowledge the scores may differ by"
    script:
        "../scripts/tables_validity.py"


rule statistics_comparisons:
    input:
        judgements=judgements_of(JUDGED),
        controls=f"{RESULTS}/tables/controls.tsv",
        results=benchmarks_of(BENCHMARKED, ".json"),
        samples=benchmarks_of(BENCHMARKED, ".samples.jsonl"),
        validity=f"{RESULTS}/tables/validity.tsv",
    output:
        report(
            f"{RESULTS}/statistics/comparisons.tsv",
            caption="../report/comparisons.rst",
            category="Comparisons",
            labels={"shows": "Each merge beside each parent"},
        ),
    log:
        f"{RESULTS}/logs/statistics_comparisons.log",
    benchmark:
        f"{RESULTS}/timings/statistics_comparisons.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(len(JUDGED) + len(BENCHMARKED)),
    params:
        code=code("statistics_comparisons"),
        judged=JUDGED,
        benchmarked=BENCHMARKED,
        merges=MERGES,
        baselines=[GENERALIST, EXPERT],
        margins=canonical(STUDY["statistics"]["margins"]),
        tolerance=STUDY["statistics"]["tolerance"],
        seed=STUDY["study"]["seed"],
    message:
        "Compare every merge with both parents"
    script:
        "../scripts/statistics_comparisons.py"


rule figures_differences:
    input:
        comparisons=rules.statistics_comparisons.output[0],
        results=benchmarks_of([(TESTED[0], suite) for suite in SUITES], ".json"),
    output:
        svg=report(
            f"{RESULTS}/figures/differences.svg",
            caption="../report/comparisons.rst",
            category="Figures",
            labels={"shows": "Differences from the parents"},
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
        "Draw how far each merge is from each parent"
    script:
        "../scripts/figures_differences.py"


rule tables_typeset:
    input:
        definition_scores=rules.tables_definition_scores.output[0],
        benchmark_scores=rules.tables_benchmark_scores.output[0],
        comparisons=rules.statistics_comparisons.output[0],
        validity=rules.tables_validity.output[0],
        results=benchmarks_of([(TESTED[0], suite) for suite in SUITES], ".json"),
    output:
        **{
            f"{table}_{kind}": f"{RESULTS}/tables/{table}.{kind}"
            for table in ("definition_scores", "benchmarks", "verdicts")
            for kind in ("md", "tex")
        },
    log:
        f"{RESULTS}/logs/tables_typeset.log",
    benchmark:
        f"{RESULTS}/timings/tables_typeset.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(),
    params:
        code=code("tables_typeset"),
        judges={name: judge_title(name) for name in JUDGES},
    message:
        "Typeset the tables in Markdown and LaTeX"
    script:
        "../scripts/tables_typeset.py"


rule statistics_transfer:
    input:
        terms=f"{RESULTS}/vocabulary/terms.tsv",
        judgements=judgements_of(JUDGED),
        others=judgements_of(TRANSFERRED, "transfer/"),
    output:
        report(
            f"{RESULTS}/statistics/transfer.tsv",
            caption="../report/transfer.rst",
            category="Comparisons",
            labels={"shows": "What moved across languages"},
        ),
    log:
        f"{RESULTS}/logs/statistics_transfer.log",
    benchmark:
        f"{RESULTS}/timings/statistics_transfer.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(len(JUDGED)),
    params:
        code=code("statistics_transfer"),
        own=[(judge, model, side_of(language_of(model))) for model, judge in JUDGED],
        other=[(judge, model, side_of(other_language_of(model))) for model, judge in TRANSFERRED],
        models=TESTED,
        merges=MERGES,
        parents={"expert": EXPERT, "generalist": GENERALIST},
        known=STUDY["statistics"]["known"],
    message:
        "What moved across languages"
    script:
        "../scripts/statistics_transfer.py"


rule statistics_agreement:
    input:
        judgements=judgements_of(JUDGED),
        controls=f"{RESULTS}/tables/controls.tsv",
    output:
        report(
            f"{RESULTS}/statistics/agreement.tsv",
            caption="../report/agreement.rst",
            category="Comparisons",
            labels={"shows": "Agreement between the judges"},
        ),
    log:
        f"{RESULTS}/logs/statistics_agreement.log",
    benchmark:
        f"{RESULTS}/timings/statistics_agreement.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(len(JUDGED)),
    params:
        code=code("statistics_agreement"),
        cells=JUDGED,
    message:
        "Compare the judges with each other"
    script:
        "../scripts/statistics_agreement.py"


# Only where numbers were published: theirs beside the study's.
if PUBLISHED := STUDY.get("published"):

    rule tables_published:
        input:
            published_scores=sources(PUBLISHED.get("definition_scores")),
            published_benchmarks=sources(PUBLISHED.get("benchmarks")),
            definition_scores=rules.tables_definition_scores.output[0],
            benchmark_scores=rules.tables_benchmark_scores.output[0],
        output:
            report(
                f"{RESULTS}/tables/published.tsv",
                caption="../report/published.rst",
                category="Tables",
                labels={"shows": "The published tables beside these"},
            ),
        log:
            f"{RESULTS}/logs/tables_published.log",
        benchmark:
            f"{RESULTS}/timings/tables_published.tsv"
        conda:
            "../../envs/tables.yaml"
        resources:
            **light(),
        params:
            code=code("tables_published"),
            content=digest(PUBLISHED.get("definition_scores"), PUBLISHED.get("benchmarks")),
            judges={
                name: {key: STUDY["judges"][name].get(key) for key in ("model", "substitute_for", "blind")}
                for name in JUDGES
            },
            about_terms="on a sample of the terms" if is_sampled() else "",
        message:
            "Set the published tables beside the study's"
        script:
            "../scripts/tables_published.py"


# Only where people have rated: how far they and the judges agree.
if RATINGS := JUDGING.get("ratings"):

    rule statistics_ratings:
        input:
            judgements=judgements_of(JUDGED),
            definitions=[f"{RESULTS}/definitions/{model}.jsonl" for model in TESTED],
            ratings=sources(RATINGS),
        output:
            ratings=f"{RESULTS}/statistics/ratings.tsv",
            means=f"{RESULTS}/statistics/prediction_powered.tsv",
        log:
            f"{RESULTS}/logs/statistics_ratings.log",
        benchmark:
            f"{RESULTS}/timings/statistics_ratings.tsv"
        conda:
            "../../envs/tables.yaml"
        resources:
            **light(len(JUDGED)),
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
        [provenance_of(model) for model in MEASURED],
    output:
        f"{RESULTS}/statistics/distances.tsv",
    log:
        f"{RESULTS}/logs/statistics_distances.log",
    benchmark:
        f"{RESULTS}/timings/statistics_distances.tsv"
    conda:
        "../../envs/merges.yaml"
    resources:
        **asks_for(lambda w, threads: measuring(), gpu=True),
        merged_again=lambda w: merged_again(*MEASURED),
    params:
        **({"unmeasured": UNMEASURED} if UNMEASURED else {}),
        code=code("statistics_distances"),
        models=MEASURED,
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
        svg=report(
            f"{RESULTS}/figures/distances.svg",
            caption="../report/distances.rst",
            category="Figures",
            labels={"shows": "Distances between the models"},
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
        "Draw how far the models are from each other"
    script:
        "../scripts/figures_distances.py"
