"""The documents of benchmark tasks, as their definitions ask them, without LM Evaluation Harness.

What a document must have is checked here before a model is loaded, and the toy models are taught the prompts
that are made here. They are the harness's own (tests/benchmarks/test_tasks.py).
"""

import ast
import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template, TemplateError, meta

from lexmerge.benchmarks.tasks import read_task
from lexmerge.common.errors import StudyError

ENVIRONMENT = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
# The harness's own filter, beside jinja's.
ENVIRONMENT.filters["regex_replace"] = lambda text, pattern, new="", count=0: re.sub(
    pattern, new, text, count=count
)
SHOWN_FAULTS = 5
TEMPLATES = ("doc_to_text", "doc_to_choice", "doc_to_target")


def function_of(path: Path, value: object) -> object:
    """The function that a `!function module.name` of the file at `path` means; anything else as it is."""
    if not isinstance(value, str) or not value.startswith("!function "):
        return value
    module, _, name = value.removeprefix("!function ").rpartition(".")
    file = path.parent / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{module}", file)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return getattr(loaded, name)


def documents_of(path: Path, task: dict, documents: list[dict]) -> list[dict]:
    """The documents as they are asked: what the task's `process_docs` makes of them."""
    process = function_of(path, task.get("process_docs"))
    return list(process(documents)) if process else documents


def ask(path: Path, document: dict, answer: str, solved: Iterable[tuple[dict, str]] = ()) -> list[tuple]:
    """A document as the benchmark asks it, once a prompt, and the answer with what stands before it.

    `solved` are the examples before it, each with its answer. Spaces at a prompt's end belong to the answer,
    as they do for the harness, since a tokenizer joins them with it.
    """
    task = read_task(path)
    between = task.get("target_delimiter", " ")
    start = task.get("description", "") + "".join(
        f"{_render(task['doc_to_text'], example)}{between}{right}\n\n" for example, right in solved
    )
    asked = []
    for row in documents_of(path, task, [document]):
        whole = start + _render(task["doc_to_text"], row)
        prompt = whole.rstrip(" ")
        asked.append((prompt, whole[len(prompt) :] + between + answer))
    return asked


def document_faults(task: dict, documents: list[dict]) -> list[str]:
    """What is wrong with a task's documents, a line each: a missing field, an answer that is no option.

    Where a function of the task makes the prompt, `fields_of` says what it reads.
    """
    if not documents:
        return ["there are no documents"]
    faults, fields = [], fields_of(task)
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict):
            faults.append(f"document {number} is no mapping of fields: {document!r:.60}")
        elif missing := [field for field in fields if document.get(field) is None]:
            faults.append(f"document {number} has no {', '.join(missing)}")
        elif fault := _fault(task, document):
            faults.append(f"document {number}: {fault}")
    return faults


def fields_of(task: dict) -> list[str]:
    """The fields of a document that a task reads.

    They are those of its templates, but for what these ask to be there at all. Where `process_docs` makes the
    fields of others, they are those that the task's metadata names.
    """
    named = (task.get("metadata") or {}).get("fields", [])
    templates = [] if task.get("process_docs") else [task.get(key) for key in TEMPLATES]
    fields = dict.fromkeys(named)
    for template in templates:
        if isinstance(template, str) and not template.startswith("!function"):
            fields |= dict.fromkeys(n for n in _names(template) if f"{n} is defined" not in template)
    return list(fields)


def _names(template: str) -> list[str]:
    """The variables of a template; a lone name is a field."""
    if template.isidentifier():
        return [template]
    try:
        return sorted(meta.find_undeclared_variables(ENVIRONMENT.parse(template)))
    except TemplateError:
        return []  # what is wrong with it is said of the first document


def _fault(task: dict, document: dict) -> str | None:
    """A template that cannot be filled, or an answer that is none of the options."""
    given = {key: task[key] for key in TEMPLATES if key in task}
    own = {k: t for k, t in given.items() if not (isinstance(t, str) and t.startswith("!function"))}
    if task.get("process_docs"):  # what it makes is not known here
        own = {k: t for k, t in own.items() if not isinstance(t, str) or set(_names(t)) <= document.keys()}
    try:
        values = {key: _value(template, document) for key, template in own.items()}
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    if "doc_to_choice" not in values or "doc_to_target" not in values:
        return None
    options, target = values["doc_to_choice"], values["doc_to_target"]
    if not isinstance(options, list) or len(options) < 2:
        return f"its options are no list of two or more: {options!r}"
    for answer in target if isinstance(target, list) else [target]:
        if not isinstance(answer, int):
            if answer not in options:
                return f"the answer {answer!r} is none of its options {options}"
        elif not 0 <= answer < len(options):
            return f"the answer {answer} is out of its {len(options)} options"
    return None


def _value(template: object, document: dict) -> object:
    """What a template says of a document: a field, a list or a number where its text is one, or its text."""
    if not isinstance(template, str):
        return template
    value = document[template] if template in document else _render(template, document)
    if not isinstance(value, str):
        return value
    try:
        read = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return read if isinstance(read, list | int) else value


def _render(template: str, document: dict) -> str:
    return document[template] if template in document else _compiled(template).render(document)


@cache
def _compiled(template: str) -> Template:
    return ENVIRONMENT.from_string(template)


def checked(task: str, definition: dict, split: str, rows: list[dict]) -> list[dict]:
    """The documents, if the task can ask every one of them."""
    if faults := document_faults(definition, rows):
        more = f"\n  and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        shown = "".join(f"\n  - {fault}" for fault in faults[:SHOWN_FAULTS])
        raise StudyError(f"benchmarks: the {split} documents of {task} cannot be asked:{shown}{more}")
    return rows
