"""lexmerge: merge language models, and measure what that does to technical vocabulary."""

from snakemake.utils import min_version

min_version("9.25")  # the first with profiles/<name>/profile.yaml and a `benchmark:` that leaks no thread


include: "workflow/rules/study.smk"  # the study's config, checked; names, paths and fingerprints
include: "workflow/rules/resources.smk"  # what every job asks of a scheduler
include: "workflow/rules/models.smk"
include: "workflow/rules/vocabulary.smk"
include: "workflow/rules/merges.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/definitions.smk"
include: "workflow/rules/judgements.smk"
include: "workflow/rules/benchmarks.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/run.smk"  # the start and the end of a run, and a line for each job


keep_local()


report: "workflow/report/workflow.rst"  # what `snakemake --report` begins with


rule all:
    default_target: True
    input:
        f"{RESULTS}/study.yaml",
        f"{RESULTS}/vocabulary/terms.tsv",
        f"{RESULTS}/vocabulary/funnel.tsv",
        f"{RESULTS}/vocabulary/translations.tsv",
        expand(f"{RESULTS}/recipes/{{merge}}.yaml", merge=MERGES),
        expand(f"{RESULTS}/merges/{{merge}}/provenance.json", merge=MERGES),
        f"{RESULTS}/references/{EXPERT}.jsonl",
        expand(f"{RESULTS}/definitions/{{model}}.jsonl", model=TESTED),
        expand(
            f"{RESULTS}/judgements/{{judge}}/{{model}}.jsonl",
            judge=JUDGES,
            model=TESTED,
        ),
        expand(
            f"{RESULTS}/benchmarks/{{suite}}/{{model}}.json",
            suite=SUITES,
            model=TESTED,
        ),
        expand(f"{RESULTS}/controls/{{judge}}.jsonl", judge=JUDGES),
        f"{RESULTS}/tables/controls.tsv" if JUDGES else [],
        f"{RESULTS}/tables/costs.tsv" if JUDGES else [],
        f"{RESULTS}/tables/definition_scores.tsv" if JUDGES else [],
        f"{RESULTS}/tables/definition_flags.tsv",
        f"{RESULTS}/tables/benchmarks.tsv" if SUITES else [],
        f"{RESULTS}/tables/benchmark_scores.tsv" if SUITES else [],
        f"{RESULTS}/tables/validity.tsv" if SCORED else [],
        f"{RESULTS}/tables/published.tsv" if PUBLISHED else [],
        expand(
            f"{RESULTS}/tables/{{table}}.{{kind}}",
            table=TYPESET,
            kind=["md", "tex"],
        ),
        f"{RESULTS}/statistics/comparisons.tsv" if COMPARED else [],
        f"{RESULTS}/statistics/agreement.tsv" if len(JUDGES) > 1 else [],
        f"{RESULTS}/statistics/transfer.tsv" if JUDGES else [],
        f"{RESULTS}/statistics/distances.tsv",
        f"{RESULTS}/tables/search.tsv" if SEARCHED else [],
        expand(
            f"{RESULTS}/figures/{{figure}}.{{kind}}",
            figure=[
                *(["score_histograms"] if JUDGES else []),
                *(["differences"] if COMPARED else []),
                "distances",
                *(f"search_{merge}" for merge in SEARCHED),
            ],
            kind=["svg", "png", "pdf"],
        ),
        f"{RESULTS}/report/index.html",
    message:
        "Everything that the study delivers is there"


onstart:
    stop_unless_ready()
    begin_run()
    report_jobs()
    kills.report_kills(logger)


onsuccess:
    end_run(succeeded=True)
    print(f"{time_and_memory()}\n{where_to_look()}")


onerror:
    end_run(succeeded=False)
    print(time_and_memory())
