"""The embedded data and script of the self-contained report page."""

import base64
import hashlib
import json

import zstandard

LEVEL, WINDOW = 19, 25  # Zstandard's highest level below the ultra levels; a window of 2**25 bytes (32 MiB)


def packed(value: object) -> str:
    """Pack a value for embedding in HTML.

    Zstandard's window spans all texts, which makes the page a quarter smaller than gzip, the format that
    browsers decode themselves.

    Args:
        value: A JSON-serialisable value.

    Returns:
        Its JSON, compressed with Zstandard, in base64; deterministic.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    parameters = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=WINDOW)
    compressed = zstandard.ZstdCompressor(compression_params=parameters).compress(text)
    return base64.b64encode(compressed).decode()


def one_script(scripts: list[str]) -> str:
    """Join scripts into one, with semicolons: a minified script may not end its last statement."""
    return ";\n".join(scripts)


def integrity(script: str) -> str:
    """The source expression that allows a script in a Content Security Policy: `sha256-` and the hash."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
