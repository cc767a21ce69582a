"""Whether checkpoints can be parents of a merge, and in what they compute differently, by their headers."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from lexmerge.models.checkpoints import Headers, quantised_weights
from lexmerge.models.tokens import MOST_NAMED, above, differences

# Keys of a config that do not change what the model computes, or that other checks compare.
NOT_COMPUTED = {
    *("_name_or_path", "architectures", "transformers_version", "dtype", "torch_dtype", "auto_map", "type"),
    *("vocab_size", "tie_word_embeddings", "num_hidden_layers", "layer_types", "n_layer"),
    "max_window_layers",
    *("max_position_embeddings", "n_positions", "initializer_range", "use_cache", "pretraining_tp"),
    *("id2label", "label2id", "problem_type", "quantization_config", "unsloth_version", "unsloth_fixed"),
    *("model_type", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads"),
    *("head_dim", "n_embd", "n_inner", "n_head", "gradient_checkpointing"),
}


def computing(config: dict[str, Any]) -> dict[str, Any]:
    """Reduce a config to what changes the computation, with the defaults of the kind of model filled in.

    Args:
        config: The content of config.json, as any version of transformers wrote it.

    Returns:
        The values by key, with those of the position encoding (RoPE) beside the others; of a kind that
        transformers does not know, as they are given.
    """
    return dict(_computing(json.dumps(config, sort_keys=True)))


@cache
def _computing(text: str) -> dict[str, Any]:
    """As `computing`, from JSON."""
    from transformers import AutoConfig

    given = json.loads(text)
    try:
        full = AutoConfig.for_model(**given).to_dict()
    except Exception:  # an unknown kind of model, or values that its class refuses
        full = given
    ropes = full.pop("rope_parameters", None) or {}
    flat = full | {key: value for key, value in ropes.items() if key != "original_max_position_embeddings"}
    return {
        key: value
        for key, value in flat.items()
        if key not in NOT_COMPUTED and "dropout" not in key and not key.endswith("token_id")
    }


def config_differences(first: Headers, other: Headers) -> list[str]:
    """Find the differences between the configs of two models that change what a model computes.

    Args:
        first: The base model, whose config a merge has.
        other: Another parent.

    Returns:
        A phrase for each, such as `rope_theta is 500000.0 in a, 1000000.0 in b`.
    """
    ours, theirs = computing(first.config), computing(other.config)
    return [
        f"{key} is {ours.get(key)!r} in {first.name}, {theirs.get(key)!r} in {other.name}"
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    ]


def unties(parents: list[Headers]) -> str | None:
    """Name a model without a head of its own that is merged with one that has a head; None if there is none.

    MergeKit takes the embeddings for the missing head, and writes a head. The merge is then no longer tied.
    """
    tied = [parent.name for parent in parents if parent.tied]
    return tied[0] if tied and len(tied) < len(parents) else None


def token_differences(first: Headers, other: Headers) -> str | None:
    """Name the tokens whose ids differ between two models; None if there are none, or no files to tell."""
    if not first.tokens or not other.tokens:
        return None
    changed = differences(first.tokens, other.tokens)
    if not changed:
        return None
    more = f" and {len(changed) - MOST_NAMED:,} more" if len(changed) > MOST_NAMED else ""
    return f"other ids of the tokens {', '.join(changed[:MOST_NAMED])}{more} in {first.name} and {other.name}"


def parent_faults(parent: Headers) -> Iterator[str]:
    """Find reasons why a model cannot be merged or asked, whatever the recipe is.

    Args:
        parent: The model's headers.

    Yields:
        A sentence for each reason.
    """
    if fault := quantised_weights(parent):
        yield f"{parent.name}: {fault}"
    rows = None if parent.embeddings is None else parent.tensors[parent.embeddings][0][0]
    if rows is not None and parent.tokens and (found := above(parent.tokens, rows)):
        token, number = found
        yield (
            f"{parent.name}: the token {json.dumps(token, ensure_ascii=False)} has the id {number}, but the "
            f"embeddings have {rows} rows; resize the embeddings, or remove the token from a copy of the "
            "tokenizer's files"
        )
