"""Recipes, and the merges that MergeKit makes from them."""


include: "helpers/merges.smk"


rule recipes:
    output:
        f"{RESULTS}/recipes/{{merge}}.yaml",
    log:
        f"{RESULTS}/logs/recipes/{{merge}}.log",
    benchmark:
        f"{RESULTS}/timings/recipes/{{merge}}.tsv"
    wildcard_constraints:
        merge=one_of([name for name in MERGES if name not in SEARCHED]),
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(),
    params:
        code=code("recipes"),
        recipe=lambda w: canonical(STUDY["merges"][w.merge]["recipe"]),
        folders=lambda w: {name: checkpoint_of(name) for name in parents_of(w.merge)},
        seed=lambda w: STUDY["merges"][w.merge]["seed"],
        threads=STUDY["merging"]["threads"],
    message:
        "Write the recipe of {wildcards.merge}"
    script:
        "../scripts/recipes.py"


rule merges:
    input:
        recipe=f"{RESULTS}/recipes/{{merge}}.yaml",
        parents=lambda w: [provenance_of(name) for name in parents_of(w.merge)],
        canonical=provenance_of(GENERALIST),  # all merges get its tokenizer and generation config
    output:
        f"{RESULTS}/merges/{{merge}}/provenance.json",
    log:
        f"{RESULTS}/logs/merges/{{merge}}.log",
    benchmark:
        f"{RESULTS}/timings/merges/{{merge}}.tsv"
    conda:
        "../../envs/merges.yaml"
    threads: STUDY["merging"]["threads"]
    resources:
        **asks_for(lambda w, threads: merging(w.merge), "{merge}", gpu=True),
        disk_mb=lambda w: merging(w.merge)["disk_mb"],
        output_mb=lambda w: merging(w.merge)["disk_mb"],
    params:
        code=code("merges"),
        seed=lambda w: STUDY["merges"][w.merge]["seed"],
        settings=canonical(MERGING),
    message:
        "Merge {wildcards.merge}"
    script:
        "../scripts/merges.py"
