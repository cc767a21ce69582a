"""The study's unmerged models: trained (the toy ones), downloaded, or linked to a local folder."""

if TOY_MODELS:

    rule toy_models:
        input:
            glossary=ancient(GLOSSARY),
            tasks=sources(*files_at("resources/benchmarks")),
        output:
            expand(f"{RESULTS}/models/{{name}}/provenance.json", name=TOY_MODELS),
        log:
            f"{RESULTS}/logs/toy_models.log",
        benchmark:
            f"{RESULTS}/timings/toy_models.tsv"
        threads: 2
        params:
            code=code("toy_models"),
            content=digest(GLOSSARY, "resources/benchmarks", "resources/prompts"),
            models=TOY_MODELS,
            prompts={code: f"resources/prompts/definition.{code}.txt" for code in ("en", "ja")},
            seed=STUDY["study"]["seed"],
        conda:
            "../../envs/models.yaml"
        script:
            "../scripts/toy_models.py"


rule models:
    output:
        f"{RESULTS}/models/{{model}}/provenance.json",
    log:
        f"{RESULTS}/logs/models/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/models/{{model}}.tsv"
    wildcard_constraints:
        model="|".join(name for name in STUDY["models"] if name not in TOY_MODELS) or "no-model",
    params:
        code=code("models"),
        source=lambda w: STUDY["models"][w.model]["source"],
        revision=lambda w: STUDY["models"][w.model].get("revision"),
        content=lambda w: digest(STUDY["models"][w.model]["source"]),
    conda:
        "../../envs/models.yaml"
    script:
        "../scripts/models.py"
