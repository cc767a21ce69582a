"""Let one model define every term, in the language that it is asked in."""

from lexmerge.files import read_tsv, write_jsonl
from lexmerge.generation import Answer, answer, load
from lexmerge.jobs import job
from lexmerge.prompts import fill, read_prompt

NOT_ASKED = Answer("", "not_asked", 0)  # of a term that has no translation


def asked_terms(translations: list[dict], in_source_language: bool) -> list[str]:
    """What stands in the prompts: the term itself, or its translation, which is empty where there is none."""
    return [row["term" if in_source_language else "translation"] for row in translations]


def with_gaps(asked: list[str], answers: list[Answer]) -> list[Answer]:
    """The answers to the terms that were asked, with a place for each that was not."""
    given = iter(answers)
    return [next(given) if term else NOT_ASKED for term in asked]


def rows(translations: list[dict], language: str, answers: list[Answer]) -> list[dict]:
    return [
        {
            "term": row["term"],
            "translation": row["translation"],
            "prompt_language": language,
            "definition": said.text,
            "finish_reason": said.finish_reason,
            "tokens": said.tokens,
        }
        for row, said in zip(translations, answers, strict=True)
    ]


if __name__ == "__main__":
    with job(snakemake.log[0]):
        settings, language = snakemake.params.settings, snakemake.params.language
        pairs = read_tsv(snakemake.input.translations).to_dict("records")
        prompt = read_prompt(snakemake.input.prompt)
        asked = asked_terms(pairs, language == snakemake.params.source_language)
        tokenizer, model = load(snakemake.params.folder, settings["dtype"], settings["device"])
        said = answer(
            tokenizer,
            model,
            [fill(prompt, term) for term in asked if term],
            settings["max_new_tokens"],
            settings["batch_size"],
        )
        write_jsonl(snakemake.output[0], rows(pairs, language, with_gaps(asked, said)))
