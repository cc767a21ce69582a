"""Definitions of all terms by every model under test, and the expert's references for the judges."""


include: "helpers/definitions.smk"


rule definitions:
    input:
        checkpoint=lambda w: provenance_of(w.model),
        translations=rules.vocabulary_translations.output[0],
        prompt=lambda w: ancient(prompt_of(language_of(w.model))),
        # Without a second pass, the expert's definitions are a copy of its references.
        written=lambda w: (
            [] if SECOND_PASS or w.model != EXPERT else rules.references.output[0].format(model=EXPERT)
        ),
    output:
        f"{RESULTS}/definitions/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/definitions/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/definitions/{{model}}.tsv"
    priority: READ_PRIORITY
    conda:
        f"../../envs/{BACK_ENDS[ASKING['backend']].environment}.yaml"
    resources:
        **reads("model", lambda w, threads: defining(w.model, threads), "{model}"),
        **VLLM_RESOURCES,
    params:
        code=code("definitions"),
        content=lambda w: digest(prompt_of(language_of(w.model))),
        folder=lambda w: checkpoint_of(w.model),
        language=lambda w: language_of(w.model),
        source_language=LANGUAGES["source"],
        settings=ASKING,
        engine=ENGINE,
        decoding=lambda w: canonical(SECOND_PASS) if w.model == EXPERT else {},
        journal=lambda w: f"{RESULTS}/journal/definitions/{w.model}.jsonl",
    message:
        "Generate definitions with {wildcards.model}"
    script:
        "../scripts/definitions.py"


use rule definitions as references with:
    input:
        checkpoint=lambda w: provenance_of(w.model),
        translations=rules.vocabulary_translations.output[0],
        prompt=lambda w: ancient(prompt_of(language_of(w.model))),
        written=[],
    output:
        f"{RESULTS}/references/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/references/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/references/{{model}}.tsv"
    resources:
        **asks_for(lambda w, threads: asking(w.model, threads), "{model}", gpu=True),
        **VLLM_RESOURCES,
    params:
        decoding={},
        journal=lambda w: f"{RESULTS}/journal/references/{w.model}.jsonl",
    message:
        "Generate reference definitions with {wildcards.model}"


use rule definitions as transfer_definitions with:
    input:
        checkpoint=lambda w: provenance_of(w.model),
        translations=rules.vocabulary_translations.output[0],
        prompt=lambda w: ancient(prompt_of(other_language_of(w.model))),
        written=[],
    output:
        f"{RESULTS}/transfer/definitions/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/transfer_definitions/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/transfer_definitions/{{model}}.tsv"
    resources:
        **reads("model", lambda w, threads: asking(w.model, threads), "{model}"),
        **VLLM_RESOURCES,
    params:
        content=lambda w: digest(prompt_of(other_language_of(w.model))),
        language=lambda w: other_language_of(w.model),
        decoding={},
        journal=lambda w: f"{RESULTS}/journal/transfer/definitions/{w.model}.jsonl",
    message:
        "Generate definitions with {wildcards.model} in its other language"


if ONE_ENGINE:

    ruleorder: definitions_of_merges > definitions

    rule definitions_of_merges:
        input:
            checkpoints=[provenance_of(merge) for merge in MERGES],
            translations=rules.vocabulary_translations.output[0],
            prompt=ancient(prompt_of(LANGUAGES["target"])),
        output:
            expand(f"{RESULTS}/definitions/{{merge}}.jsonl", merge=MERGES),
        log:
            f"{RESULTS}/logs/definitions_of_merges.log",
        benchmark:
            f"{RESULTS}/timings/definitions_of_merges.tsv"
        priority: READ_PRIORITY
        conda:
            "../../envs/vllm.yaml"
        resources:
            **asks_for(lambda w, threads: asking_all(threads), gpu=True),
            **VLLM_RESOURCES,
            merged_again=lambda w: merged_again(*MERGES),
        params:
            code=code("definitions_of_merges"),
            content=digest(prompt_of(LANGUAGES["target"])),
            folders=[checkpoint_of(merge) for merge in MERGES],
            language=LANGUAGES["target"],
            source_language=LANGUAGES["source"],
            settings=ASKING,
            engine=ENGINE,
            journals=[f"{RESULTS}/journal/definitions/{merge}.jsonl" for merge in MERGES],
        message:
            "Generate definitions with all merges in one engine"
        script:
            "../scripts/definitions_of_merges.py"
