"""Let one model define every term, in the language that it is asked in."""

import shutil
from dataclasses import dataclass

from lexmerge.common.files import fresh_file, read_tsv, write_jsonl
from lexmerge.common.journal import Journal
from lexmerge.common.prompts import Prompt, fill, load_prompt
from lexmerge.definitions.answering import answers, starter
from lexmerge.definitions.flags import flags_of
from lexmerge.definitions.generation import Answer, Decoding
from lexmerge.merges.checkpoint_pool import checkpoint
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job

NOT_ASKED = Answer("", "not_asked", 0)  # of a term that has no translation


@dataclass(frozen=True)
class Questions:
    """What a model is asked: for each row of the translations its term, or the translation, in a prompt."""

    translations: list[dict]
    prompt: Prompt
    language: str
    source_language: str

    def terms(self) -> list[str]:
        """What stands in the prompts, a term a row; empty where there is no translation."""
        column = "term" if self.language == self.source_language else "translation"
        return [row[column] for row in self.translations]

    def prompts(self) -> list[str]:
        """The prompts of the terms that can be asked."""
        return [fill(self.prompt.text, term) for term in self.terms() if term]


def rows(questions: Questions, answers: list[Answer], decoding: Decoding) -> list[dict]:
    """A row a term, with a place for each that was not asked."""
    given = iter(answers)
    paired = [(term, next(given) if term else NOT_ASKED) for term in questions.terms()]
    return [
        {
            "term": row["term"],
            "translation": row["translation"],
            "prompt_language": questions.language,
            "definition": said.text,
            "finish_reason": said.finish_reason,
            "tokens": said.tokens,
            "flags": flags_of(
                said.text,
                said.finish_reason,
                [row["term"], row["translation"]],
                fill(questions.prompt.text, term),
                questions.language,
            ),
            "prompt_version": questions.prompt.version,
            "prompt_sha256": questions.prompt.sha256,
            "prompt_tokens": said.prompt_tokens,
            "input_sha256": said.input_sha256,
            "decoding": str(decoding),
            "engine": said.engine,
            "batch_rows": said.batch_rows,
        }
        for row, (term, said) in zip(questions.translations, paired, strict=True)
    ]


def questions_of(translations: str, prompt: str, language: str, source_language: str) -> Questions:
    return Questions(
        read_tsv(translations).to_dict("records"), load_prompt(prompt), language, source_language
    )


if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
        given, params = snakemake.input, snakemake.params
        if given.written:  # greedy: asked twice, the same text, so it is written once
            with fresh_file(snakemake.output[0]) as part:
                shutil.copyfile(given.written, part)
        else:
            asked = questions_of(given.translations, given.prompt, params.language, params.source_language)
            decoding = Decoding(params.settings["max_new_tokens"], **params.decoding)
            resources = {**snakemake.resources, "threads": snakemake.threads}
            start = starter(params.folder, params.settings, resources)
            journal = Journal(params.journal)
            with checkpoint(params.folder):
                said = answers(
                    asked.prompts(), params.folder, params.settings, decoding, start, journal, params.engine
                )
                write_jsonl(snakemake.output[0], rows(asked, said, decoding))
