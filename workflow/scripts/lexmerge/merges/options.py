"""MergeKit's options and the recipes that it gets, the same for merges and for searches."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from typing import Any

import mergekit.tokenizer.build
from mergekit.common import ModelReference
from mergekit.config import MergeConfiguration
from mergekit.options import MergeOptions

from lexmerge.common.device import device


class OrderedConfiguration(MergeConfiguration):  # type: ignore[misc]  # no types
    """A recipe for MergeKit whose models keep the order in which it names them.

    MergeKit lists them in the order of a set, which changes from run to run, and without a base model takes
    config and tokenizer from the first.
    """

    def referenced_models(self) -> list[ModelReference]:
        """The models of the recipe, each once: the base model, then those that are merged."""
        parts = [self, *(self.modules or {}).values()]
        models = [entry.model for part in parts for entry in part.models or []]
        models += [s.model for part in parts for piece in part.slices or [] for s in piece.sources]
        return list(dict.fromkeys([*([self.base_model] if self.base_model else []), *models]))


def options(seed: int, settings: dict[str, Any]) -> MergeOptions:
    """Build MergeKit's options; those for memory and speed do not affect the weights on one device.

    Args:
        seed: The seed of methods that draw random numbers.
        settings: The config section `merging`.
    """
    return MergeOptions(
        random_seed=seed,
        device=device(settings["device"]),
        low_cpu_memory=settings["low_cpu_memory"],
        out_shard_size=settings["shard_size"],
        quiet=True,
        trust_remote_code=False,
    )


@contextmanager
def unions_in_order() -> Iterator[None]:
    """In the block, give the tokens of a `union` of tokenizers ids in the order of the models and their ids.

    MergeKit takes the order of a hash table, so that ids and embeddings change from run to run.
    """
    build: Any = mergekit.tokenizer.build
    of_mergekit = build.build_union_tokenizer

    def in_order(base: Any, tokenizers: dict[ModelReference, Any], *rest: Any, **more: Any) -> Any:
        each = {id(tokenizer): tokenizer for tokenizer in [base, *tokenizers.values()]}.values()
        for tokenizer in each:
            vocabulary = dict(sorted(tokenizer.get_vocab().items(), key=itemgetter(1)))
            tokenizer.get_vocab = partial(dict, vocabulary)
        try:
            return of_mergekit(base, tokenizers, *rest, **more)
        finally:
            for tokenizer in each:
                del tokenizer.get_vocab

    build.build_union_tokenizer = in_order
    try:
        yield
    finally:
        build.build_union_tokenizer = of_mergekit
