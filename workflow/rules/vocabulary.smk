"""Choose terms that are rare in a general corpus from a terminology, and translate them."""


include: "helpers/vocabulary.smk"


# This rule exists only while data are absent, so that existing files are never fetched again or deleted.
if ABSENT := nltk_data.absent(VOCABULARY):

    rule vocabulary_nltk:
        output:
            [
                f"{nltk_data.folder(VOCABULARY)}/{file}"
                for package in ABSENT
                for file in nltk_data.PINNED[package]
            ],
        log:
            f"{RESULTS}/logs/vocabulary_nltk.log",
        benchmark:
            f"{RESULTS}/timings/vocabulary_nltk.tsv"
        retries: 2
        conda:
            "../../envs/vocabulary.yaml"
        resources:
            **light(),
        params:
            code=code("vocabulary_nltk"),
            packages=ABSENT,
            folder=nltk_data.folder(VOCABULARY),
        message:
            "Fetch NLTK's data (the Brown corpus is for non-commercial use)"
        script:
            "../scripts/vocabulary_nltk.py"


rule vocabulary_corpus:
    input:
        sources(*TEXTS),
        brown=nltk_input(nltk_data.BROWN),
    output:
        f"{RESULTS}/vocabulary/corpus.tsv",
    log:
        f"{RESULTS}/logs/vocabulary_corpus.log",
    benchmark:
        f"{RESULTS}/timings/vocabulary_corpus.tsv"
    conda:
        "../../envs/vocabulary.yaml"
    resources:
        **asks_for(lambda w, threads: {"seconds": 300, "work": 20, "mem_mb": 4000}),
    params:
        code=code("vocabulary_corpus"),
        content=digest(*TEXTS),
        corpus=canonical(CORPUS),
    message:
        "Count the words of the general corpus"
    script:
        "../scripts/vocabulary_corpus.py"


rule vocabulary_terms:
    input:
        corpus=[] if GIVEN else rules.vocabulary_corpus.output[0],
        names=sources(*NAMES),
        brown=nltk_input(nltk_data.BROWN),
        tagger=nltk_input(nltk_data.TAGGER),
    output:
        terms=f"{RESULTS}/vocabulary/terms.tsv",
        funnel=f"{RESULTS}/vocabulary/funnel.tsv",
    log:
        f"{RESULTS}/logs/vocabulary_terms.log",
    benchmark:
        f"{RESULTS}/timings/vocabulary_terms.tsv"
    conda:
        "../../envs/vocabulary.yaml"
    resources:
        **asks_for(lambda w, threads: {"seconds": 600, "work": 60, "mem_mb": 4000}),
    params:
        code=code("vocabulary_terms"),
        format=code_of(TERMINOLOGY_FORMATS, TERMINOLOGY["format"]) if TERMINOLOGY else "",
        content=digest(*NAMES),
        vocabulary=canonical(VOCABULARY),
        language=LANGUAGES["source"],
    message:
        "Select rare terms"
    script:
        "../scripts/vocabulary_terms.py"


rule vocabulary_translations:
    input:
        terms=rules.vocabulary_terms.output.terms,
        files=sources(*TRANSLATION_FILES),
    output:
        f"{RESULTS}/vocabulary/translations.tsv",
    log:
        f"{RESULTS}/logs/vocabulary_translations.log",
    benchmark:
        f"{RESULTS}/timings/vocabulary_translations.tsv"
    conda:
        "../../envs/vocabulary.yaml"
    resources:
        **asks_for(lambda w, threads: estimates.requests(translating(), TRANSLATIONS)),
        calls=lambda w: translating(),
        connections=TRANSLATIONS.get("connections", 0),
        requests_per_minute=TRANSLATIONS.get("requests_per_minute", 0),
    params:
        code=code("vocabulary_translations", LIMITS_OF_COST),
        translator=code_of(TRANSLATORS, TRANSLATIONS["provider"]),
        provider=code_of(PROVIDERS, TRANSLATIONS["provider"]) if TRANSLATED_BY_MODEL else "",
        content=digest(*TRANSLATION_FILES),
        settings=canonical(
            {k: v for k, v in TRANSLATIONS.items() if k not in ("connections", "requests_per_minute")}
        ),
        languages=canonical(LANGUAGES),
        journal=f"{RESULTS}/journal/translations.jsonl",
    message:
        "Translate the terms"
    script:
        "../scripts/vocabulary_translations.py"
