"""Every judge's scores for every model's definitions."""


rule judgements:
    input:
        definitions=f"{RESULTS}/definitions/{{model}}.jsonl",
        references=f"{RESULTS}/references/{EXPERT}.jsonl",
        gold=lambda w: sources(STUDY["judges"][w.judge].get("gold")),
    output:
        f"{RESULTS}/judgements/{{judge}}/{{model}}.jsonl",
    log:
        f"{RESULTS}/logs/judgements/{{judge}}/{{model}}.log",
    benchmark:
        f"{RESULTS}/timings/judgements/{{judge}}/{{model}}.tsv"
    conda:
        "../../envs/judgements.yaml"
    params:
        code=code("judgements"),
        content=lambda w: digest(STUDY["judges"][w.judge].get("gold")),
        judge=lambda w: canonical(STUDY["judges"][w.judge]),
        languages=sorted(LANGUAGES.values()),
    message:
        "Let {wildcards.judge} score the definitions of {wildcards.model}"
    script:
        "../scripts/judgements.py"
