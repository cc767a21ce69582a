"""Tables: the paper's two, with error bars, validity checks and typeset forms."""

# Rules that read one file per model name all inputs by path instead of `rules.….output`: with a single one of
# those, Snakemake 9.27 looks up every input among all outputs, which dominates the start of a sweep of 1,000
# merges.


if JUDGES:

    rule tables_controls:
        input:
            [f"{RESULTS}/controls/{judge}.jsonl" for judge in JUDGES],
        output:
            f"{RESULTS}/tables/controls.tsv",
        log:
            f"{RESULTS}/logs/tables_controls.log",
        benchmark:
            f"{RESULTS}/timings/tables_controls.tsv"
        conda:
            "../../envs/tables.yaml"
        resources:
            **light(),
        params:
            code=code("tables_controls"),
            judges=JUDGES,
            low=JUDGING["controls"]["low"],
            high=JUDGING["controls"]["high"],
        message:
            "Check which judges pass their controls"
        script:
            "../scripts/tables_controls.py"

    rule tables_costs:
        input:
            judgements=judgements_of(JUDGED) + judgements_of(TRANSFERRED, "transfer/"),
            controls=[f"{RESULTS}/controls/{judge}.jsonl" for judge in JUDGES],
        output:
            f"{RESULTS}/tables/costs.tsv",
        log:
            f"{RESULTS}/logs/tables_costs.log",
        benchmark:
            f"{RESULTS}/timings/tables_costs.tsv"
        conda:
            "../../envs/judgements.yaml"
        resources:
            **light(len(JUDGED)),
        params:
            code=code("tables_costs"),
            judged=JUDGED + TRANSFERRED,
            names=JUDGES,
            judges=canonical(STUDY["judges"]),
        message:
            "Add up the judges' costs"
        script:
            "../scripts/tables_costs.py"

    rule tables_definition_scores:
        input:
            judgements=judgements_of(JUDGED),
            controls=f"{RESULTS}/tables/controls.tsv",
        output:
            report(
                f"{RESULTS}/tables/definition_scores.tsv",
                caption="../report/definition_scores.rst",
                category="Tables",
                labels={"shows": "Table 1: definition scores by judge"},
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
            "Table 1: definition scores by judge"
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
        "Count the flagged definitions"
    script:
        "../scripts/tables_definition_flags.py"


if SUITES:

    rule tables_benchmarks:
        input:
            benchmarks_of(BENCHMARKED, ".json"),
        output:
            report(
                f"{RESULTS}/tables/benchmarks.tsv",
                caption="../report/benchmarks.rst",
                category="Tables",
                labels={"shows": "Table 2: benchmark scores"},
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
            "Table 2: benchmark scores"
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
            "Compute benchmark scores with intervals, by task and prompt"
        script:
            "../scripts/tables_benchmark_scores.py"


TYPESET = [
    table
    for table, made in {"definition_scores": JUDGES, "benchmarks": SUITES, "verdicts": COMPARED}.items()
    if made
]

if SCORED:

    rule tables_validity:
        input:
            definitions=[f"{RESULTS}/definitions/{model}.jsonl" for model in TESTED if JUDGES],
            references=f"{RESULTS}/references/{EXPERT}.jsonl" if JUDGES else [],
            judgements=judgements_of(JUDGED),
            controls=f"{RESULTS}/tables/controls.tsv" if JUDGES else [],
            results=benchmarks_of(BENCHMARKED, ".json"),
            samples=benchmarks_of(BENCHMARKED, ".samples.jsonl"),
            checkpoints=[provenance_of(model) for model in TESTED],
        output:
            report(
                f"{RESULTS}/tables/validity.tsv",
                caption="../report/validity.rst",
                category="Tables",
                labels={"shows": "Confounders"},
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
            merges=list(MERGES),
            judged=JUDGED,
            benchmarked=BENCHMARKED,
            expert=EXPERT,
            generalist=GENERALIST,
            against_references=[judge for judge in JUDGES if sees_references(judge)],
            substitutes={name: STUDY["judges"][name].get("substitute_for", "") for name in JUDGES},
            tolerance=STUDY["statistics"]["tolerance"],
        message:
            "Check for confounders of the scores"
        script:
            "../scripts/tables_validity.py"

    rule tables_typeset:
        input:
            definition_scores=rules.tables_definition_scores.output[0] if JUDGES else [],
            benchmark_scores=rules.tables_benchmark_scores.output[0] if SUITES else [],
            comparisons=rules.statistics_comparisons.output[0] if COMPARED else [],
            validity=rules.tables_validity.output[0],
            results=benchmarks_of([(TESTED[0], suite) for suite in SUITES], ".json"),
        output:
            **{
                f"{table}_{kind}": f"{RESULTS}/tables/{table}.{kind}"
                for table in TYPESET
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


# Only with published numbers (config key `published`) of something that the study measures.
PUBLISHED = {
    table: STUDY["published"][table]
    for table, made in {"definition_scores": JUDGES, "benchmarks": SUITES}.items()
    if made and table in STUDY.get("published", {})
}

if PUBLISHED:

    rule tables_published:
        input:
            published_scores=sources(PUBLISHED.get("definition_scores")),
            published_benchmarks=sources(PUBLISHED.get("benchmarks")),
            definition_scores=rules.tables_definition_scores.output[0] if JUDGES else [],
            benchmark_scores=rules.tables_benchmark_scores.output[0] if SUITES else [],
        output:
            report(
                f"{RESULTS}/tables/published.tsv",
                caption="../report/published.rst",
                category="Tables",
                labels={"shows": "Comparison with published results"},
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
            "Compare with published results"
        script:
            "../scripts/tables_published.py"


if SEARCHED:

    rule tables_search:
        input:
            histories=[file for merge in SEARCHED for file in histories_of(merge)],
            scores=expand(f"{RESULTS}/search/{{merge}}/scores.json", merge=SEARCHED),
        output:
            search=f"{RESULTS}/tables/search.tsv",
            parameters=f"{RESULTS}/tables/search_parameters.tsv",
        log:
            f"{RESULTS}/logs/tables_search.log",
        benchmark:
            f"{RESULTS}/timings/tables_search.tsv"
        conda:
            "../../envs/tables.yaml"
        resources:
            **light(),
        params:
            code=code("tables_search"),
            searches={merge: canonical(search_of(merge)) for merge in SEARCHED},
        message:
            "Tabulate the searches: gains and values found"
        script:
            "../scripts/tables_search.py"
