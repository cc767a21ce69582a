"""Evaluation of a search's candidates: merged in memory, and scored on the objective's tasks by lm-eval."""

import copy
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from lexmerge.benchmarks.shared_prefix import SharedPrefixLM
from lexmerge.benchmarks.suites import Suite, run_task, strict
from lexmerge.common.errors import StudyError
from lexmerge.common.prompts import check_template
from lexmerge.search.live_model import LiveModel, Unusable

TIE_BREAK = 1e-6  # the weight of the log-probabilities, small enough to decide only between equal scores


@dataclass(frozen=True)
class Part:
    """A term of an objective.

    Attributes:
        task: A task or group of lm-eval.
        metric: One of its metrics, as lm-eval names it, with or without the filter.
        weight: The factor of the metric in the sum.
    """

    task: str
    metric: str
    weight: float


class Candidates:
    """A model that becomes one candidate after another and is scored on tasks.

    Attributes:
        model: The model in memory.
        suites: The tasks with their documents, and the number of documents to use (None for all).
    """

    def __init__(
        self,
        live: LiveModel,
        suites: list[tuple[Suite, int | None]],
        objectives: dict[str, list[Part]],
        settings: dict[str, Any],
    ) -> None:
        """Prepare lm-eval's model.

        Args:
            live: The model in memory.
            suites: The tasks with their documents, and the number of documents to use (None for all).
            objectives: The weighted sums to maximise, by name.
            settings: The config section `benchmarking`.
        """
        self.model, self.suites = live, suites
        self._objectives, self._settings = objectives, settings
        if settings["chat_template"]:
            check_template(live.tokenizer)
        self._lm = (SharedPrefixLM if settings["share_prefix"] else HFLM)(
            pretrained=live.model,
            trust_remote_code=False,
            tokenizer=live.tokenizer,
            softmax_dtype="float32",
            batch_size=settings["batch_size"],
            max_length=settings["max_length"],
        )

    def asking(self, suites: list[tuple[Suite, int | None]]) -> "Candidates":
        """Return an evaluation of the same model on other documents."""
        other = copy.copy(self)
        other.suites = suites
        return other

    def evaluate(self, recipe: dict[str, Any]) -> dict[str, Any]:
        """Merge and score a candidate.

        Args:
            recipe: Its recipe, whose models are folders.

        Returns:
            `status` (`ok` or `failed`), `reason` (of a failure), `seconds` by step (`merge`, `evaluation`),
            and for `ok` the result of `worth`.

        Raises:
            StudyError: The study or the machine is at fault, not the candidate.
            OSError: As above.
        """
        began = time.perf_counter()
        merged = began
        try:
            self.model.become(recipe)
            merged = time.perf_counter()
            found = {"status": "ok", "reason": "", **self.worth(self.run())}
        except (StudyError, OSError):  # not the candidate's fault
            raise
        except Exception as error:  # one that hits every candidate ends the search at its start
            said = str(error).splitlines()[0][:200] if str(error) else ""
            name = "" if isinstance(error, Unusable) else f"{type(error).__name__}: "
            found = {"status": "failed", "reason": f"{name}{said}"}
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        ended = time.perf_counter()
        return found | {"seconds": {"merge": merged - began, "evaluation": ended - merged}}

    def run(self) -> list[dict[str, dict[str, Any]]]:
        """Run all tasks on the current weights.

        Returns:
            For each suite, lm-eval's results with samples by task.
        """
        return [
            {
                name: run_task(self._lm, name, task, self._settings | {"limit": limit})
                for name, task in suite.tasks.items()
            }
            for suite, limit in self.suites
        ]

    def worth(self, runs: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
        """Compute a model's objectives.

        Args:
            runs: The result of `run`.

        Returns:
            `scores`, the value of each metric by task; and for each objective a number in `score` (the
            weighted sum), `tie_break` (the weighted mean log-probability of the right answers) and `fitness`
            (`score` + `TIE_BREAK` × `tie_break`).

        Raises:
            Unusable: A score or a log-probability is not finite.
            StudyError: A task has no such metric.
        """
        values: dict[str, dict[str, Any]] = {}
        gold: dict[str, float] = {}
        for (suite, _), found in zip(self.suites, runs, strict=True):
            gold |= {name: mean_gold(self._lm, suite.tasks[name], run) for name, run in found.items()}
            gold |= {
                name: _mean(gold[task] for task in leaves_of(group)) for name, group in suite.groups.items()
            }
            values |= values_of(suite, found)
        parts = [part for objective in self._objectives.values() for part in objective]
        chosen = {(part.task, part.metric): value_of(values[part.task], part) for part in parts}
        scores: dict[str, dict[str, float]] = {}
        for (task, metric), value in chosen.items():
            scores.setdefault(task, {})[metric] = value
        score = [sum(p.weight * chosen[p.task, p.metric] for p in o) for o in self._objectives.values()]
        tie_break = [_weighted(gold, objective) for objective in self._objectives.values()]
        if not all(map(math.isfinite, [*score, *tie_break])):
            raise Unusable("its scores or its log-probabilities are not numbers")
        fitness = [one + TIE_BREAK * other for one, other in zip(score, tie_break, strict=True)]
        return {"scores": scores, "score": score, "tie_break": tie_break, "fitness": fitness}


def values_of(suite: Suite, found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Collect the metrics of a suite.

    Args:
        suite: The suite.
        found: lm-eval's results by task.

    Returns:
        For each task and group, the values by lm-eval's names (`metric,filter`).
    """
    values = {name: run["results"][name] for name, run in found.items()}
    scored = {
        name: {**values[name], "sample_len": run["n-samples"][name]["effective"]}
        for name, run in found.items()
    }
    return values | {name: strict(group.aggregate(scored)) for name, group in suite.groups.items()}


def leaves_of(group: Any) -> list[str]:
    """List the names of the tasks in lm-eval's Group object, including nested groups."""
    return [task.task_name for task in group.get_all_tasks()]


def value_of(values: dict[str, Any], part: Part) -> float:
    """Look up a task's metric by its name, or by name and filter.

    Args:
        values: The task's values by lm-eval's names (`metric,filter`).
        part: The term of the objective.

    Returns:
        The value.

    Raises:
        StudyError: No metric or several metrics match.
        Unusable: The value is not a finite number.
    """
    keys = [key for key in values if "," in key and part.metric in (key, key.split(",")[0])]
    if len(keys) != 1:
        known = ", ".join(sorted(key for key in values if "," in key and "_stderr" not in key))
        what = f"has {'several metrics' if keys else 'no metric'} {part.metric}"
        raise StudyError(f"search.objective: {part.task} {what}; name one of these, with its filter: {known}")
    value = values[keys[0]]
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise Unusable(f"{part.task} {part.metric} is not a number")
    return float(value)


def mean_gold(lm: Any, task: Any, run: dict[str, Any]) -> float:
    """Compute the mean log-probability of the right answer over a task's documents.

    Args:
        lm: lm-eval's LM object.
        task: lm-eval's Task object.
        run: lm-eval's results of the task, with samples.

    Returns:
        The mean natural logarithm: for multiple choice of the right options' share of all options'
        probability, for generated answers per character; 0 for other types of tasks.
    """
    samples = run["samples"][task.task_name]
    if task.OUTPUT_TYPE == "multiple_choice":
        return _mean(_among_options(task, sample) for sample in samples)
    if task.OUTPUT_TYPE == "loglikelihood":
        return _mean(sample["resps"][0][0][0] for sample in samples)
    if task.OUTPUT_TYPE != "generate_until":
        return 0.0
    asked = {sample["doc_id"]: sample for sample in samples}.values()
    texts = [_gold_text(task, sample) for sample in asked]
    requests = [
        Instance("loglikelihood", sample["doc"], (sample["arguments"][0][0], text), number)
        for number, (sample, text) in enumerate(zip(asked, texts, strict=True))
    ]
    scored = lm.loglikelihood(requests, disable_tqdm=True)
    return _mean(score / max(1, len(text)) for (score, _), text in zip(scored, texts, strict=True))


def _among_options(task: Any, sample: dict[str, Any]) -> float:
    """The logarithm of the right options' share of all options' probability."""
    scores = torch.tensor([response[0][0] for response in sample["resps"]], dtype=torch.float64)
    options = task.doc_to_choice(sample["doc"])
    # Some tasks, such as winogrande, have a context for each option and the same continuation for all.
    gold = task.doc_to_text(sample["doc"]) if getattr(task, "multiple_input", 0) else sample["target"]
    right = [
        g if isinstance(g, int) else options.index(g) for g in (gold if isinstance(gold, list) else [gold])
    ]
    scores = scores[: len(options)]  # some metrics add further requests
    return (torch.logsumexp(scores[right], 0) - torch.logsumexp(scores, 0)).item()


def _gold_text(task: Any, sample: dict[str, Any]) -> str:
    """The first right answer, with the delimiter that the task puts before it."""
    gold = sample["target"]
    first = gold[0] if isinstance(gold, list) and gold else gold
    return f"{task.config.target_delimiter}{first}"


def _weighted(gold: dict[str, float], objective: list[Part]) -> float:
    """The mean of the tasks' log-probabilities, weighted by the absolute weights of an objective."""
    total = sum(abs(part.weight) for part in objective)
    return sum(abs(part.weight) * gold[part.task] for part in objective) / total


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)
