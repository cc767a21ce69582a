"""What a model is asked about the terms, and the rows of its definitions."""

from dataclasses import dataclass

from lexmerge.common.files import read_tsv
from lexmerge.common.prompts import Prompt, fill, load_prompt
from lexmerge.definitions.flags import flags_of
from lexmerge.definitions.rows import NOT_ASKED, Definition
from lexmerge.models.generation import Answer, Decoding

NO_ANSWER = Answer("", NOT_ASKED, 0)  # of a term that has no translation


@dataclass(frozen=True)
class Questions:
    """The questions to a model: for each row of the translations its term, or the translation, in a prompt.

    Attributes:
        translations: The rows of the table of translations, with `term` and `translation`.
        prompt: The prompt, with a place for the term.
        language: The code of the language that the model is asked in.
        source_language: The code of the language that the terms are in.
    """

    translations: list[dict]
    prompt: Prompt
    language: str
    source_language: str

    def terms(self) -> list[str]:
        """List the terms as they stand in the prompts, one for each row; empty without a translation."""
        column = "term" if self.language == self.source_language else "translation"
        return [row[column] for row in self.translations]

    def prompts(self) -> list[str]:
        """List the prompts of the terms that can be asked, in the order of the rows."""
        return [fill(self.prompt.text, term) for term in self.terms() if term]


def read_questions(translations: str, prompt: str, language: str, source_language: str) -> Questions:
    """Read the questions to a model.

    Args:
        translations: The file of the table of translations.
        prompt: The file of the prompt.
        language: The code of the language that the model is asked in.
        source_language: The code of the language that the terms are in.

    Returns:
        The questions.
    """
    return Questions(
        read_tsv(translations).to_dict("records"), load_prompt(prompt), language, source_language
    )


def definition_rows(questions: Questions, answers: list[Answer], decoding: Decoding) -> list[Definition]:
    """Make the rows of a model's definitions.

    Args:
        questions: What the model was asked.
        answers: Its answers to `questions.prompts()`, in their order.
        decoding: How the answers were decoded.

    Returns:
        A row for each term, also for those that could not be asked, whose `finish_reason` is `not_asked`.
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
