"""Definitions of every term: the expert's references for the judges, and those of every model under test."""

ASKING = canonical({key: value for key, value in STUDY["definitions"].items() if key != "prompts"})


rule definitions:
    input:
        checkpoint=lambda w: provenance_of(w.model),
        translations=rules.vocabulary_translations.output[0],
        prompt=lambda w: ancient(prompt_of(language_of(w.model))),
    output:
        f"{RESULTS}/definitions/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/definitions/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/definitions/{{model}}.tsv"
    conda:
        "../../envs/models.yaml"
    resources:
        gpu=1,
    params:
        code=code("definitions"),
        content=lambda w: digest(prompt_of(language_of(w.model))),
        folder=lambda w: checkpoint_of(w.model),
        language=lambda w: language_of(w.model),
        source_language=LANGUAGES["source"],
        settings=ASKING,
    message:
        "Let {wildcards.model} define the terms"
    script:
        "../scripts/definitions.py"


use rule definitions as references with:
    output:
        f"{RESULTS}/references/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/references/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/references/{{model}}.tsv"
    message:
        "Let {wildcards.model} write the reference definitions"
