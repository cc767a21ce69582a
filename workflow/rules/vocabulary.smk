"""The terms: rare in a general corpus, chosen from a terminology, translated into the target language."""

TERMINOLOGY, CORPUS = STUDY["vocabulary"]["terminology"], STUDY["vocabulary"]["corpus"]
TRANSLATIONS = STUDY["translations"]


rule vocabulary_corpus:
    input:
        sources(CORPUS.get("path")),
    output:
        f"{RESULTS}/vocabulary/corpus.tsv",
    log:
        f"{RESULTS}/logs/vocabulary_corpus.log",
    benchmark:
        f"{RESULTS}/timings/vocabulary_corpus.tsv"
    conda:
        "../../envs/vocabulary.yaml"
    params:
        code=code("vocabulary_corpus"),
        content=digest(CORPUS.get("path")),
        format=CORPUS["format"],
        path=lambda w: CORPUS.get("path"),
    message:
        "Count the words of the general corpus"
    script:
        "../scripts/vocabulary_corpus.py"


rule vocabulary_terms:
    input:
        corpus=rules.vocabulary_corpus.output[0],
        terminology=sources(TERMINOLOGY["path"]),
    output:
        terms=f"{RESULTS}/vocabulary/terms.tsv",
        funnel=f"{RESULTS}/vocabulary/funnel.tsv",
    log:
        f"{RESULTS}/logs/vocabulary_terms.log",
    benchmark:
        f"{RESULTS}/timings/vocabulary_terms.tsv"
    conda:
        "../../envs/vocabulary.yaml"
    params:
        code=code("vocabulary_terms"),
        content=digest(TERMINOLOGY["path"]),
        terminology=canonical(TERMINOLOGY),
        corpus=canonical(CORPUS),
        tagger=STUDY["vocabulary"]["tagger"],
        filters=canonical(STUDY["vocabulary"]["filters"]),
    message:
        "Choose the rare terms"
    script:
        "../scripts/vocabulary_terms.py"


rule vocabulary_translations:
    input:
        terms=rules.vocabulary_terms.output.terms,
        table=sources(TRANSLATIONS.get("path")),
    output:
        f"{RESULTS}/vocabulary/translations.tsv",
    log:
        f"{RESULTS}/logs/vocabulary_translations.log",
    benchmark:
        f"{RESULTS}/timings/vocabulary_translations.tsv"
    conda:
        "../../envs/vocabulary.yaml"
    params:
        code=code("vocabulary_translations"),
        content=digest(TRANSLATIONS.get("path")),
        provider=TRANSLATIONS["provider"],
        path=lambda w: TRANSLATIONS.get("path"),
    message:
        "Translate the terms"
    script:
        "../scripts/vocabulary_translations.py"
