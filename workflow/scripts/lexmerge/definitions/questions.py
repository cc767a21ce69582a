"""The prompts for a vocabulary's terms, and the rows of a model's definitions."""

from dataclasses import dataclass

from lexmerge.common.files import read_tsv
from lexmerge.common.prompts import Prompt, fill, load_prompt
from lexmerge.definitions.flags import flags_of
from lexmerge.definitions.rows import NOT_ASKED, Definition
from lexmerge.models.generation import Answer, Decoding

NO_ANSWER = Answer("", NOT_ASKED, 0)  # for a term without a translation


@dataclass(frozen=True)
class Questions:
    """One question for each term: the prompt, filled with the term or its translation.

    Attributes:
        translations: The rows of the table of translations, with `term` and `translation`.
        prompt: The prompt, with the placeholder `{term}`.
        language: The code of the language of the questions.
        source_language: The code of the language of the terms.
    """

    translations: list[dict[str, str]]
    prompt: Prompt
    language: str
    source_language: str

    def terms(self) -> list[str]:
        """List the terms in the language of the questions, one for each row; "" without a translation."""
        column = "term" if self.language == self.source_language else "translation"
        return [row[column] for row in self.translations]

    def prompts(self) -> list[str]:
        """List the prompts in the order of the rows, without the terms that have no translation."""
        return [fill(self.prompt.text, term) for term in self.terms() if term]


def read_questions(translations: str, prompt: str, language: str, source_language: str) -> Questions:
    """Read the translations and the prompt of a model's questions.

    Args:
        translations: The table of translations, a TSV file.
        prompt: The prompt's file.
        language: The code of the language of the questions.
        source_language: The code of the language of the terms.

    Returns:
        The questions.
    """
    rows = [
        {str(key): value for key, value in row.items()} for row in read_tsv(translations).to_dict("records")
    ]
    return Questions(rows, load_prompt(prompt), language, source_language)


def definition_rows(questions: Questions, answers: list[Answer], decoding: Decoding) -> list[Definition]:
    """Make the rows of a model's definitions.

    Args:
        questions: The questions.
        answers: The model's answers to `questions.prompts()`, in the same order.
        decoding: How the answers were decoded.

    Returns:
        One row for each term; a term without a translation has the `finish_reason` `not_asked`.
    """
    given = iter(answers)
    paired = [(term, next(given) if term else NO_ANSWER) for term in questions.terms()]
    return [
        {
            "term": row["term"],
            "translation": row["translation"],
            "prompt_language": questions.language,
            "definition": answer.text,
            "finish_reason": answer.finish_reason,
            "tokens": answer.tokens,
            "flags": flags_of(
                answer.text,
                answer.finish_reason,
                [row["term"], row["translation"]],
                fill(questions.prompt.text, term),
                questions.language,
            ),
            "prompt_version": questions.prompt.version,
            "prompt_sha256": questions.prompt.sha256,
            "prompt_tokens": answer.prompt_tokens,
            "input_sha256": answer.input_sha256,
            "decoding": str(decoding),
            "engine": answer.engine,
            "batch_rows": answer.batch_rows,
        }
        for row, (term, answer) in zip(questions.translations, paired, strict=True)
    ]
