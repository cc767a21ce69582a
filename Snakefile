"""lexmerge, started from its own folder; the workflow is in workflow/Snakefile."""


include: "workflow/Snakefile"


# Snakemake ignores `default_target` in an included file.
workflow.default_target = workflow.modifier.modify_rulename("all")
