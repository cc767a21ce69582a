"""A model in memory that becomes one merge after another, with MergeKit's own kernels and no file written."""

import copy
from pathlib import Path

import torch
from mergekit.architecture import get_architecture_info
from mergekit.common import dtype_from_name
from mergekit.config import MergeConfiguration
from mergekit.graph import Executor, Task
from mergekit.io.tasks import LoaderCache, SaveTensor
from mergekit.merge import _model_out_config
from mergekit.plan import MergePlanner
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from transformers.trainer_utils import set_seed

from lexmerge.common.errors import StudyError
from lexmerge.merges.options import options
from lexmerge.models.checkpoints import Weights


class Unusable(Exception):
    """A candidate that is no model that can be asked; the search goes on without it."""


class _Taken(Task[torch.Tensor | None]):
    """What MergeKit would save under a name, handed over instead."""

    name: str
    tensor: Task
    dtype: str | None = None

    def arguments(self) -> dict[str, Task]:
        return {"tensor": self.tensor}

    def priority(self) -> int:
        return 1000  # as what saves a tensor has: the order in which random numbers are drawn is the same

    def group_label(self) -> str | None:
        return self.tensor.group_label()

    def execute(self, tensor: torch.Tensor | None) -> torch.Tensor | None:
        return tensor if tensor is None or not self.dtype else tensor.to(dtype_from_name(self.dtype))


class LiveModel:
    """`model` has the weights of the recipe that it last became, in the number format `dtype`.

    They are those of the checkpoint that MergeKit would write, bit for bit, since the same tasks run in the
    same order with the same seed (tests/search/test_live_model.py). The parents' files stay open, and mapped,
    for all candidates. The tokenizer and the generation config are those of `canonical`, as all merges' are.
    """

    def __init__(self, recipe: dict, seed: int, merging: dict, canonical: str, dtype: str, where: str):
        self._options, self._threads = options(seed, merging), merging["threads"]
        config = MergeConfiguration.model_validate(copy.deepcopy(recipe))
        LoaderCache().setup(self._options)
        self._architecture = get_architecture_info(config, self._options)
        self._config = _model_out_config(config, self._architecture)
        with torch.device(where):
            self.model = AutoModelForCausalLM.from_config(self._config, dtype=dtype_from_name(dtype))
        self.model.eval().requires_grad_(False)
        if Path(canonical, "generation_config.json").exists():
            self.model.generation_config = GenerationConfig.from_pretrained(canonical)
        self.tokenizer = AutoTokenizer.from_pretrained(canonical)
        self._parameters = dict(self.model.named_parameters())

    def become(self, recipe: dict) -> None:
        """Take the weights of a recipe's merge; Unusable if any is not a finite number."""
        with _threads(self._threads):
            for name, value in self._merged(recipe):
                if not value.isfinite().all():
                    raise Unusable(f"NaN or infinite values in {name}")
                self._parameters[name].copy_(value)

    def differs_from(self, recipe: dict, folder: str) -> str | None:
        """The first tensor in which a recipe's merge and a checkpoint differ by a bit; None if none."""
        with _threads(self._threads), Weights(folder) as saved:
            ours = dict(self._merged(recipe))
            for name in sorted(ours.keys() | self._saved_names(saved)):
                if name not in ours or name not in saved or not torch.equal(ours[name].cpu(), saved[name]):
                    return name
        return None

    def _saved_names(self, saved: Weights) -> set[str]:
        return {name for name in saved if name in self._parameters}

    def _merged(self, recipe: dict):
        """Each tensor of the model by its name, as it would be saved."""
        config = MergeConfiguration.model_validate(copy.deepcopy(recipe))
        planner = MergePlanner(config, self._architecture, self._options, self._config)
        planned = [task for task in planner.plan_to_disk("") if isinstance(task, SaveTensor)]
        tasks = [_Taken(name=t.tensor_name, tensor=t.tensor_task, dtype=t.dtype) for t in planned]
        set_seed(self._options.random_seed)
        where = self._options.device
        run = Executor(tasks, where, where if self._options.low_cpu_memory else "cpu").run(quiet=True)
        found = {task.name for task in tasks}
        if missing := self._parameters.keys() - found:
            raise StudyError(
                f"MergeKit makes no {min(missing)} ({len(missing)} such), which the model has: recipes for "
                "this architecture cannot be searched in memory; search with `values` and `grid`"
            )
        for task, value in run:
            if value is not None and task.name in self._parameters:
                if value.shape != self._parameters[task.name].shape:
                    raise StudyError(f"the merge's {task.name} has another shape than its base model's")
                yield task.name, value


class _threads:
    """So many threads for what is inside: they are part of what a merge is."""

    def __init__(self, count: int):
        self._count = count

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(self._count)

    def __exit__(self, *_) -> None:
        torch.set_num_threads(self._before)
