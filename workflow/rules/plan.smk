"""The target `plan`: the stages still to run, with their time, disk space and costs, and the time of the others."""


include: "helpers/plan.smk"


# It has no output, so that it always runs. A dry run in another process lists the jobs.
rule plan:
    log:
        f"{RESULTS}/logs/plan.log",
    localrule: True
    conda:
        "../../envs/judgements.yaml"
    resources:
        **light(),
    params:
        code=code("plan"),
        results=RESULTS,
        table=f"{RESULTS}/plan.tsv",
        command=lambda w: [sys.executable, "-m", "snakemake", f"{BEFORE}all{AFTER}"]
        + ["--snakefile", str(workflow.main_snakefile), *(["--sdm", "conda"] if uses_conda() else [])],
        given=GIVEN_CONFIG,
        study=canonical(STUDY),
        terms=lambda w: terms(),
        at_most=CHECKPOINTS["at_most"] if CHECKPOINTS else None,
        removed=lambda w: checkpoint_pool.removed_merges(RESULTS, MERGES),
        notes=lambda w: assumptions(),
    message:
        "Plan the study; this takes as long as a dry run"
    script:
        "../scripts/plan.py"
