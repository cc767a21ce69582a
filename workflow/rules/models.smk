"""The study's unmerged models: trained (the toy ones), downloaded, or linked to a local folder."""


include: "helpers/models.smk"


if TOY_MODELS:

    rule toy_models:
        input:
            glossary=ancient(TOY_GLOSSARY),
            tasks=sources(*TOY_TASKS),
        output:
            expand(f"{RESULTS}/models/{{name}}/provenance.json", name=TOY_MODELS),
        log:
            f"{RESULTS}/logs/toy_models.log",
        benchmark:
            f"{RESULTS}/timings/toy_models.tsv"
        conda:
            "../../envs/models.yaml"
        threads: 2
        resources:
            **asks_for(lambda w, threads: {"seconds": 200, "work": 60, "mem_mb": 2000}),
        params:
            code=code("toy_models"),
            content=digest(TOY_GLOSSARY, *TOY_TASKS, *TOY_PROMPTS.values()),
            models=TOY_MODELS,
            prompts=TOY_PROMPTS,
            seed=STUDY["study"]["seed"],
        message:
            "Train the toy models (ancestor, generalist, expert), about a minute"
        script:
            "../scripts/toy_models.py"


if ADAPTED:

    rule adapters:
        input:
            model=lambda w: provenance_of(unadapted(STUDY["models"], w.model)),
            adapter=lambda w: sources(*adapter_files(w.model)),
        output:
            f"{RESULTS}/models/{{model}}/provenance.json",
        log:
            f"{RESULTS}/logs/adapters/{{model}}.log",
        benchmark:
            f"{RESULTS}/timings/adapters/{{model}}.tsv"
        wildcard_constraints:
            model=one_of(ADAPTED),
        conda:
            "../../envs/models.yaml"
        resources:
            **asks_for(lambda w, threads: estimates.folding(SIZES[w.model]), "{model}"),
            disk_mb=lambda w: estimates.folding(SIZES[w.model])["disk_mb"],
            output_mb=lambda w: estimates.folding(SIZES[w.model])["disk_mb"],
        params:
            code=code("adapters"),
            model=lambda w: canonical(
                {key: STUDY["models"][w.model].get(key) for key in ("source", "revision", "adapter")}
            ),
            content=lambda w: digest(*adapter_files(w.model)),
        message:
            "Fold the adapter of {wildcards.model} into its model"
        script:
            "../scripts/adapters.py"


rule models:
    output:
        f"{RESULTS}/models/{{model}}/provenance.json",
    log:
        f"{RESULTS}/logs/models/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/models/{{model}}.tsv"
    wildcard_constraints:
        model=one_of([name for name in STUDY["models"] if name not in (*TOY_MODELS, *ADAPTED)]),
    conda:
        "../../envs/models.yaml"
    resources:
        **asks_for(lambda w, threads: estimates.fetching(SIZES[w.model]), "{model}"),
        disk_mb=lambda w: estimates.fetching(SIZES[w.model])["disk_mb"],
        output_mb=lambda w: 0 if is_linked(w.model) else estimates.fetching(SIZES[w.model])["disk_mb"],
        fetches=lambda w: fetched_model(w.model),
    params:
        code=code("models"),
        source=lambda w: STUDY["models"][w.model]["source"],
        revision=lambda w: STUDY["models"][w.model].get("revision"),
        content=lambda w: digest(*files_of_source(w.model)),
    message:
        "Fetch or link the model {wildcards.model}"
    script:
        "../scripts/models.py"
