"""What moved across languages: which terms each model knows, in which language, and from which parent.

A term is known where a judge gives its definition a score of at least `known`.
"""

from collections.abc import Iterator

import pandas as pd
from lexmerge.common.files import read_jsonl, read_tsv, write_tsv
from lexmerge.run.job import job
from statsmodels.stats.proportion import proportion_confint

WHERE = ("both", "only_source", "only_target", "lost", "never")
COLUMNS = [
    *("judge", "model", "group", "value", "terms", "n", *WHERE, "unscored"),
    *("open", "moved", "moved_share", "ci_low", "ci_high", "held", "kept", "kept_share"),
]
MOST = 20  # groups of one kind
LENGTHS = (7, 10, 13)  # letters, the upper ends of the groups of words
LETTERS = ("1-7", "8-10", "11-13", "14+")  # and what the groups are called
Known = dict[str, bool]  # of the terms that have a score


def known_terms(judgements: list[dict], known: float) -> Known:
    return {row["term"]: row["score"] >= known for row in judgements if row["score"] is not None}


def groups(terms: list[dict]) -> Iterator[tuple[str, str, list[str]]]:
    """(group, value, its terms): all, by count in the corpus, by semantic tag, by the word's length.

    Of more than MOST values the rarest are one group.
    """
    yield "all", "", [row["term"] for row in terms]
    for group, value_of in (
        ("corpus_count", lambda row: row.get("corpus_count", "")),
        ("semantic_tag", lambda row: row.get("semantic_tag", "")),
        ("letters", lambda row: letters(row["term"])),
    ):
        found: dict[str, list[str]] = {}
        for row in terms:
            if value := value_of(row):
                found.setdefault(value, []).append(row["term"])
        common = sorted(found, key=lambda value: -len(found[value]))
        kept = common if len(common) <= MOST else common[: MOST - 1]
        order = LETTERS.index if group == "letters" else lambda value: (len(value), value)
        for value in sorted(kept, key=order):
            yield group, value, found[value]
        if rest := [row["term"] for row in terms if value_of(row) in set(common) - set(kept)]:
            yield group, "all others", rest


def letters(term: str) -> str:
    """The group of a word by how many letters it has."""
    count = sum(letter.isalpha() for letter in term)
    return LETTERS[sum(count > end for end in LENGTHS)]


def where(terms: list[str], source: Known, target: Known, parents: list[Known]) -> dict[str, int]:
    """In which language a model knows each term that it has a score for in both.

    What it knows in neither is `lost` if a parent knows it in its own language, and `never` was there if none
    does; without the parents' scores nobody can say which, and it counts as unscored.
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
    """Of what only the expert knew, in its language, how much a merge knows in the target language.

    `open` are the terms that the expert knows and the generalist does not, `held` those that the generalist
    knows: each in its own language, and with a score of the merge. Wilson's 95 % interval.
    """
    scored = [term for term in terms if term in target and term in generalist]
    gap = [term for term in scored if not generalist[term] and expert.get(term, False)]
    held = [term for term in scored if generalist[term]]
    found, kept = sum(target[term] for term in gap), sum(target[term] for term in held)
    low, high = proportion_confint(found, len(gap), method="wilson") if gap else (None, None)
    return {
        "open": len(gap),
        "moved": found,
        "moved_share": found / len(gap) if gap else None,
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
    """A row a judge, model and group of terms, from {(judge, model, "source" or "target"): what it knows}.

    `parents` has the `expert`, whose own language is the source, and the `generalist`, whose is the target.
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


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        scores = {}
        for cells, files in ((params.own, given.judgements), (params.other, given.others)):
            for (judge, model, side), file in zip(cells, files, strict=True):
                scores[judge, model, side] = known_terms(read_jsonl(file), params.known)
        terms = read_tsv(given.terms).to_dict("records")
        found = table(scores, terms, params.models, params.merges, params.parents)
        note = f"a term is known where its definition has at least {params.known:g} points"
        write_tsv(snakemake.output[0], found, [note])
