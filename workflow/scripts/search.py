"""Search for the values of a recipe's placeholders: one worker of a search, which writes its history."""

import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lexmerge.benchmarks.fetched import only_given_documents, user_cache
from lexmerge.benchmarks.suites import definition_of, with_documents
from lexmerge.common.errors import StudyError
from lexmerge.common.files import known_hashes, write_jsonl, write_text
from lexmerge.common.journal import key_of
from lexmerge.merges.preflight import preflight, same_vocabulary
from lexmerge.merges.recipes import base_of, in_blocks, models_of, recipe_text, with_paths
from lexmerge.models.checkpoints import read_headers
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job
from lexmerge.search.budget import least_evaluations, population_of
from lexmerge.search.candidates import Candidates
from lexmerge.search.evaluations import Evaluations
from lexmerge.search.history import best, winner
from lexmerge.search.objective import Suites, candidates, data_by_suite, searched_suites
from lexmerge.search.optimisers import CmaEs, Nsga2
from lexmerge.search.space import Space

VERSIONS = ("mergekit", "lm_eval", "torch", "transformers")


class Interrupted(Exception):
    """The user or a scheduler has requested that the search stop."""


def histories(
    search: dict[str, Any],
    seed: int,
    evaluate_all: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
) -> Iterator[list[dict[str, Any]]]:
    """Run a search; its history depends only on the arguments and the answers.

    Args:
        search: The section `search` of the merge in the config.
        seed: The seed of the optimiser.
        evaluate_all: Returns the answers (see `Candidates.evaluate`) for the values of some candidates.

    Yields:
        All evaluations so far, after the start and after each generation: `generation`, `values`, and the
        answer.
    """
    space = Space(search["parameters"])
    start, objectives = space.start(), len(search["objectives"])
    population = search.get("population") or population_of(len(start))
    optimiser = (
        CmaEs(start, search["sigma"], population, seed)
        if objectives == 1
        else Nsga2(len(start), objectives, population, seed)
    )
    history: list[dict[str, Any]] = []
    budget, points, generation = search["budget"], [start], 0
    while True:
        values: list[dict[str, Any]] = [space.values(point) for point in points]
        answers = evaluate_all(values)
        for value, answer in zip(values, answers, strict=True):
            history.append({"generation": generation, "values": value, **answer})
        yield history
        spent = sum(sum(row["seconds"].values()) for row in history) / 3600
        left = budget["evaluations"] - len(history)
        if left <= 0 or spent >= budget.get("hours", float("inf")):
            print(f"the budget is spent: {len(history)} evaluations in {spent:.2f} hours")
            return
        if generation:
            optimiser.tell([row.get("fitness") for row in history[-len(points) :]])
        if why := optimiser.finished():
            print(f"the search has converged after {len(history)} evaluations: {why}")
            return
        generation += 1
        points = optimiser.ask()[:left]


def written(number: int, row: dict[str, Any], recipe: dict[str, Any]) -> dict[str, Any]:
    """Make a row of the history file, without times, so that it is the same in every run.

    Args:
        number: The index of the evaluation.
        row: The evaluation; see `histories`.
        recipe: The candidate's recipe, with the models' names.
    """
    kept = ("generation", "status", "reason", "fitness", "score", "tie_break", "scores", "values")
    return {"evaluation": number, **{key: row.get(key) for key in kept}, "recipe": recipe}


def depends_on(
    suites: Suites, folders: dict[str, str], canonical: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Collect everything besides the recipe that affects an evaluation, for the journal key.

    Args:
        suites: The tasks with their documents.
        folders: The folder of each model by name.
        canonical: The folder of the checkpoint whose tokenizer all merges get.
        params: The parameters that affect evaluations.
    """
    tasks = {
        name: {
            "definition": definition_of(task),
            "data": suite.data[name],
            "modules": suite.modules,
        }
        for suite in (with_documents(suite) for suite, _ in suites)
        for name, task in suite.tasks.items()
    }
    return {
        "models": {name: known_hashes(folder) for name, folder in folders.items()},
        "canonical": known_hashes(canonical),
        "tasks": tasks,
        "versions": {package: version(package) for package in VERSIONS},
        **params,
    }


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Collect SIGINT (Ctrl-C) and SIGTERM (from a scheduler) in a list instead of stopping at once."""
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _: asked.append(got))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(
    params: dict[str, Any], data_files: list[str], canonical: str, seed: int, worker: int
) -> list[dict[str, Any]]:
    """Run a search, reading evaluations that exist already.

    Args:
        params: The parameters of the rule.
        data_files: The documents to search on, `<suite>/<task>/<split>.jsonl`.
        canonical: The folder of the checkpoint whose tokenizer all merges get.
        seed: The seed of the search.
        worker: The number of this worker, from 0.

    Returns:
        The rows of the history; see `written`.

    Raises:
        StudyError: The models cannot be merged, the start cannot be evaluated, or the search was interrupted.
    """
    search, folders = params["search"], params["folders"]
    suites = searched_suites(params["suites"], data_by_suite(data_files), search["documents"])
    space, layers = Space(search["parameters"]), layers_of(params["recipe"], folders, search["parameters"])

    def recipe_of(values: dict[str, Any]) -> dict[str, Any]:
        return in_blocks(params["recipe"], values, layers, params["adds_base"])

    first = with_paths(recipe_of(space.values(space.start())), folders.__getitem__)
    can_be_merged(first, canonical)
    apart = {key: params[key] for key in ("merge_seed", "merging", "benchmarking", "scoring")}
    fixed = key_of(depends_on(suites, folders, canonical, {**apart, "objectives": search["objectives"]}))
    known = Evaluations(params["journal"], worker)
    loaded: list[Candidates] = []

    def evaluate(request: dict[str, Any]) -> dict[str, Any]:
        if not loaded:  # load the model only when an evaluation is missing
            loaded.append(candidates(first, suites, canonical, params, worker))
        answer = loaded[0].evaluate(with_paths(request["recipe"], folders.__getitem__))
        if answer["status"] == "failed" and not history:  # not recorded, since the cause may be fixed
            raise StudyError(
                f"search: the start cannot be evaluated, so nothing was searched: {answer['reason']}"
            )
        said, seconds = answer.get("score", answer["reason"]), sum(answer["seconds"].values())
        print(f"{answer['status']}: {said}, in {seconds:.1f} s")
        return answer

    history: list[dict[str, Any]] = []
    batch: list[dict[str, Any]] = []
    with interruptible() as asked:

        def evaluate_all(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
            batch[:] = [{"of": fixed, "recipe": recipe_of(value)} for value in values]
            return known.all(batch, evaluate, lambda: stop_if(asked))

        try:
            for history in histories(search, seed, evaluate_all):
                report(history)
                batch.clear()
        except Interrupted:
            done = [{**row, "recipe": recipe_of(row["values"])} for row in history]
            open_ones = [(request["recipe"], known.get(request)) for request in batch]
            raise StudyError(interruption(done, open_ones, params, worker)) from None
    return [written(number, row, recipe_of(row["values"])) for number, row in enumerate(history)]


def layers_of(recipe: dict[str, Any], folders: dict[str, str], parameters: dict[str, dict[str, Any]]) -> int:
    """Count the layers of the base model, and check that they can be divided into the blocks.

    Args:
        recipe: The recipe, with the models' names.
        folders: The folder of each model by name.
        parameters: The searched parameters; see `Space`.

    Raises:
        StudyError: There are more blocks than layers, or blocks of models of different depth.
    """
    parents = [read_headers(folders[name], name) for name in models_of(recipe)]
    layers = next(parent.layers for parent in parents if parent.name == base_of(recipe))
    for name, spec in parameters.items():
        where = f"search.parameters.{name}.blocks: {spec.get('blocks')}"
        if spec.get("blocks", 1) > layers:
            raise StudyError(
                f"{where} is more than the {layers} layers of {base_of(recipe)}; use fewer blocks"
            )
        if "blocks" in spec and (other := [p for p in parents if p.layers != layers]):
            raise StudyError(
                f"{where}, but {other[0].name} has {other[0].layers} layers and {base_of(recipe)} has "
                f"{layers}; models of different depth cannot be divided into the same blocks, so remove "
                "`blocks`"
            )
    return layers


def can_be_merged(recipe: dict[str, Any], canonical: str) -> None:
    """Run the checks of the rule `merges` before the budget is spent.

    Args:
        recipe: Any recipe of the search, with folders as models.
        canonical: The folder of the checkpoint whose tokenizer all merges get.

    Raises:
        StudyError: The models cannot be merged.
    """
    parents = [read_headers(path, path) for path in models_of(recipe)]
    if faults := list(preflight(recipe, parents, base_of(recipe))):
        raise StudyError("\n  - ".join(["search: this recipe cannot merge the models:", *faults]))
    same_vocabulary(read_headers(canonical, canonical), parents)


def stop_if(asked: list[int]) -> None:
    """Stop the search if a signal has arrived."""
    if asked:
        raise Interrupted


def report(history: list[dict[str, Any]]) -> None:
    """Print a line after each generation."""
    found, failed = winner(history), sum(row["status"] == "failed" for row in history)
    print(
        f"generation {history[-1]['generation']}: {len(history)} evaluations, {failed} failed, "
        f"best {found['score']} with {json.dumps(found['values'])}"
    )


def interruption(
    done: list[dict[str, Any]],
    open_ones: list[tuple[dict[str, Any], dict[str, Any] | None]],
    params: dict[str, Any],
    worker: int,
) -> str:
    """Write the best recipe so far to `best.<worker>.yaml` in the journal's folder, and compose the message.

    Args:
        done: The evaluations of complete generations.
        open_ones: The recipes of the incomplete generation, with their answers (None if unanswered).
        params: The parameters of the rule.
        worker: The number of this worker.

    Returns:
        The error message. It names a budget only if a search with this budget would end with this recipe.
    """
    answered = [answer is not None for _, answer in open_ones]
    leading = answered.index(False) if False in answered else len(answered)
    rest = [{**answer, "recipe": recipe} for recipe, answer in open_ones if answer is not None]
    known, first = [*done, *rest], [*done, *rest[:leading]]
    kept = f"All evaluations are kept in {Path(params['journal']).absolute()}; run again to continue"
    if not (found := best(known)):
        return f"interrupted before the start of the search was evaluated. {kept}"
    file = Path(params["journal"]) / f"best.{worker}.yaml"
    write_text(file, recipe_text(found["recipe"], params["folders"]))
    taken = best(first) is found and len(first) >= least_evaluations(params["search"])
    offer = f", or take it with `budget: {{evaluations: {len(first)}}}`" if taken else ""
    said = f"interrupted. The best of {len(known)} recipes, with {found['score']}, is in {file.absolute()}."
    return f"{said} {kept}{offer}"


if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu), tempfile.TemporaryDirectory() as cache:
        import torch

        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        torch.set_num_threads(snakemake.threads)
        given, wildcards = snakemake.input, snakemake.wildcards
        if data_by_suite(given.data).keys() == snakemake.params.suites.keys():
            only_given_documents(cache)
        else:  # some tasks read their data sets themselves
            user_cache()
        canonical = str(Path(given.canonical).parent)
        rows = run(dict(snakemake.params), given.data, canonical, int(wildcards.seed), int(wildcards.worker))
        write_jsonl(snakemake.output[0], rows)
