"""Score a search's start and winners on the documents that the tables report (held-out documents).

The winner is also compared with the saved merge, bit for bit, and scored again on the documents of the
search, to verify that the saved merge is the model that the search scored.
"""

import math
import os
import tempfile
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from lexmerge.benchmarks.fetched import only_given_documents, user_cache
from lexmerge.benchmarks.suites import rows_of, strict
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, write_json
from lexmerge.merges.checkpoint_pool import checkpoint
from lexmerge.merges.recipes import with_paths
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job
from lexmerge.search.candidates import Candidates, Part, leaves_of
from lexmerge.search.history import by_seed, winner, winning_seed
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
Runs = list[dict[str, dict[str, Any]]]  # lm-eval's results by task, for each suite


def scores_of(asked: Candidates, recipe: dict[str, Any]) -> tuple[dict[str, Any], Runs]:
    """Score a recipe's merge.

    Args:
        asked: The model and the documents.
        recipe: The recipe, with folders as models.

    Returns:
        The objectives (see `Candidates.worth`), and lm-eval's results.
    """
    asked.model.become(recipe)
    runs = asked.run()
    return asked.worth(runs), runs


def measure_of(suites: Suites, runs: Runs, objective: list[Part], score: float) -> Measure | None:
    """Express an objective as a mean over documents.

    The mean over tasks weights all tasks equally, so each document's value is multiplied by its task's
    weight in the objective.

    Args:
        suites: The tasks.
        runs: lm-eval's results.
        objective: The terms of the objective.
        score: The objective's value, to verify the measure.

    Returns:
        The measure; None if a metric is not a mean over documents, such as a correlation.
    """
    groups = {name: leaves_of(group) for suite, _ in suites for name, group in suite.groups.items()}
    tasks = list(dict.fromkeys(task for part in objective for task in groups.get(part.task, [part.task])))
    parts: dict[str, dict[Hashable, Any]] = {}
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


def gains(
    suites: Suites,
    objectives: dict[str, list[Part]],
    start: tuple[dict[str, Any], Runs],
    winning: tuple[dict[str, Any], Runs],
    seed: int,
) -> list[dict[str, Any]]:
    """Compare the winner of a search with its start.

    Args:
        suites: The tasks.
        objectives: The terms of each objective by name.
        start: The result of `scores_of` for the start.
        winning: The result of `scores_of` for the winner.
        seed: The seed of the resampling.

    Returns:
        For each objective: `gain`, the difference of the scores, and `n`, `ci_low`, `ci_high` and `p`, which
        are None if the objective is not a mean over documents.
    """
    found = []
    for number, objective in enumerate(objectives.values()):
        scores = [worth["score"][number] for worth, _ in (winning, start)]
        ours, theirs = (
            measure_of(suites, runs, objective, score)
            for (_, runs), score in zip((winning, start), scores, strict=True)
        )
        drawn: Mapping[str, Any] = paired(ours, theirs, seed) if ours and theirs else {}
        kept = {key: drawn.get(key) for key in ("n", "ci_low", "ci_high", "p")}
        found.append({"gain": scores[0] - scores[1], **kept})
    return found


def saved_is_scored(asked: Candidates, recipe: dict[str, Any], folder: str) -> None:
    """Check that a saved merge is, bit for bit, the model that the search scored.

    Args:
        asked: The model in memory.
        recipe: The winner's recipe, with folders as models.
        folder: The folder of the saved merge.

    Raises:
        StudyError: A tensor differs.
    """
    with checkpoint(folder):
        name = asked.model.differs_from(recipe, folder)
    if name is not None:
        raise StudyError(
            f"{folder} is not the model that the search scored: {name} differs, as can happen if the two "
            f"were made on different machines. Remove {Path(folder).absolute()} and run again"
        )


def scored_again(asked: Candidates, recipe: dict[str, Any], row: dict[str, Any]) -> bool:
    """Check that the winner's scores on the search's documents are those of its evaluation `row`."""
    again, _ = scores_of(asked, recipe)
    return all(
        math.isclose(new, old, abs_tol=TOLERANCE)
        for new, old in zip(again["score"], row["score"], strict=True)
    )


def selection(
    histories: dict[int, list[dict[str, Any]]],
    searched: Candidates,
    reported: Candidates,
    saved: str,
    params: dict[str, Any],
) -> dict[str, Any]:
    """Score the start and each seed's winner on the documents that the tables report.

    Args:
        histories: The search's history by seed.
        searched: The model with the documents of the search.
        reported: The model with the documents that the tables report.
        saved: The folder of the saved merge.
        params: The parameters of the rule.

    Returns:
        The content of scores.json: `objectives`, `start`, and for each of `seeds` the winner's scores in the
        search and on held-out documents with the gains over the start.
    """

    def placed(row: dict[str, Any]) -> dict[str, Any]:
        recipe: dict[str, Any] = with_paths(row["recipe"], params["folders"].__getitem__)
        return recipe

    objectives, chosen = parts_of(params["search"]["objectives"]), winning_seed(histories)
    start = next(iter(histories.values()))[0]
    of_start = scores_of(reported, placed(start))
    saved_is_scored(reported, placed(winner(histories[chosen])), saved)
    seeds = []
    for seed, history in histories.items():
        row = winner(history)
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
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        torch.set_num_threads(snakemake.threads)
        given, params = snakemake.input, dict(snakemake.params)
        if data_by_suite(given.searched).keys() == params["suites"].keys():
            only_given_documents(cache)
        else:  # some tasks read their data sets themselves
            user_cache()
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
