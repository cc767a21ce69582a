"""Let one judge score one model's definitions: one row a term, a score or the reason there is none."""

from collections.abc import Callable

from lexmerge.common.files import read_jsonl, read_tsv, write_jsonl
from lexmerge.common.prompts import load_prompt
from lexmerge.judgements.lexical_judges import JUDGES, Measure, judge
from lexmerge.judgements.model_judges import Item, Judge, Verdict
from lexmerge.run.job import job
from lexmerge.services import costs
from lexmerge.services.asking import Limits
from tqdm import tqdm

NO_TRANSLATION = Verdict(None, "no_translation", "the term has no translation, so the model was not asked")
Gold = dict[tuple[str, str], str]  # (term, language) -> its right definition
Verdicts = Callable[[list[dict]], list[Verdict]]  # of definitions


def gold_from_table(path: str, languages: list[str]) -> Gold:
    """Gold definitions from a table with the columns `term` and `definition_<language>`."""
    columns = {language: f"definition_{language}" for language in languages}
    table = read_tsv(path, ["term", *columns.values()])
    return {
        (row["term"].lower(), language): row[column]
        for row in table.to_dict("records")
        for language, column in columns.items()
        if row[column]
    }


def gold_from_references(references: list[dict], languages: list[str]) -> Gold:
    """The expert's references stand for gold, whatever the language of the answer."""
    return {
        (row["term"].lower(), language): row["definition"] for row in references for language in languages
    }


def by_overlap(gold: Gold, measure: Measure, signature: str) -> Verdicts:
    """A lexical judge."""

    def verdicts(definitions: list[dict]) -> list[Verdict]:
        made = []
        for row in tqdm(definitions, unit="definition", mininterval=2):
            right = gold.get((row["term"].lower(), row["prompt_language"]))
            made.append(Verdict(*judge(measure, row["definition"], right), signature))
        return made

    return verdicts


def by_model(judge: Judge, references: list[dict]) -> Verdicts:
    """A language model; a definition may have a `repeat`, by which the same one is asked again."""
    known = {row["term"]: row["definition"] for row in references}

    def verdicts(definitions: list[dict]) -> list[Verdict]:
        return judge.verdicts(
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

    return verdicts


def judge_of(
    settings: dict, references: list[dict], languages: dict, journal: str, limits: Limits
) -> Verdicts:
    """The judge of the config."""
    if settings["provider"] in JUDGES:
        codes = sorted(languages.values())
        gold = (
            gold_from_table(settings["gold"], codes)
            if settings["against"] == "gold"
            else gold_from_references(references, codes)
        )
        return by_overlap(gold, *JUDGES[settings["provider"]]())
    prompt = load_prompt(settings["prompt"])
    return by_model(Judge(settings, prompt, languages, journal, limits), references)


def judge_all(definitions: list[dict], verdicts: Verdicts) -> list[dict]:
    """A row a definition; what the model was not asked is not judged."""
    asked = [row for row in definitions if row["finish_reason"] != "not_asked"]
    given = iter(verdicts(asked))
    return [
        judgement(row["term"], next(given) if row["finish_reason"] != "not_asked" else NO_TRANSLATION)
        for row in definitions
    ]


def judgement(term: str, verdict: Verdict) -> dict:
    """A row of judgements."""
    return {
        "term": term,
        "score": verdict.score,
        "status": verdict.status,
        "reason": verdict.reason,
        "judge_model": verdict.judge_model,
        "asked": verdict.asked,
        "input_tokens": verdict.input_tokens,
        "output_tokens": verdict.output_tokens,
    }


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params, speed = snakemake.input, snakemake.params, snakemake.resources
        definitions, references = read_jsonl(given.definitions), read_jsonl(given.references)
        if params.judge["provider"] not in JUDGES:
            costs.stop_if_too_dear(snakemake.config["resolved"], len(definitions))
        limits = Limits(speed.connections, speed.requests_per_minute)
        verdicts = judge_of(params.judge, references, params.languages, params.journal, limits)
        write_jsonl(snakemake.output[0], judge_all(definitions, verdicts))
