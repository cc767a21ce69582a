"""The end tokens of a merge with a tokenizer of its own, and whether a merge runs with its tokenizer."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lexmerge.common.errors import StudyError
from lexmerge.common.files import write_json
from lexmerge.merges.recipes import NOT_MODELS, base_of
from lexmerge.models.files import read_object
from lexmerge.models.tokens import above

IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def donor_of(recipe: dict[str, Any]) -> str:
    """Return the model whose tokenizer a merge gets; the base model for a union of all, or for none."""
    tokenizer = recipe.get("tokenizer")
    source = tokenizer.get("source") if isinstance(tokenizer, dict) else recipe.get("tokenizer_source")
    return base_of(recipe) if source is None or source in NOT_MODELS else str(source)


def use_end_tokens(folder: Path, donor: Path) -> None:
    """Give a merge the first, end and padding tokens of another checkpoint: the same texts, not ids.

    MergeKit keeps the ids of the base model in config.json, which mean other tokens in another tokenizer, and
    writes no generation_config.json.

    Args:
        folder: The folder of the merge, with a tokenizer of its own.
        donor: The folder of the checkpoint whose tokenizer was taken.

    Raises:
        StudyError: The merge's tokenizer lacks one of the tokens, or cannot be loaded.
    """
    made, theirs = _tokenizer(folder).get_vocab(), _tokenizer(donor)
    config = read_object(donor / "config.json")
    file = donor / "generation_config.json"
    generation = read_object(file) if file.is_file() else {key: config[key] for key in IDS if key in config}

    def moved(number: Any) -> Any:
        """An id, or a list of ids, of the donor's tokens as those of the merge."""
        if isinstance(number, list):
            return [moved(item) for item in number]
        if not isinstance(number, int):
            return number
        token = theirs.convert_ids_to_tokens(number)
        if token is None or token not in made:
            raise StudyError(f"the merge's tokenizer has no token {token!r}, which {donor.name} ends with")
        return made[token]

    ids = {key: moved(generation.get(key, config.get(key))) for key in IDS}
    ids = {key: value for key, value in ids.items() if value is not None}
    write_json(folder / "generation_config.json", generation | ids)
    write_json(folder / "config.json", read_object(folder / "config.json") | ids)


def _tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a checkpoint.

    Raises:
        StudyError: It cannot be loaded.
    """
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # the libraries raise errors of many kinds
        raise StudyError(f"the tokenizer in {folder} cannot be loaded ({error})") from None


def check_it_runs(folder: Path) -> None:
    """Check that a merge loads, that its tokenizer fits its embeddings, and that it answers with numbers.

    Args:
        folder: The folder of the merge, with all its files.

    Raises:
        StudyError: One of these is not so.
    """
    tokenizer = _tokenizer(folder)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto", trust_remote_code=False, output_loading_info=True
        )
        model, found = loaded
    except Exception as error:  # the libraries raise errors of many kinds
        raise StudyError(f"the merge cannot be loaded ({error}); nothing was kept") from None
    if missing := sorted(found["missing_keys"]):
        raise StudyError(
            f"the merge lacks {missing[0]} ({len(missing)} missing), for which transformers would take "
            "random numbers; nothing was kept"
        )
    rows = int(model.get_input_embeddings().num_embeddings)
    tokens = tokenizer.get_vocab()
    if first := above(tokens, rows):
        token, number = first
        raise StudyError(
            f"the merge's token {json.dumps(token, ensure_ascii=False)} has the id {number}, but its "
            f"embeddings have {rows} rows; nothing was kept"
        )
    with torch.inference_mode():
        logits = model(torch.tensor([[max(tokens.values(), default=0)]])).logits
    if not logits.isfinite().all():
        raise StudyError("the merge answers with NaN or infinite logits; nothing was kept")
