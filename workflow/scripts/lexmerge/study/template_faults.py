"""A chat template in Jinja, tried on a conversation of one turn in a process of its own.

The process runs this file alone, so it imports nothing of lexmerge; Jinja comes with Snakemake.
"""

import contextlib
import functools
import json
import subprocess
import sys
import time
from typing import Any

SECONDS, MEMORY = 10, 1_000_000_000  # of one try
WORDS = "What is a brig?"
GENERATION = r"\{%-?\s*(?:end)?generation\s*-?%\}"  # a tag that transformers adds, without any text
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


@functools.cache
def template_fault(template: str) -> str | None:
    """Render a chat template for a user's question, within limits of time and memory.

    Args:
        template: The text of the template.

    Returns:
        What is wrong with it; None if the rendered conversation has the question.
    """
    command = [sys.executable, "-I", __file__]
    text = template.encode("utf-8", "replace")
    try:
        done = subprocess.run(command, input=text, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"the template does not end within {SECONDS} seconds for a conversation of one turn"
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [
            f"exit status {done.returncode}"
        ]
        return f"the template cannot be tried: {last[0][:200]}"
    fault: str | None = json.loads(done.stdout)
    return fault


def tried(template: str) -> str | None:
    """Render a template as transformers does: in Jinja's sandbox, without files and modules."""
    import re

    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        """Raise an error, as templates do for conversations that they cannot show."""
        raise jinja2.TemplateError(message)

    def as_json(value: Any, **options: Any) -> str:
        """Transformers' filter, which escapes nothing for HTML."""
        return json.dumps(value, ensure_ascii=False, **options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = as_json
    environment.globals |= {"raise_exception": refuse, "strftime_now": time.strftime}
    messages = [{"role": "user", "content": WORDS}]
    try:
        compiled = environment.from_string(re.sub(GENERATION, "", template))
        text = compiled.render(messages=messages, add_generation_prompt=True, tools=None, **TOKENS)
    except jinja2.TemplateSyntaxError as error:
        return f"the template has a fault in its line {error.lineno}: {error.message}"
    except RecursionError:
        return "the template is nested too deeply"
    except MemoryError:
        return f"the template needs more than {MEMORY / 1e9:g} GB for a conversation of one turn"
    except Exception as error:  # whatever the template's expressions raise
        return f"the template fails for a conversation of one turn: {type(error).__name__}: {error}"[:300]
    if WORDS not in text:
        return "the template leaves out the user's words in a conversation of one turn"
    return None


if __name__ == "__main__":
    import resource

    with contextlib.suppress(OSError, ValueError):  # macOS has no limit of memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print(json.dumps(tried(sys.stdin.buffer.read().decode("utf-8"))))
