"""Statistics: comparisons, agreement between judges, transfer between languages, distances."""


include: "helpers/statistics.smk"


# Rules that read one file per model name all inputs by path instead of `rules.….output`: with a single one of
# those, Snakemake 9.27 looks up every input among all outputs, which dominates the start of a sweep of 1,000
# merges.


if COMPARED:

    rule statistics_comparisons:
        input:
            judgements=judgements_of(JUDGED),
            controls=f"{RESULTS}/tables/controls.tsv" if JUDGES else [],
            results=benchmarks_of(BENCHMARKED, ".json"),
            samples=benchmarks_of(BENCHMARKED, ".samples.jsonl"),
            validity=f"{RESULTS}/tables/validity.tsv",
        output:
            report(
                f"{RESULTS}/statistics/comparisons.tsv",
                caption="../report/comparisons.rst",
                category="Comparisons",
                labels={"shows": "Pairwise comparisons with the parents"},
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


if JUDGES:

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
                labels={"shows": "Knowledge transfer across languages"},
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
            "Measure knowledge transfer across languages"
        script:
            "../scripts/statistics_transfer.py"


if len(JUDGES) > 1:

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


# Only with ratings by people (config key `judging.ratings`) to compare judges with.
RATINGS = JUDGING.get("ratings") if JUDGES else None

if RATINGS:

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
            "Compare the judges with human raters"
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
        "Measure the distances between the models"
    script:
        "../scripts/statistics_distances.py"
