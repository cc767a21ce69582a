"""Scoring of definitions by the judge that the config names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from lexmerge.common.files import read_tsv
from lexmerge.common.prompts import load_prompt
from lexmerge.definitions.rows import NOT_ASKED, Definition
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES, Measure, score
from lexmerge.judgements.model_judges import Item, Judge
from lexmerge.judgements.outcome import Judgement, Outcome, judgement
from lexmerge.services.limits import Limits

NO_TRANSLATION = Outcome(None, "no_translation", "the term has no translation, so the model was not asked")
Gold = dict[tuple[str, str], str]  # (term in lower case, language) -> its right definition
Scorer = Callable[[Sequence[Mapping[str, Any]]], list[Outcome]]  # definitions -> an outcome each


def gold_from_table(path: str, languages: list[str]) -> Gold:
    """Read gold definitions from a table with the columns `term` and `definition_<language>`.

    Args:
        path: The TSV file.
        languages: The codes of the languages to read.

    Returns:
        The definitions by term and language; empty cells are left out.

    Raises:
        StudyError: If a column is missing.
    """
    columns = {language: f"definition_{language}" for language in languages}
    table = read_tsv(path, ["term", *columns.values()])
    return {
        (row["term"].lower(), language): row[column]
        for row in table.to_dict("records")
        for language, column in columns.items()
        if row[column]
    }


def gold_from_references(references: Sequence[Mapping[str, Any]], languages: list[str]) -> Gold:
    """Take the expert's references as gold, whatever the language of the answer."""
    return {
        (row["term"].lower(), language): row["definition"] for row in references for language in languages
    }


def by_overlap(gold: Gold, measure: Measure, signature: str) -> Scorer:
    """A scorer that compares each definition with gold; `signature` describes the measure."""

    def outcomes(definitions: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        made = []
        for row in tqdm(definitions, unit="definition", mininterval=2):
            right = gold.get((row["term"].lower(), row["prompt_language"]))
            made.append(score(measure, signature, row["definition"], right))
        return made

    return outcomes


def by_model(judge: Judge, references: Sequence[Mapping[str, Any]]) -> Scorer:
    """A scorer that asks a language model; rows with another `repeat` are other requests."""
    known = {row["term"]: row["definition"] for row in references}

    def outcomes(definitions: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        return judge.outcomes(
            [
                Item(
                    row["term"],
                    row["translation"],
                    "" if judge.settings["blind"] else known.get(row["term"], ""),
                    row["definition"],
                    row.get("repeat", 0),
                )
                for row in definitions
            ]
        )

    return outcomes


def scorer_of(
    settings: dict[str, Any],
    references: Sequence[Mapping[str, Any]],
    languages: dict[str, str],
    journal: str,
    limits: Limits,
) -> Scorer:
    """Make the scorer of a judge.

    Args:
        settings: The judge in the resolved config.
        references: The expert's reference definitions.
        languages: The study's `source` and `target` language codes.
        journal: The file that keeps the answers of a language model.
        limits: How hard its service is asked.

    Returns:
        A function from rows of definitions to an outcome each, in their order.

    Raises:
        StudyError: If the gold table or the prompt cannot be read.
    """
    if settings["provider"] in LEXICAL_JUDGES:
        codes = sorted(languages.values())
        gold = (
            gold_from_table(settings["gold"], codes)
            if settings["against"] == "gold"
            else gold_from_references(references, codes)
        )
        return by_overlap(gold, *LEXICAL_JUDGES[settings["provider"]].measure())
    prompt = load_prompt(settings["prompt"])
    return by_model(Judge(settings, prompt, languages, journal, limits), references)


def judge_all(definitions: Sequence[Definition], scorer: Scorer) -> list[Judgement]:
    """Judge the definitions of one model.

    Args:
        definitions: Rows of `definitions/<model>.jsonl`.
        scorer: See `scorer_of`.

    Returns:
        A judgement for each row, in their order; a term that the model was not asked has none to score.
    """
    asked = [row for row in definitions if row["finish_reason"] != NOT_ASKED]
    outcomes = iter(scorer(asked))
    return [
        judgement(row["term"], next(outcomes) if row["finish_reason"] != NOT_ASKED else NO_TRANSLATION)
        for row in definitions
    ]
