"""Check the documents of benchmark tasks and make their prompts, without LM Evaluation Harness.

Documents are checked here before a model is loaded, and the toy models are trained on the prompts made here.
tests/benchmarks/test_tasks.py compares these prompts with the harness's.
"""

import ast
import importlib.util
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, TemplateError, meta

from lexmerge.benchmarks.rows import Document
from lexmerge.benchmarks.tasks import TaskDefinition, read_task
from lexmerge.common.errors import StudyError

ENVIRONMENT = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
# The filter that the harness adds to jinja's.
ENVIRONMENT.filters["regex_replace"] = lambda text, pattern, new="", count=0: re.sub(
    pattern, new, text, count=count
)
SHOWN_FAULTS = 5
Process = Callable[[list[Document]], Iterable[Document]]
TEMPLATES = ("doc_to_text", "doc_to_choice", "doc_to_target")


def function_of(path: Path, value: object) -> Any:
    """Import the function that a `!function module.name` refers to.

    Args:
        path: The file of the task's definition; the module lies in the same folder.
        value: A value in the definition.

    Returns:
        The function; any other value unchanged.
    """
    if not isinstance(value, str) or not value.startswith("!function "):
        return value
    module, _, name = value.removeprefix("!function ").rpartition(".")
    file = path.parent / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{module}", file)
    assert spec is not None and spec.loader is not None  # true for every .py file
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return getattr(loaded, name)


def documents_of(path: Path, task: TaskDefinition, documents: list[Document]) -> list[Document]:
    """Apply a task's `process_docs`, if it has one.

    Args:
        path: The file of the task's definition.
        task: The definition.
        documents: The documents.

    Returns:
        The documents that are asked, one for each variant of the question.
    """
    process: Process | None = function_of(path, task.get("process_docs"))
    return list(process(documents)) if process else documents


def ask(
    path: Path, document: Document, answer: str, solved: Iterable[tuple[Document, str]] = ()
) -> list[tuple[str, str]]:
    """Make the prompts of a document and their continuation by an answer.

    Args:
        path: The file of the task's definition.
        document: The document.
        answer: The answer.
        solved: The solved examples before the document, each with its answer.

    Returns:
        For each variant of the question the prompt and the continuation. Spaces at the end of a prompt are
        moved to the continuation, as in the harness, because tokenizers join them with the next word.
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


def document_faults(task: TaskDefinition, documents: Sequence[Document]) -> list[str]:
    """List the faults in a task's documents, such as a missing field or an answer that is not an option.

    Args:
        task: The task's definition.
        documents: The documents, before `process_docs`.

    Returns:
        One line for each faulty document.
    """
    if not documents:
        return ["there are no documents"]
    faults, fields = [], fields_of(task)
    for number, document in enumerate(documents, 1):
        if not isinstance(document, dict):
            faults.append(f"document {number} is not a mapping of fields: {document!r:.60}")
        elif missing := [field for field in fields if document.get(field) is None]:
            faults.append(f"document {number} has no {', '.join(missing)}")
        elif fault := _fault(task, document):
            faults.append(f"document {number}: {fault}")
    return faults


def fields_of(task: TaskDefinition) -> list[str]:
    """List the fields that a task requires in its documents.

    Args:
        task: The task's definition.

    Returns:
        The `fields` that its metadata names, and, without a `process_docs`, the fields in its templates
        except those that a template tests with `is defined`.
    """
    named = (task.get("metadata") or {}).get("fields", [])
    templates = [] if task.get("process_docs") else [task.get(key) for key in TEMPLATES]
    fields: dict[str, None] = dict.fromkeys(named)
    for template in templates:
        if isinstance(template, str) and not template.startswith("!function"):
            fields |= dict.fromkeys(n for n in _names(template) if f"{n} is defined" not in template)
    return list(fields)


def _names(template: str) -> list[str]:
    """List the variables of a template; a template that is a single name is a field."""
    if template.isidentifier():
        return [template]
    try:
        return sorted(meta.find_undeclared_variables(ENVIRONMENT.parse(template)))
    except TemplateError:
        return []  # `_fault` reports it with the first document


def _fault(task: TaskDefinition, document: Document) -> str | None:
    """Describe a template that cannot be filled or an answer that is not an option; None without a fault."""
    given = {key: task[key] for key in TEMPLATES if key in task}
    own = {k: t for k, t in given.items() if not (isinstance(t, str) and t.startswith("!function"))}
    if task.get("process_docs"):  # the fields that it adds are unknown here
        own = {k: t for k, t in own.items() if not isinstance(t, str) or set(_names(t)) <= document.keys()}
    try:
        values = {key: _value(template, document) for key, template in own.items()}
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    if "doc_to_choice" not in values or "doc_to_target" not in values:
        return None
    options, target = values["doc_to_choice"], values["doc_to_target"]
    if not isinstance(options, list) or len(options) < 2:
        return f"its options are not a list of two or more: {options!r}"
    for answer in target if isinstance(target, list) else [target]:
        if not isinstance(answer, int):
            if answer not in options:
                return f"the answer {answer!r} is not one of its options {options}"
        elif not 0 <= answer < len(options):
            return f"the answer {answer} is not the index of one of its {len(options)} options"
    return None


def _value(template: object, document: Document) -> object:
    """Evaluate a template: a field's value, or the filled text, read as a list or an integer if it is one."""
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


def _render(template: str, document: Document) -> Any:
    """Return the field that a template names, or fill the template."""
    return document[template] if template in document else _compiled(template).render(document)


@cache
def _compiled(template: str) -> Template:
    return ENVIRONMENT.from_string(template)


def checked(task: str, definition: TaskDefinition, split: str, rows: list[Document]) -> list[Document]:
    """Check that a task can ask all documents of a split.

    Args:
        task: The task's name.
        definition: Its definition.
        split: The split's name.
        rows: The documents.

    Returns:
        The documents, unchanged.

    Raises:
        StudyError: Some documents have faults; the message lists the first of them.
    """
    if faults := document_faults(definition, rows):
        more = f"\n  and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        shown = "".join(f"\n  - {fault}" for fault in faults[:SHOWN_FAULTS])
        raise StudyError(
            f"benchmarks: {task} cannot use its {split} documents; correct them or the task's "
            f"definition:{shown}{more}"
        )
    return rows
