"""What moved across languages: which terms each model knows, in which language, and from which parent.

A term is known when a judge gives its definition a score of at least a threshold.
"""

from collections.abc import Iterator

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

# In which of the two languages a term is known: see `where`.
WHERE = ("both", "only_source", "only_target", "lost", "never")
COLUMNS = [
    *("judge", "model", "group", "value", "terms", "n", *WHERE, "unscored"),
    *("open", "moved", "moved_share", "ci_low", "ci_high", "held", "kept", "kept_share"),
]
MOST = 20  # groups of one kind, at most
LENGTHS = (7, 10, 13)  # letters, the upper ends of the groups of words
LETTERS = ("1-7", "8-10", "11-13", "14+")  # and what the groups are called
Known = dict[str, bool]  # whether each term that has a score is known


def known_terms(judgements: list[dict], known: float) -> Known:
    """Tell which terms a model knows, by its scores.

    Args:
        judgements: The rows of a judge's judgements on a model.
        known: The score from which on a term counts as known, 0 to 10.

    Returns:
        Whether each term that has a score is known.
    """
    return {row["term"]: row["score"] >= known for row in judgements if row["score"] is not None}


def groups(terms: list[dict]) -> Iterator[tuple[str, str, list[str]]]:
    """Group the terms: all, by count in the corpus, by semantic tag, by the word's length.

    Of more than MOST values of one kind the rarest are one group.

    Args:
        terms: The rows of the table of terms.

    Yields:
        The kind of group, its value, and its terms.
    """
    yield "all", "", [row["term"] for row in terms]
    for group, value_of in (
        ("corpus_count", lambda row: row.get("corpus_count", "")),
        ("semantic_tag", lambda row: row.get("semantic_tag", "")),
        ("letters", lambda row: letters(row["term"])),
    ):
        by_value: dict[str, list[str]] = {}
        for row in terms:
            if value := value_of(row):
                by_value.setdefault(value, []).append(row["term"])
        common = sorted(by_value, key=lambda value: -len(by_value[value]))
        kept = common if len(common) <= MOST else common[: MOST - 1]
        order = LETTERS.index if group == "letters" else lambda value: (len(value), value)
        for value in sorted(kept, key=order):
            yield group, value, by_value[value]
        if rest := [row["term"] for row in terms if value_of(row) in set(common) - set(kept)]:
            yield group, "all others", rest


def letters(term: str) -> str:
    """Name the group of a word by its number of letters, one of LETTERS."""
    count = sum(letter.isalpha() for letter in term)
    return LETTERS[sum(count > end for end in LENGTHS)]


def where(terms: list[str], source: Known, target: Known, parents: list[Known]) -> dict[str, int]:
    """Count in which languages a model knows the terms that it has a score for in both.

    A term that it knows in neither is `lost` if a parent knows it in its own language, and `never` was there
    if none does; without the parents' scores nobody can say which, and it counts as unscored.

    Args:
        terms: The terms to count.
        source: What the model knows in the source language.
        target: What the model knows in the target language.
        parents: What each parent knows in its own language.

    Returns:
        The number of terms by each of WHERE, their sum `n`, and the number `unscored`.
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


def moved(terms: list[str], target: Known, expert: Known, generalist: Known) -> dict[str, float]:
    """Count how much of what only the expert knew, in its language, a merge knows in the target language.

    Args:
        terms: The terms to count.
        target: What the merge knows in the target language.
        expert: What the expert knows in its own language.
        generalist: What the generalist knows in its own language.

    Returns:
        `open` counts the terms with a score of the merge that the expert knows and the generalist does not,
        `held` those that the generalist knows; `moved` and `kept` count those of either that the merge
        knows, and `moved_share` and `kept_share` are their shares, from 0 to 1. `ci_low` and `ci_high` are
        the ends of Wilson's 95 % interval of `moved_share`. None when there is nothing to take a share of.
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
    terms: list[dict],
    models: list[str],
    merges: list[str],
    parents: dict[str, str],
) -> pd.DataFrame:
    """Make the table of what moved across languages.

    Args:
        scores: What each model knows, by (judge, model, "source" or "target").
        terms: The rows of the table of terms.
        models: The names of all models under test.
        merges: The names of those that are merges.
        parents: The names of the `expert`, whose own language is the source, and of the `generalist`, whose
            own language is the target.

    Returns:
        A row for each judge, model and group of terms, with the columns `COLUMNS`.
    """
    rows, parts = [], list(groups(terms))
    for judge in dict.fromkeys(judge for judge, _, _ in scores):
        expert = scores.get((judge, parents["expert"], "source"))
        generalist = scores.get((judge, parents["generalist"], "target"))
        known = expert is not None and generalist is not None
        for model in models:
            source, target = scores.get((judge, model, "source")), scores.get((judge, model, "target"))
            had = [knows for knows in (expert, generalist) if knows is not None and model in merges]
            for group, value, chosen in parts:
                row = {"judge": judge, "model": model, "group": group, "value": value, "terms": len(chosen)}
                if source is not None and target is not None:
                    row |= where(chosen, source, target, had)
                if known and target is not None and model != parents["generalist"]:
                    row |= moved(chosen, target, expert, generalist)
                rows.append(row)
    made = pd.DataFrame(rows, columns=COLUMNS).round(4)
    counted = ["n", *WHERE, "unscored", "open", "moved", "held", "kept"]
    return made.astype(dict.fromkeys(counted, "Int64"))
