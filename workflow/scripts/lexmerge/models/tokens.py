"""The tokens of a checkpoint by its tokenizer's files, of every kind, without loading the tokenizer."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from lexmerge.common.errors import StudyError
from lexmerge.common.files import sha256
from lexmerge.models.files import read_object

MODELS = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")  # SentencePiece's own files
# Files of which a tokenizer has one at least, and those that it may have besides.
TOKENIZER = ("tokenizer.json", *MODELS, "vocab.json", "vocab.txt")
WITH_TOKENIZER = (
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt"),
    *("chat_template.jinja", "chat_template.json"),
)
MOST_NAMED = 3  # tokens in a message


@cache
def tokens_of(folder: str) -> dict[str, int | str]:
    """Read what each id of a tokenizer means.

    Args:
        folder: The absolute path of a checkpoint's folder.

    Returns:
        The ids by token, with the added and special tokens; for a SentencePiece file without a
        `tokenizer.json`, its name with its sha256 stands for its own tokens. Empty if there are no such
        files.

    Raises:
        StudyError: A file cannot be read, or is not such a file.
    """
    file = Path(folder, "tokenizer.json")
    try:
        if file.is_file():
            content = read_object(file)
            return _pieces(content["model"].get("vocab", {})) | _listed(content.get("added_tokens") or [])
        return _of_older_files(Path(folder))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise StudyError(
            f"the tokenizer's files in {folder} cannot be read ({type(error).__name__}: {error}); "
            "fetch them again"
        ) from None


def _of_older_files(folder: Path) -> dict[str, int | str]:
    """The tokens of a folder without `tokenizer.json`."""
    found: dict[str, int | str] = {}
    for name in MODELS:
        if (folder / name).is_file():
            found[name] = sha256(folder / name)
    if (folder / "vocab.json").is_file():
        found |= read_object(folder / "vocab.json")
    if (folder / "vocab.txt").is_file():
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        found |= {line: number for number, line in enumerate(lines)}
    if (folder / "added_tokens.json").is_file():
        found |= read_object(folder / "added_tokens.json")
    if (folder / "tokenizer_config.json").is_file():
        added = read_object(folder / "tokenizer_config.json").get("added_tokens_decoder") or {}
        found |= {token["content"]: int(number) for number, token in added.items()}
    return found


def _pieces(vocabulary: Any) -> dict[str, int | str]:
    """The ids by token of `tokenizer.json`: a mapping, or a list of [token, score] in the order of ids."""
    if isinstance(vocabulary, dict):
        return dict(vocabulary)
    return {piece[0]: number for number, piece in enumerate(vocabulary)}


def _listed(added: list[dict[str, Any]]) -> dict[str, int | str]:
    """The ids of added tokens."""
    return {token["content"]: token["id"] for token in added}


def differences(ours: dict[str, int | str], theirs: dict[str, int | str]) -> list[str]:
    """Name tokens that mean another id, or ids that mean another token, in two tokenizers.

    Args:
        ours: The tokens of one, as `tokens_of` returns them.
        theirs: The tokens of the other.

    Returns:
        The tokens, as JSON text, in the order of the ids of the first.
    """
    changed = [token for token in {**ours, **theirs} if ours.get(token) != theirs.get(token)]
    return [json.dumps(token, ensure_ascii=False) for token in changed]


def end_texts(folder: str | Path) -> str:
    """Name the end tokens of a checkpoint by their texts, as generation_config.json or config.json has them.

    Args:
        folder: The checkpoint's folder; its weights are not read.

    Returns:
        The tokens, separated by spaces, with the id of one that the tokenizer's files do not have; empty if
        no end token is named.
    """
    files = [Path(folder, name) for name in ("generation_config.json", "config.json")]
    given = (read_object(file).get("eos_token_id") for file in files if file.is_file())
    found: Any = next((ends for ends in given if ends is not None), [])
    texts = {number: token for token, number in tokens_of(str(Path(folder).absolute())).items()}
    return " ".join(texts.get(end, str(end)) for end in (found if isinstance(found, list) else [found]))


def conversation_differences(folder: str | Path, others: Iterable[str | Path]) -> list[str]:
    """Find in what models differ that end a conversation or lay it out differently.

    Args:
        folder: The folder of the first model.
        others: The folders of other models.

    Returns:
        A phrase for each difference, such as `the end token is </s> in a, <|im_end|> in b`.
    """
    found = []
    for other in others:
        both = f"{Path(folder).name}", f"{Path(other).name}"
        ours, theirs = end_texts(folder), end_texts(other)
        if ours != theirs:
            named = [
                f"{ends or 'not named'} in {name}" for ends, name in zip((ours, theirs), both, strict=True)
            ]
            found.append(f"the end token is {', '.join(named)}")
        if _chat_template(Path(folder)) != _chat_template(Path(other)):
            found.append(f"the chat templates of {both[0]} and {both[1]} differ")
    return found


def _chat_template(folder: Path) -> Any:
    """The chat template in a checkpoint's files; None without one."""
    file, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if file.is_file():
        return file.read_text(encoding="utf-8").strip()
    given = read_object(config).get("chat_template") if config.is_file() else None
    return given.strip() if isinstance(given, str) else given


def above(tokens: dict[str, int | str], rows: int) -> tuple[str, int] | None:
    """Find the token with the highest id that has no row in the embeddings.

    Args:
        tokens: The tokens, as `tokens_of` returns them.
        rows: The number of rows of the embeddings.

    Returns:
        The token and its id; None if each token has a row.
    """
    ids = ((token, number) for token, number in tokens.items() if isinstance(number, int))
    highest = max(ids, key=lambda pair: pair[1], default=("", -1))
    return highest if highest[1] >= rows else None
