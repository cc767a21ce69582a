"""Judge the judge: definitions whose right score is known, and the same definition again and again."""

import random

from judgements import Verdicts, judge_of, judgement
from lexmerge.common.files import read_jsonl, write_jsonl
from lexmerge.common.prompts import read_prompt
from lexmerge.judgements.lexical_judges import JUDGES
from lexmerge.run.job import job
from lexmerge.services import costs
from lexmerge.services.asking import Limits


def controls(
    references: list[dict], definitions: list[dict], injection: str, terms: int, repeats: int, seed: int
) -> list[dict]:
    """What the judge is asked: rows of definitions with a `control` and a `repeat`.

    `reference` is the reference itself, `other_term` the reference of another term of the sample,
    `injection` a text that only asks for ten points, `empty` nothing; `repeat` is a model's real definition,
    `repeats` times.
    """
    written = [row for row in references if row["definition"].strip()]
    chosen = random.Random(seed).sample(written, min(terms, len(written)))
    others = [*chosen[1:], *chosen[:1]]
    real = {row["term"]: row for row in definitions if row["finish_reason"] != "not_asked"}
    rows = []
    for row, other in zip(chosen, others, strict=True):
        made = {"reference": row["definition"], "injection": injection, "empty": ""}
        if other["definition"] != row["definition"]:
            made["other_term"] = other["definition"]
        rows += [{**row, "control": kind, "definition": text, "repeat": 0} for kind, text in made.items()]
        if row["term"] in real:
            rows += [{**real[row["term"]], "control": "repeat", "repeat": i} for i in range(repeats)]
    return rows


def judged(rows: list[dict], verdicts: Verdicts) -> list[dict]:
    """The controls with what the judge made of them."""
    return [
        {
            "control": row["control"],
            "repeat": row["repeat"],
            **judgement(row["term"], verdict),
        }
        for row, verdict in zip(rows, verdicts(rows), strict=True)
    ]


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params, speed = snakemake.input, snakemake.params, snakemake.resources
        references, definitions = read_jsonl(given.references), read_jsonl(given.definitions)
        if params.judge["provider"] not in JUDGES:
            costs.stop_if_too_dear(snakemake.config["resolved"], len(definitions))
        rows = controls(
            references, definitions, read_prompt(given.injection), params.terms, params.repeats, params.seed
        )
        limits = Limits(speed.connections, speed.requests_per_minute)
        verdicts = judge_of(params.judge, references, params.languages, params.journal, limits)
        write_jsonl(snakemake.output[0], judged(rows, verdicts))
