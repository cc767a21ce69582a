"""Let one judge score one model's definitions: one row a term, a score or the reason there is none."""

from lexmerge.files import read_jsonl, read_tsv, write_jsonl
from lexmerge.jobs import job
from lexmerge.judges import JUDGES, Measure, judge
from tqdm import tqdm

NO_TRANSLATION = (None, "no_translation", "the term has no translation, so the model was not asked")
Gold = dict[tuple[str, str], str]  # (term, language) -> its right definition


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


def judge_all(definitions: list[dict], gold: Gold, measure: Measure, signature: str) -> list[dict]:
    rows = []
    for row in tqdm(definitions, unit="definition", mininterval=2):
        right = gold.get((row["term"].lower(), row["prompt_language"]))
        asked = row["finish_reason"] != "not_asked"
        score, status, reason = judge(measure, row["definition"], right) if asked else NO_TRANSLATION
        rows.append(
            {
                "term": row["term"],
                "score": score,
                "status": status,
                "reason": reason,
                "judge_model": signature,
            }
        )
    return rows


if __name__ == "__main__":
    with job(snakemake.log[0]):
        settings, languages = snakemake.params.judge, snakemake.params.languages
        if settings["against"] == "gold":
            gold = gold_from_table(settings["gold"], languages)
        else:
            gold = gold_from_references(read_jsonl(snakemake.input.references), languages)
        measure, signature = JUDGES[settings["provider"]]()
        definitions = read_jsonl(snakemake.input.definitions)
        write_jsonl(snakemake.output[0], judge_all(definitions, gold, measure, signature))
