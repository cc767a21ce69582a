"""What a candidate of a search is worth: merged in memory, and asked the objective's tasks by lm-eval."""

import copy
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from lm_eval.api.instance import Instance

from lexmerge.benchmarks.shared_prefix import HFLM, SharedPrefixLM
from lexmerge.benchmarks.suites import Suite, run_task, strict
from lexmerge.common.errors import StudyError
from lexmerge.search.live_model import LiveModel, Unusable

TIE_BREAK = 1e-6  # the weight of the log-probabilities: they decide between equal scores and nothing else


@dataclass(frozen=True)
class Part:
    """A part of an objective: a task or a group, one of its metrics as lm-eval names it, and its weight."""

    task: str
    metric: str
    weight: float


class Candidates:
    """`suites` hold the tasks with the documents that they are to be asked, and how many of them.

    `objectives` are weighted sums, by name.
    """

    def __init__(
        self,
        live: LiveModel,
        suites: list[tuple[Suite, int | None]],
        objectives: dict[str, list[Part]],
        settings: dict,
    ):
        self.model, self.suites = live, suites
        self._objectives, self._settings = objectives, settings
        self._lm = (SharedPrefixLM if settings["share_prefix"] else HFLM)(
            pretrained=live.model,
            tokenizer=live.tokenizer,
            softmax_dtype="float32",
            batch_size=settings["batch_size"],
            max_length=settings["max_length"],
        )

    def asking(self, suites: list[tuple[Suite, int | None]]) -> "Candidates":
        """The same model, asked other documents."""
        other = copy.copy(self)
        other.suites = suites
        return other

    def evaluate(self, recipe: dict) -> dict:
        """`status`, and of a candidate that is `ok` its scores; of one that `failed` the reason."""
        began = time.perf_counter()
        merged = began
        try:
            self.model.become(recipe)
            merged = time.perf_counter()
            found = {"status": "ok", "reason": "", **self.worth(self.run())}
        except (StudyError, OSError):  # nothing of the candidate's
            raise
        except Exception as error:  # the start must succeed, so what always fails ends the search there
            said = str(error).splitlines()[0][:200] if str(error) else ""
            name = "" if isinstance(error, Unusable) else f"{type(error).__name__}: "
            found = {"status": "failed", "reason": f"{name}{said}"}
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        ended = time.perf_counter()
        return found | {"seconds": {"merge": merged - began, "evaluation": ended - merged}}

    def run(self) -> list[dict[str, dict]]:
        """lm-eval's results, with samples, of each suite's tasks on the model as it is now."""
        return [
            {
                name: run_task(self._lm, name, task, self._settings | {"limit": limit})
                for name, task in suite.tasks.items()
            }
            for suite, limit in self.suites
        ]

    def worth(self, runs: list[dict[str, dict]]) -> dict:
        """What a model is worth by what `run` gave.

        `scores` is each metric by task; `score` and `tie_break` have a number for each objective, and
        `fitness` is the one with a little of the other.
        """
        values, gold = {}, {}
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


def values_of(suite: Suite, found: dict[str, dict]) -> dict[str, dict]:
    """lm-eval's metrics of each task and group of a suite that was run."""
    values = {name: run["results"][name] for name, run in found.items()}
    scored = {
        name: {**values[name], "sample_len": run["n-samples"][name]["effective"]}
        for name, run in found.items()
    }
    return values | {name: strict(group.aggregate(scored)) for name, group in suite.groups.items()}


def leaves_of(group: object) -> list[str]:
    """The tasks of a group, those of its groups too."""
    return [task.task_name for task in group.get_all_tasks()]


def value_of(values: dict, part: Part) -> float:
    """A task's metric, by its name or by name and filter."""
    keys = [key for key in values if "," in key and part.metric in (key, key.split(",")[0])]
    if len(keys) != 1:
        known = ", ".join(sorted(key for key in values if "," in key and "_stderr" not in key))
        what = "no such metric" if not keys else "several of them; name the filter too"
        raise StudyError(f"the search's objective: {part.task} {part.metric}: {what}; it has {known}")
    value = values[keys[0]]
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise Unusable(f"{part.task} {part.metric} is not a number")
    return float(value)


def mean_gold(lm: object, task: object, run: dict) -> float:
    """The mean log-probability of the right answer over the documents of a task that was run.

    Of a question with options it is that among the options; of a text that is to be written, a character's.
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


def _among_options(task: object, sample: dict) -> float:
    """The logarithm of the part of the options' probability that the right ones have."""
    scores = torch.tensor([response[0][0] for response in sample["resps"]], dtype=torch.float64)
    gold, options = sample["target"], task.doc_to_choice(sample["doc"])
    right = [
        g if isinstance(g, int) else options.index(g) for g in (gold if isinstance(gold, list) else [gold])
    ]
    scores = scores[: len(options)]  # some metrics ask for more than these
    return (torch.logsumexp(scores[right], 0) - torch.logsumexp(scores, 0)).item()


def _gold_text(task: object, sample: dict) -> str:
    gold = sample["target"]
    first = gold[0] if isinstance(gold, list) and gold else gold
    return f"{task.config.target_delimiter}{first}"


def _weighted(gold: dict[str, float], objective: list[Part]) -> float:
    total = sum(abs(part.weight) for part in objective)
    return sum(abs(part.weight) * gold[part.task] for part in objective) / total


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)
