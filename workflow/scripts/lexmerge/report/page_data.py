"""The data and the script of a page that loads nothing: packed, joined, and named by their hash."""

import base64
import hashlib
import json

import zstandard

LEVEL, WINDOW = 19, 25  # of compression: the hardest but for what takes minutes; 32 MiB


def packed(value: object) -> str:
    """Pack a value into letters that mean nothing to HTML.

    Zstandard looks back over all texts, and makes a page a quarter smaller than gzip, which browsers know.

    Args:
        value: A value that JSON has.

    Returns:
        Its JSON, compressed with Zstandard, in base64; the same for the same value.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    parameters = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=WINDOW)
    compressed = zstandard.ZstdCompressor(compression_params=parameters).compress(text)
    return base64.b64encode(compressed).decode()


def one_script(scripts: list[str]) -> str:
    """Join several scripts into one; a minified one does not end its last statement."""
    return ";\n".join(scripts)


def integrity(script: str) -> str:
    """Name a script as a content security policy names the only one that may run, by its SHA-256."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
