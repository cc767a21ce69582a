"""Search the placeholders of a recipe: one worker of one search, which ends with the whole history of it."""

import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from lexmerge.benchmarks.suites import definition_of, documents_hash
from lexmerge.common.errors import StudyError
from lexmerge.common.files import known_hashes, write_jsonl, write_text
from lexmerge.common.journal import key_of
from lexmerge.merges.preflight import preflight, same_vocabulary
from lexmerge.merges.recipes import base_of, in_blocks, models_of, recipe_text, with_paths
from lexmerge.models.checkpoints import read_headers
from lexmerge.run.gpus import own_gpus
from lexmerge.run.job import job
from lexmerge.search.budget import budget_faults, population_of
from lexmerge.search.candidates import Candidates
from lexmerge.search.evaluations import Evaluations
from lexmerge.search.history import best
from lexmerge.search.objective import Suites, candidates, data_by_suite, searched_suites
from lexmerge.search.optimisers import CmaEs, Nsga2
from lexmerge.search.space import Space

VERSIONS = ("mergekit", "lm_eval", "torch", "transformers")


class Interrupted(Exception):
    """The user, or a scheduler, has asked the search to end."""


def histories(
    search: dict, seed: int, evaluate_all: Callable[[list[dict]], list[dict]]
) -> Iterator[list[dict]]:
    """The history of a search after each of its generations, the start first.

    `evaluate_all` gives the answers for the values of some candidates. The history depends on `search`, the
    seed and the answers alone.
    """
    space = Space(search["parameters"])
    start, objectives = space.start(), len(search["objectives"])
    population = search.get("population") or population_of(len(start))
    optimiser = (
        CmaEs(start, search["sigma"], population, seed)
        if objectives == 1
        else Nsga2(len(start), objectives, population, seed)
    )
    budget, history, points, generation = search["budget"], [], [start], 0
    while True:
        values = [space.values(point) for point in points]
        answers = evaluate_all(values)
        for value, answer in zip(values, answers, strict=True):
            history.append({"generation": generation, "values": value, **answer})
        yield history
        spent = sum(sum(row["seconds"].values()) for row in history) / 3600
        left = budget["evaluations"] - len(history)
        if left <= 0 or spent >= budget.get("hours", float("inf")):
            print(f"the budget is spent: {len(history)} evaluations, {spent:.2f} hours of them")
            return
        if generation:
            optimiser.tell([row.get("fitness") for row in history[-len(points) :]])
        if why := optimiser.finished():
            print(f"the search has converged after {len(history)} evaluations: {why}")
            return
        generation += 1
        points = optimiser.ask()[:left]


def written(number: int, row: dict, recipe: dict) -> dict:
    """An evaluation as the history has it: nothing that would be another in another run."""
    kept = ("generation", "status", "reason", "fitness", "score", "tie_break", "scores", "values")
    return {"evaluation": number, **{key: row.get(key) for key in kept}, "recipe": recipe}


def depends_on(suites: Suites, folders: dict[str, str], canonical: str, params: dict) -> dict:
    """Everything that the answer for a recipe depends on, but the recipe."""
    tasks = {
        name: {
            "definition": definition_of(task),
            "data": suite.data.get(name) or documents_hash(task),
            "modules": suite.modules,
        }
        for suite, _ in suites
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
def interruptible() -> Iterator[list]:
    """A list that is no longer empty once the user has pressed Ctrl-C, or a scheduler has sent its signal."""
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


def run(params: dict, data_files: list[str], canonical: str, seed: int, worker: int) -> list[dict]:
    """Search, or read what was found; the rows of the history."""
    search, folders = params["search"], params["folders"]
    suites = searched_suites(params["suites"], data_by_suite(data_files), search["documents"])
    space, layers = Space(search["parameters"]), layers_of(params["recipe"], folders, search["parameters"])

    def recipe_of(values: dict) -> dict:
        return in_blocks(params["recipe"], values, layers, params["adds_base"])

    first = with_paths(recipe_of(space.values(space.start())), folders.__getitem__)
    can_be_merged(first, canonical)
    apart = {key: params[key] for key in ("merge_seed", "merging", "benchmarking", "scoring")}
    fixed = key_of(depends_on(suites, folders, canonical, {**apart, "objectives": search["objectives"]}))
    known = Evaluations(params["journal"], worker)
    loaded: list[Candidates] = []

    def evaluate(request: dict) -> dict:
        if not loaded:  # what is known already needs no model
            loaded.append(candidates(first, suites, canonical, params, worker))
        answer = loaded[0].evaluate(with_paths(request["recipe"], folders.__getitem__))
        if answer["status"] == "failed" and not history:  # not kept: what went wrong may be mended
            raise StudyError(f"search: the start of it fails, and nothing was searched: {answer['reason']}")
        said, seconds = answer.get("score", answer["reason"]), sum(answer["seconds"].values())
        print(f"{answer['status']}: {said}, in {seconds:.1f} s")
        return answer

    history, batch = [], []
    with interruptible() as asked:

        def evaluate_all(values: list[dict]) -> list[dict]:
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


def layers_of(recipe: dict, folders: dict[str, str], parameters: dict[str, dict]) -> int:
    """How many layers the models have; StudyError if they cannot be cut into the blocks."""
    parents = [read_headers(folders[name], name) for name in models_of(recipe)]
    layers = next(parent.layers for parent in parents if parent.name == base_of(recipe))
    for name, spec in parameters.items():
        where = f"search.parameters.{name}.blocks: {spec.get('blocks')}"
        if spec.get("blocks", 1) > layers:
            raise StudyError(f"{where} blocks, and {base_of(recipe)} has {layers} layers; at most as many")
        if "blocks" in spec and (other := [p for p in parents if p.layers != layers]):
            raise StudyError(
                f"{where}, and {other[0].name} has {other[0].layers} layers where {base_of(recipe)} has "
                f"{layers}: models of different depth have no blocks in common; drop `blocks`"
            )
    return layers


def can_be_merged(recipe: dict, canonical: str) -> None:
    """What the merge itself would refuse is refused before the budget is spent."""
    parents = [read_headers(path, path) for path in models_of(recipe)]
    if faults := list(preflight(recipe, parents, base_of(recipe))):
        raise StudyError("\n  - ".join(["search: the models cannot be merged by this recipe:", *faults]))
    same_vocabulary(read_headers(canonical, canonical), parents)


def stop_if(asked: list) -> None:
    if asked:
        raise Interrupted


def report(history: list[dict]) -> None:
    """A line a generation."""
    found, failed = best(history), sum(row["status"] == "failed" for row in history)
    print(
        f"generation {history[-1]['generation']}: {len(history)} evaluations, {failed} failed, "
        f"best {found['score']} with {json.dumps(found['values'])}"
    )


def interruption(done: list[dict], open_ones: list[tuple], params: dict, worker: int) -> str:
    """What to tell, after the best recipe so far was written down.

    `done` are the evaluations of whole generations, `open_ones` recipes of the last one, with their answers
    if they have any. A budget is named only where it gives this very recipe.
    """
    answered = [answer is not None for _, answer in open_ones]
    leading = answered.index(False) if False in answered else len(answered)
    rest = [{**answer, "recipe": recipe} for recipe, answer in open_ones if answer is not None]
    known, first = [*done, *rest], [*done, *rest[:leading]]
    kept = f"All evaluations are kept in {params['journal']}: run again to go on"
    if not (found := best(known)):
        return f"interrupted before the start was evaluated. {kept}"
    file = Path(params["journal"]) / f"best.{worker}.yaml"
    write_text(file, recipe_text(found["recipe"], params["folders"]))
    taken = best(first) is found and not budget_faults(params["search"], len(first))
    offer = f", or take it with `budget: {{evaluations: {len(first)}}}`" if taken else ""
    said = f"interrupted. The best recipe of {len(known)} evaluations, with {found['score']}, is in {file}."
    return f"{said} {kept}{offer}"


if __name__ == "__main__":
    with job(snakemake.log[0]), own_gpus(snakemake.resources.gpu), tempfile.TemporaryDirectory() as cache:
        import torch

        os.environ |= {"HF_DATASETS_CACHE": cache, "TOKENIZERS_PARALLELISM": "false"}
        torch.set_num_threads(snakemake.threads)
        given, wildcards = snakemake.input, snakemake.wildcards
        canonical = str(Path(given.canonical).parent)
        rows = run(dict(snakemake.params), given.data, canonical, int(wildcards.seed), int(wildcards.worker))
        write_jsonl(snakemake.output[0], rows)
