"""A model in memory that becomes one merge after another, with MergeKit's own code and without files."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mergekit.architecture import get_architecture_info
from mergekit.common import dtype_from_name
from mergekit.graph import Executor, Task
from mergekit.io.tasks import LoaderCache, SaveTensor
from mergekit.merge import _model_out_config
from mergekit.plan import MergePlanner
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel
from transformers.trainer_utils import set_seed

from lexmerge.common.errors import StudyError
from lexmerge.merges.options import OrderedConfiguration, options
from lexmerge.merges.recipes import merged_models
from lexmerge.models.checkpoints import Weights, read_headers
from lexmerge.models.files import HEADS


class Unusable(Exception):
    """A candidate that cannot be evaluated, such as one with infinite weights; the search continues."""


class _Taken(Task[torch.Tensor | None]):  # type: ignore[misc]  # MergeKit has no types
    """A tensor that MergeKit would save, returned instead; replaces MergeKit's SaveTensor."""

    name: str
    tensor: Task
    dtype: str | None = None

    def arguments(self) -> dict[str, Task]:
        return {"tensor": self.tensor}

    def priority(self) -> int:
        return 1000  # the priority of SaveTensor, so that random numbers are drawn in the same order

    def group_label(self) -> str | None:
        label: str | None = self.tensor.group_label()
        return label

    def execute(self, tensor: torch.Tensor | None) -> torch.Tensor | None:
        return tensor if tensor is None or not self.dtype else tensor.to(dtype_from_name(self.dtype))


class LiveModel:
    """A model whose weights are those of a recipe's merge.

    The weights equal those of the checkpoint that MergeKit would write, bit for bit, since the same tasks run
    in the same order with the same seed (tests/search/test_live_model.py). The parents' files stay open, and
    memory-mapped, for all candidates.

    Attributes:
        model: The model; its weights are undefined until the first `become`.
        tokenizer: The tokenizer of all merges of the study.
    """

    def __init__(
        self,
        recipe: dict[str, Any],
        seed: int,
        merging: dict[str, Any],
        canonical: str,
        dtype: str,
        where: str,
    ) -> None:
        """Create the model without weights.

        Args:
            recipe: Any recipe of the search, with folders as models; it determines the architecture.
            seed: The seed of merge methods that draw random numbers.
            merging: The config section `merging`.
            canonical: The folder of the checkpoint whose tokenizer and generation config all merges get.
            dtype: The number format of the model.
            where: The device, such as `cuda:0`.
        """
        self._options, self._threads = options(seed, merging), merging["threads"]
        config = OrderedConfiguration.model_validate(copy.deepcopy(recipe))
        LoaderCache().setup(self._options)
        self._architecture = get_architecture_info(config, self._options)
        self._config = _model_out_config(config, self._architecture)
        parents = [read_headers(folder, folder) for folder in merged_models(recipe)]
        if any(name in parent.tensors for parent in parents for name in HEADS):
            self._config.tie_word_embeddings = False  # MergeKit makes a head, which may have other values
        from_config: Any = AutoModelForCausalLM.from_config  # transformers leaves it without types
        with torch.device(where):
            self.model: PreTrainedModel = from_config(
                self._config, dtype=dtype_from_name(dtype), trust_remote_code=False
            )
        self.model.eval().requires_grad_(False)
        if Path(canonical, "generation_config.json").exists():
            self.model.generation_config = GenerationConfig.from_pretrained(canonical)
        self.tokenizer = AutoTokenizer.from_pretrained(canonical, trust_remote_code=False)
        self._parameters = dict(self.model.named_parameters())

    def become(self, recipe: dict[str, Any]) -> None:
        """Replace the weights by those of a recipe's merge.

        Args:
            recipe: The recipe, with folders as models.

        Raises:
            Unusable: A weight is NaN or infinite.
            StudyError: MergeKit's result does not fit the model's architecture.
        """
        with _threads(self._threads):
            for name, value in self._merged(recipe):
                if not value.isfinite().all():
                    raise Unusable(f"NaN or infinite values in {name}")
                self._parameters[name].copy_(value)

    def differs_from(self, recipe: dict[str, Any], folder: str) -> str | None:
        """Compare a recipe's merge with a checkpoint bit for bit; the model's weights stay unchanged.

        Args:
            recipe: The recipe, with folders as models.
            folder: The checkpoint.

        Returns:
            The name of the first tensor that differs; None if all are equal.
        """
        with _threads(self._threads), Weights(folder) as saved:
            ours = dict(self._merged(recipe))
            for name in sorted(ours.keys() | self._saved_names(saved)):
                if name not in ours or name not in saved or not torch.equal(ours[name].cpu(), saved[name]):
                    return name
        return None

    def _saved_names(self, saved: Weights) -> set[str]:
        """The names of the model's parameters in a checkpoint."""
        return {name for name in saved if name in self._parameters}

    def _merged(self, recipe: dict[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the name and the merged value of each parameter, as MergeKit would save it."""
        config = OrderedConfiguration.model_validate(copy.deepcopy(recipe))
        planner = MergePlanner(config, self._architecture, self._options, self._config)
        planned = [task for task in planner.plan_to_disk("") if isinstance(task, SaveTensor)]
        tasks = [_Taken(name=t.tensor_name, tensor=t.tensor_task, dtype=t.dtype) for t in planned]
        set_seed(self._options.random_seed)
        where = self._options.device
        run = Executor(tasks, where, where if self._options.low_cpu_memory else "cpu").run(quiet=True)
        found = {task.name for task in tasks}
        if missing := self._parameters.keys() - found:
            raise StudyError(
                f"MergeKit does not make the tensor {min(missing)} of the model ({len(missing)} missing), so "
                "recipes for this architecture cannot be searched in memory; use `values` and `grid` instead"
            )
        for task, value in run:
            if value is not None and task.name in self._parameters:
                if value.shape != self._parameters[task.name].shape:
                    raise StudyError(f"the merge's tensor {task.name} differs in shape from the base model's")
                yield task.name, value


class _threads:
    """Set the number of torch's threads in a block; a merge's bits depend on it."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(self._count)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._before)
