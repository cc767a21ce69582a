"""Scoring of definitions by a judge of the config."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from lexmerge.common.files import read_tsv
from lexmerge.common.languages import says_something
from lexmerge.common.prompts import load_prompt
from lexmerge.definitions.rows import NOT_ASKED, Definition
from lexmerge.judgements.lexical_judge import LEXICAL_JUDGES, Measure
from lexmerge.judgements.model_judges import Item, Judge
from lexmerge.judgements.outcome import Judgement, Outcome, judgement
from lexmerge.services.limits import Limits

NO_TRANSLATION = Outcome(None, "no_translation", "skipped: the term has no translation")
Gold = dict[tuple[str, str], str]  # (term in lower case, language) -> gold definition
Scorer = Callable[[Sequence[Mapping[str, Any]]], list[Outcome]]  # definitions -> an outcome each


def gold_from_table(path: str, languages: list[str]) -> Gold:
    """Read gold definitions from a table with the columns `term` and `definition_<language>`.

    Args:
        path: The TSV file.
        languages: Codes of the languages to read.

    Returns:
        The gold definitions; empty cells are skipped.

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
    """Use the expert's references as gold definitions in each of the languages."""
    return {
        (row["term"].lower(), language): row["definition"] for row in references for language in languages
    }


def score(measure: Measure, signature: str, definition: str, gold: str | None) -> Outcome:
    """Score one definition.

    Args:
        measure: The overlap of two texts, 0 to 1.
        signature: Name and settings of the measure.
        definition: The definition to judge.
        gold: The gold text, or None if there is none.

    Returns:
        A score from 0 to 10, rounded half up, or the status that explains why there is none. A definition
        that cannot be scored never gets 0.
    """
    if not says_something(definition):
        return Outcome(None, "empty_definition", "the definition is empty", signature)
    if gold is None:
        reason = "no gold definition of this term in the language of the answer"
        return Outcome(None, "no_reference", reason, signature)
    overlap = measure(definition, gold)
    return Outcome(int(10 * overlap + 0.5), "scored", f"{overlap:.3f} overlap with: {gold}", signature)


def by_overlap(gold: Gold, measure: Measure, signature: str) -> Scorer:
    """Make a scorer that compares each definition with its gold definition.

    Args:
        gold: The gold definitions.
        measure: The measure of overlap, 0 to 1.
        signature: Name and settings of the measure.
    """

    def outcomes(definitions: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        made = []
        for row in tqdm(definitions, unit="definition", mininterval=2):
            right = gold.get((row["term"].lower(), row["prompt_language"]))
            made.append(score(measure, signature, row["definition"], right))
        return made

    return outcomes


def by_model(judge: Judge, references: Sequence[Mapping[str, Any]]) -> Scorer:
    """Make a scorer that asks a language model.

    Args:
        judge: The judge.
        references: The expert's reference definitions.

    Returns:
        The scorer. Rows that differ only in `repeat` are separate requests.
    """
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
        settings: The judge's settings in the resolved config.
        references: The expert's reference definitions.
        languages: The study's `source` and `target` language codes.
        journal: Path of the journal of a language model's answers.
        limits: Limits of the requests to its service.

    Returns:
        A function that returns an outcome for each row of definitions, in their order.

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
        A judgement for each row, in their order. Rows without a definition because the term has no
        translation get the status `no_translation`.
    """
    asked = [row for row in definitions if row["finish_reason"] != NOT_ASKED]
    outcomes = iter(scorer(asked))
    return [
        judgement(row["term"], next(outcomes) if row["finish_reason"] != NOT_ASKED else NO_TRANSLATION)
        for row in definitions
    ]
