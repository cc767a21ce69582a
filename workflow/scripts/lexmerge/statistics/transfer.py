"""Transfer between languages: the terms that each model and its parents know in either language.

A model knows a term if a judge gives its definition at least a threshold score.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from lexmerge.judgements.outcome import Judgement

# The languages that a term is known in; see `where`.
WHERE = ("both", "only_source", "only_target", "lost", "never")
COLUMNS = [
    *("judge", "model", "group", "value", "terms", "n", *WHERE, "unscored"),
    *("open", "moved", "moved_share", "ci_low", "ci_high", "held", "kept", "kept_share"),
]
MOST = 20  # maximum number of groups of one kind
LENGTHS = (7, 10, 13)  # upper limits of the groups by number of letters
LETTERS = ("1-7", "8-10", "11-13", "14+")  # names of these groups
Known = dict[str, bool]  # whether a term is known, for every term with a score


def known_terms(judgements: list[Judgement], known: float) -> Known:
    """Apply the threshold to a model's scores.

    Args:
        judgements: The rows of one judge's judgements of the model.
        known: The lowest score, 0 to 10, at which a term counts as known.

    Returns:
        Whether the term is known, for every term with a score.
    """
    return {row["term"]: row["score"] >= known for row in judgements if row["score"] is not None}


def groups(terms: list[dict[str, str]]) -> Iterator[tuple[str, str, list[str]]]:
    """Group the terms: all together, by count in the corpus, by semantic tag, and by number of letters.

    With more than MOST values of one kind, the rarest values share the group `all others`.

    Args:
        terms: The rows of vocabulary/terms.tsv.

    Yields:
        The kind of group, its value, and its terms.
    """
    yield "all", "", [row["term"] for row in terms]
    kinds: dict[str, Callable[[dict[str, str]], str]] = {
        "corpus_count": lambda row: row.get("corpus_count", ""),
        "semantic_tag": lambda row: row.get("semantic_tag", ""),
        "letters": lambda row: letters(row["term"]),
    }
    for group, value_of in kinds.items():
        by_value: dict[str, list[str]] = {}
        for row in terms:
            if value := value_of(row):
                by_value.setdefault(value, []).append(row["term"])
        common = sorted(by_value, key=lambda value: -len(by_value[value]))
        kept = common if len(common) <= MOST else common[: MOST - 1]
        order: Callable[[str], Any] = (
            LETTERS.index if group == "letters" else lambda value: (len(value), value)
        )
        for value in sorted(kept, key=order):
            yield group, value, by_value[value]
        if rest := [row["term"] for row in terms if value_of(row) in set(common) - set(kept)]:
            yield group, "all others", rest


def letters(term: str) -> str:
    """The group of a word by its number of letters, one of LETTERS."""
    count = sum(letter.isalpha() for letter in term)
    return LETTERS[sum(count > end for end in LENGTHS)]


def where(terms: list[str], source: Known, target: Known, parents: list[Known]) -> dict[str, int]:
    """Count the terms that a model knows in both languages, in one, or in none.

    Terms without a score in both languages count as unscored. A term known in neither language is `lost` if a
    parent knows it in its own language, and `never` (there) if no parent does; if a parent's score is missing
    so that this cannot be decided, the term counts as unscored.

    Args:
        terms: The terms to count.
        source: The terms that the model knows in the source language.
        target: The terms that the model knows in the target language.
        parents: The terms that each parent knows in its own language.

    Returns:
        The number of terms for each of WHERE, their sum `n`, and the number `unscored`.
    """
    counts = dict.fromkeys(WHERE, 0)
    both = [term for term in terms if term in source and term in target]
    for term in both:
        outcome = {
            (True, True): "both",
            (True, False): "only_source",
            (False, True): "only_target",
        }.get((source[term], target[term]))
        if outcome is None and any(parent.get(term) for parent in parents):
            outcome = "lost"
        elif outcome is None and all(term in parent for parent in parents):
            outcome = "never"
        if outcome:
            counts[outcome] += 1
    n = sum(counts.values())
    return {"n": n, **counts, "unscored": len(terms) - n}


def moved(terms: list[str], target: Known, expert: Known, generalist: Known) -> dict[str, float | None]:
    """Count the terms that moved from the expert's language to the target language, and those kept there.

    Args:
        terms: The terms to count; those without a score of the merge or the generalist are left out.
        target: The terms that the merge knows in the target language.
        expert: The terms that the expert knows in its own language.
        generalist: The terms that the generalist knows in its own language, the target language.

    Returns:
        `open`: terms that the expert knows and the generalist does not. `moved`: those of them that the merge
        knows; `moved_share`: their share, from 0 to 1, with Wilson's 95 % interval `ci_low` to `ci_high`.
        `held`: terms that the generalist knows. `kept`: those of them that the merge knows; `kept_share`:
        their share. Shares of no terms are None.
    """
    scored = [term for term in terms if term in target and term in generalist]
    gap = [term for term in scored if not generalist[term] and expert.get(term, False)]
    held = [term for term in scored if generalist[term]]
    transferred, kept = sum(target[term] for term in gap), sum(target[term] for term in held)
    low, high = proportion_confint(transferred, len(gap), method="wilson") if gap else (None, None)
    return {
        "open": len(gap),
        "moved": transferred,
        "moved_share": transferred / len(gap) if gap else None,
        "ci_low": low,
        "ci_high": high,
        "held": len(held),
        "kept": kept,
        "kept_share": kept / len(held) if held else None,
    }


def table(
    scores: dict[tuple[str, str, str], Known],
    terms: list[dict[str, str]],
    models: list[str],
    merges: list[str],
    parents: dict[str, str],
) -> pd.DataFrame:
    """The table of transfer between languages, statistics/transfer.tsv.

    Args:
        scores: The terms that each model knows, by (judge, model, "source" or "target").
        terms: The rows of vocabulary/terms.tsv.
        models: The names of all models under test.
        merges: The names of those that are merges.
        parents: The names of the `expert`, whose own language is the source language, and of the
            `generalist`, whose own language is the target language.

    Returns:
        A row for each judge, model and group of terms, with the columns `COLUMNS`.
    """
    rows: list[dict[str, Any]] = []
    parts = list(groups(terms))
    for judge in dict.fromkeys(judge for judge, _, _ in scores):
        expert = scores.get((judge, parents["expert"], "source"))
        generalist = scores.get((judge, parents["generalist"], "target"))
        for model in models:
            source, target = scores.get((judge, model, "source")), scores.get((judge, model, "target"))
            had = [knows for knows in (expert, generalist) if knows is not None and model in merges]
            compared = model != parents["generalist"]
            for group, value, chosen in parts:
                row: dict[str, Any] = {"judge": judge, "model": model, "group": group, "value": value}
                row["terms"] = len(chosen)
                if source is not None and target is not None:
                    row |= where(chosen, source, target, had)
                if expert is not None and generalist is not None and target is not None and compared:
                    row |= moved(chosen, target, expert, generalist)
                rows.append(row)
    made = pd.DataFrame(rows, columns=COLUMNS).round(4)
    counted = ["n", *WHERE, "unscored", "open", "moved", "held", "kept"]
    return made.astype(dict.fromkeys(counted, "Int64"))
