"""The study's unmerged models: trained (the toy ones), downloaded, or linked to a local folder."""

if TOY_MODELS:

    rule toy_models:
        input:
            glossary=ancient(GLOSSARY),
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
        params:
            code=code("toy_models"),
            content=digest(GLOSSARY, *TOY_TASKS, "resources/prompts"),
            models=TOY_MODELS,
            prompts={code: f"resources/prompts/definition.{code}.txt" for code in ("en", "ja")},
            seed=STUDY["study"]["seed"],
        message:
            "Train the toy models, an ancestor, a generalist and an expert: about a minute"
        script:
            "../scripts/toy_models.py"


rule models_headers:
    output:
        f"{RESULTS}/headers/{{model}}.json",
    log:
        f"{RESULTS}/logs/models_headers/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/models_headers/{{model}}.tsv"
    wildcard_constraints:
        model="|".join(map(re.escape, HUB_MODELS)) or "no-model",
    localrule: True
    conda:
        "../../envs/models.yaml"
    params:
        code=code("models_headers"),
        source=lambda w: STUDY["models"][w.model]["source"],
        revision=lambda w: STUDY["models"][w.model]["revision"],
        folder=lambda w: checkpoint_of(w.model),
    message:
        "Read the headers of {wildcards.model}"
    script:
        "../scripts/models_headers.py"


rule models_preflight:
    input:
        headers=expand(f"{RESULTS}/headers/{{name}}.json", name=HUB_MODELS),
    output:
        f"{RESULTS}/headers/preflight.json",
    log:
        f"{RESULTS}/logs/models_preflight.log",
    benchmark:
        f"{RESULTS}/timings/models_preflight.tsv"
    conda:
        "../../envs/models.yaml"
    params:
        code=code("models_preflight"),
        recipes={name: canonical(merge["recipe"]) for name, merge in sorted(STUDY["merges"].items())},
        local={
            name: model["source"]
            for name, model in STUDY["models"].items()
            if Path(model["source"]).is_dir()
        },
    message:
        "Check that the models can be merged, before their weights are fetched"
    script:
        "../scripts/models_preflight.py"


rule models:
    input:
        headers=lambda w: f"{RESULTS}/headers/{w.model}.json" if w.model in HUB_MODELS else [],
        # First the check, and no more than that: another merge in the study fetches no model again.
        preflight=lambda w: ancient(f"{RESULTS}/headers/preflight.json") if w.model in HUB_MODELS else [],
    output:
        f"{RESULTS}/models/{{model}}/provenance.json",
    log:
        f"{RESULTS}/logs/models/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/models/{{model}}.tsv"
    wildcard_constraints:
        model="|".join(re.escape(name) for name in STUDY["models"] if name not in TOY_MODELS) or "no-model",
    conda:
        "../../envs/models.yaml"
    params:
        code=code("models"),
        source=lambda w: STUDY["models"][w.model]["source"],
        content=lambda w: digest(STUDY["models"][w.model]["source"]),
    message:
        "Fetch the model {wildcards.model}"
    script:
        "../scripts/models.py"
