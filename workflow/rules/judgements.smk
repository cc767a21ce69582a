"""Every judge's scores for every model's definitions, control questions for the judges, and rating sheets."""


include: "helpers/judgements.smk"


rule judgements:
    input:
        definitions=f"{RESULTS}/definitions/{{model}}.jsonl",
        references=f"{RESULTS}/references/{EXPERT}.jsonl",
        files=lambda w: sources(*files_of_judge(w.judge)),
    output:
        f"{RESULTS}/judgements/{{judge}}/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/judgements/{{judge}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/judgements/{{judge}}/{{model}}.tsv"
    conda:
        "../../envs/judgements.yaml"
    resources:
        **asks_for(lambda w, threads: judging(w.judge, terms()), "{judge}/{model}"),
        **quotas(),
        calls=lambda w: paid(w.judge, terms()),
    params:
        code=code("judgements", LIMITS_OF_COST),
        provider=lambda w: judge_code(w.judge),
        content=lambda w: digest(*files_of_judge(w.judge)),
        judge=lambda w: settings_of_judge(w.judge),
        languages=canonical(LANGUAGES),
        journal=lambda w: f"{RESULTS}/journal/judgements/{w.judge}/{w.model}.jsonl",
    message:
        "Score the definitions of {wildcards.model} by {wildcards.judge}"
    script:
        "../scripts/judgements.py"


use rule judgements as transfer_judgements with:
    input:
        definitions=f"{RESULTS}/transfer/definitions/{{model}}.jsonl",
        references=f"{RESULTS}/references/{EXPERT}.jsonl",
        files=lambda w: sources(*files_of_judge(w.judge)),
    output:
        f"{RESULTS}/transfer/judgements/{{judge}}/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/transfer_judgements/{{judge}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/transfer_judgements/{{judge}}/{{model}}.tsv"
    params:
        journal=lambda w: f"{RESULTS}/journal/transfer/judgements/{w.judge}/{w.model}.jsonl",
    message:
        "Score the definitions of {wildcards.model} in its other language by {wildcards.judge}"


rule controls:
    input:
        definitions=f"{RESULTS}/definitions/{GENERALIST}.jsonl",
        references=f"{RESULTS}/references/{EXPERT}.jsonl",
        files=lambda w: sources(*files_of_judge(w.judge)),
        injection=ancient(JUDGING["controls"]["injection"]),
    output:
        f"{RESULTS}/controls/{{judge}}.jsonl",
    log:
        f"{RESULTS}/logs/controls/{{judge}}.log",
    benchmark:
        f"{RESULTS}/timings/controls/{{judge}}.tsv"
    conda:
        "../../envs/judgements.yaml"
    resources:
        **asks_for(lambda w, threads: controlling(w.judge), "{judge}"),
        **quotas(),
        calls=lambda w: paid(w.judge, costs.calls_of_controls(STUDY, terms())),
    params:
        code=code("controls", LIMITS_OF_COST),
        provider=lambda w: judge_code(w.judge),
        content=lambda w: digest(*files_of_judge(w.judge), JUDGING["controls"]["injection"]),
        judge=lambda w: settings_of_judge(w.judge),
        languages=canonical(LANGUAGES),
        terms=JUDGING["controls"]["terms"],
        repeats=JUDGING["controls"]["repeats"],
        seed=JUDGING["controls"]["seed"],
        journal=lambda w: f"{RESULTS}/journal/controls/{w.judge}.jsonl",
    message:
        "Run the controls of {wildcards.judge}"
    script:
        "../scripts/controls.py"


# A separate target: the estimated costs of the study's language models, before any request.
rule estimate:
    input:
        rules.vocabulary_terms.output.terms,
    output:
        f"{RESULTS}/estimate.tsv",
    log:
        f"{RESULTS}/logs/estimate.log",
    benchmark:
        f"{RESULTS}/timings/estimate.tsv"
    conda:
        "../../envs/judgements.yaml"
    resources:
        **light(),
    params:
        code=code("estimate"),
        study=canonical(STUDY),
    message:
        "Estimate the costs of judging and translating"
    script:
        "../scripts/estimate.py"


# A separate target: definitions for human raters, in random order, without the names of the models.
rule rating_sheet:
    input:
        definitions=[f"{RESULTS}/definitions/{model}.jsonl" for model in TESTED],
        references=f"{RESULTS}/references/{EXPERT}.jsonl",
    output:
        f"{RESULTS}/ratings/sheet.tsv",
    log:
        f"{RESULTS}/logs/rating_sheet.log",
    benchmark:
        f"{RESULTS}/timings/rating_sheet.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        **light(len(TESTED)),
    params:
        code=code("rating_sheet"),
        sample=JUDGING["rating_sample"],
        seed=STUDY["study"]["seed"],
    message:
        "Write a blank sheet for human raters"
    script:
        "../scripts/rating_sheet.py"
