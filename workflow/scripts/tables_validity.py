"""Validity checks of every cell of Tables 1 and 2: differences between models other than knowledge."""

import json
from pathlib import Path

from lexmerge.benchmarks.results import read_evaluations
from lexmerge.common.files import read_jsonl, write_tsv
from lexmerge.definitions.rows import Definition
from lexmerge.judgements.control_results import controls_of
from lexmerge.judgements.outcome import Judgement
from lexmerge.models.tokens import end_texts
from lexmerge.run.job import job
from lexmerge.statistics.validity import Facts, of_definitions, of_judgements, of_parents, of_results, table


def facts_of_judges(
    definitions: dict[str, list[Definition]],
    references: list[Definition],
    judged: dict[tuple[str, str], list[Judgement]],
    controls: dict[str, str],
    expert: str,
    against_references: list[str],
    substitutes: dict[str, str],
) -> Facts:
    """The checks of every cell of Table 1.

    Args:
        definitions: The definitions by model.
        references: The expert's definitions that judges compare with.
        judged: The judgements by (model, judge).
        controls: The judges' results in their controls, by name.
        expert: The name of the expert.
        against_references: The judges that see the references.
        substitutes: For each judge the model that it is a substitute for; empty if it is none.

    Returns:
        The checks by ("judge", judge, model).
    """
    written = {model: of_definitions(rows) for model, rows in definitions.items()}
    same = [row["definition"] for row in references] == [row["definition"] for row in definitions[expert]]
    return {
        ("judge", judge, model): {
            **written[model],
            **of_judgements(rows, controls[judge], substitutes[judge]),
            "references": "not seen by the judge"
            if judge not in against_references
            else "the same texts"
            if same and model == expert
            else "other texts",
        }
        for (model, judge), rows in judged.items()
    }


if __name__ == "__main__":
    with job(snakemake.log[0]):
        given, params = snakemake.input, snakemake.params
        facts = {}
        if params.judged:  # a study without judges has no cells of Table 1
            facts = facts_of_judges(
                dict(zip(params.models, map(read_jsonl, given.definitions), strict=True)),
                read_jsonl(given.references),
                dict(zip(map(tuple, params.judged), map(read_jsonl, given.judgements), strict=True)),
                controls_of(given.controls),
                params.expert,
                params.against_references,
                params.substitutes,
            )
        for model, results, samples in read_evaluations(params.benchmarked, given.results, given.samples):
            for name, checks in of_results(results, samples).items():
                facts["benchmark", name, model] = checks
        for model, provenance in zip(params.models, given.checkpoints, strict=True):
            cells = [cell for cell in facts if cell[2] == model and facts[cell]]
            known = json.loads(Path(provenance).read_text(encoding="utf-8"))
            # merges of an earlier version do not record in what their parents differ
            of_model = of_parents(known.get("parents_differ")) if model in params.merges else {}
            ends = {"ends": end_texts(Path(provenance).parent) or "none named"}
            for cell in cells:
                facts[cell] |= (ends if cell[0] == "judge" else {}) | of_model
        write_tsv(snakemake.output[0], table(facts, params.generalist, params.tolerance))
