"""Score a search's start and winners on the documents that the tables report: how much of the gain is luck.

The winner is also compared with the merge that was saved, bit for bit, and scored again on the documents of
the search: what was scored, what is saved and what scores so are one model.
"""

import math
import os
import tempfile
from pathlib import Path

import torch
from lexmerge.benchmarks.suites import rows_of, strict
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, write_json
from lexmerge.merges.checkpoint_pool import checkpoint
from lexmerge.merges.recipes import with_paths
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job
from lexmerge.search.candidates import Candidates, Part, leaves_of
from lexmerge.search.history import best, by_seed, winning_seed
from lexmerge.search.objective import (
    Suites,
    candidates,
    data_by_suite,
    parts_of,
    reported_suites,
    searched_suites,
)
from lexmerge.statistics.measures import Measure, interval, paired, part_of

SHOWN = ("score", "tie_break", "fitness", "scores")
TOLERANCE = 1e-9


def scores_of(asked: Candidates, recipe: dict) -> tuple[dict, list[dict]]:
    """What a recipe's merge is worth, and lm-eval's results behind it."""
    asked.model.become(recipe)
    runs = asked.run()
    return asked.worth(runs), runs


def measure_of(suites: Suites, runs: list[dict], objective: list[Part], score: float) -> Measure | None:
    """An objective as a mean over documents; None where a metric is no mean, as a correlation is none.

    A mean over tasks counts each alike, so what a document got is multiplied by its task's weight.
    """
    groups = {name: leaves_of(group) for suite, _ in suites for name, group in suite.groups.items()}
    tasks = list(dict.fromkeys(task for part in objective for task in groups.get(part.task, [part.task])))
    parts: dict[str, dict] = {}
    for (suite, _), found in zip(suites, runs, strict=True):
        rows = [row for name, run in found.items() for row in rows_of(run, name, suite.tasks[name])]
        for part in (p for p in objective if p.task in suite.tasks or p.task in suite.groups):
            members = groups.get(part.task, [part.task])
            for task in members:
                scored = part_of(strict(rows), task, part.metric)
                if not scored or any(value.shape[-1] != 1 for value in scored.values()):
                    return None
                weight = part.weight / len(members) * len(tasks)
                had = parts.setdefault(task, {})
                parts[task] = {key: had.get(key, 0) + weight * value for key, value in scored.items()}
    if set(parts) != set(tasks):
        return None
    measure = Measure(parts)
    value = interval(measure, seed=0, resample=False)[0]
    return measure if value is not None and math.isclose(value, score, abs_tol=1e-6) else None


def gains(suites: Suites, objectives: dict, start: tuple, winner: tuple, seed: int) -> list[dict]:
    """For each objective, what the winner has more than the start, with an interval and p if it is a mean."""
    found = []
    for number, objective in enumerate(objectives.values()):
        scores = [worth["score"][number] for worth, _ in (winner, start)]
        measures = [
            measure_of(suites, runs, objective, score)
            for (_, runs), score in zip((winner, start), scores, strict=True)
        ]
        drawn = paired(*measures, seed) if all(measures) else {}
        kept = {key: drawn.get(key) for key in ("n", "ci_low", "ci_high", "p")}
        found.append({"gain": scores[0] - scores[1], **kept})
    return found


def saved_is_scored(asked: Candidates, recipe: dict, folder: str) -> None:
    with checkpoint(folder):
        name = asked.model.differs_from(recipe, folder)
    if name is not None:
        raise StudyError(
            f"{folder} is not the model that the search scored: {name} differs. Was one of them made on "
            f"another kind of machine? Remove {folder} and run again"
        )


def scored_again(asked: Candidates, recipe: dict, row: dict) -> bool:
    """Does the winner score on the search's documents what it did in the search?"""
    again, _ = scores_of(asked, recipe)
    return all(
        math.isclose(new, old, abs_tol=TOLERANCE)
        for new, old in zip(again["score"], row["score"], strict=True)
    )


def selection(
    histories: dict[int, list[dict]], searched: Candidates, reported: Candidates, saved: str, params: dict
) -> dict:
    """What the start and each seed's winner got in the search and on the documents of the tables."""

    def placed(row: dict) -> dict:
        return with_paths(row["recipe"], params["folders"].__getitem__)

    objectives, chosen = parts_of(params["search"]["objectives"]), winning_seed(histories)
    start = next(iter(histories.values()))[0]
    of_start = scores_of(reported, placed(start))
    saved_is_scored(reported, placed(best(histories[chosen])), saved)
    seeds = []
    for seed, history in histories.items():
        row = best(history)
        of_winner = scores_of(reported, placed(row))
        seeds.append(
            {
                "seed": seed,
                "chosen": seed == chosen,
                "evaluation": row["evaluation"],
                "search": {key: row[key] for key in SHOWN},
                "held_out": {key: of_winner[0][key] for key in SHOWN},
                "gains": gains(reported.suites, objectives, of_start, of_winner, params["seed"]),
                "scored_again": scored_again(searched, placed(row), row),
            }
        )
    return {
        "objectives": params["search"]["objectives"],
        "start": {
            "search": {key: start[key] for key in SHOWN},
            "held_out": {key: of_start[0][key] for key in SHOWN},
        },
        "seeds": seeds,
    }


if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu), tempfile.TemporaryDirectory() as cache:
        os.environ |= {"HF_DATASETS_CACHE": cache, "TOKENIZERS_PARALLELISM": "false"}
        torch.set_num_threads(snakemake.threads)
        given, params = snakemake.input, dict(snakemake.params)
        histories = by_seed(given.histories, read_jsonl)
        suites = (
            searched_suites(params["suites"], data_by_suite(given.searched), params["search"]["documents"]),
            reported_suites(params["suites"], data_by_suite(given.held_out), params["limits"]),
        )
        first = with_paths(next(iter(histories.values()))[0]["recipe"], params["folders"].__getitem__)
        canonical = str(Path(given.canonical).parent)
        searched = candidates(first, suites[0], canonical, params)
        reported = searched.asking(suites[1])
        saved = str(Path(given.merge).parent)
        write_json(snakemake.output[0], selection(histories, searched, reported, saved, params))
