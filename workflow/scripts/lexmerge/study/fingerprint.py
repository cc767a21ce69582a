"""Fingerprints of code, so that a rule is rerun only if its code changes behaviour.

Snakemake compares a script by its time stamp and ignores its imports (Snakemake issue 3819). Here a script
and all local modules that it imports, directly or indirectly, are hashed as syntax trees: comments,
formatting, docstrings, annotations of functions, messages of errors and the Python version have no influence.
"""

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeGuard

# Packages and modules on which no result depends: how and where a job runs, the form of errors, and the
# interfaces of registered choices, since the chosen file has a fingerprint of its own. Weights from the
# checkpoint pool have the hashes on record, and leases decide which process computes something.
WITHOUT_PART = (
    "lexmerge.run",
    "lexmerge.common.errors",
    "lexmerge.common.leases",
    "lexmerge.common.registry",
    "lexmerge.common.shipped",
    "lexmerge.common.terminal",
    "lexmerge.merges.checkpoint_pool",
    "lexmerge.services.provider",
    "lexmerge.benchmarks.data_source",
    "lexmerge.models.backend",
    "lexmerge.judgements.lexical_judge",
)
LARGE = 1_000_000  # bytes; larger files are not read at every start of Snakemake


def fingerprint(script: str | Path, without: tuple[str, ...] = ()) -> str:
    """Fingerprint a script with its local imports.

    Args:
        script: A Python file.
        without: Dotted names of packages and modules to leave out, in addition to `WITHOUT_PART`.

    Returns:
        12 hexadecimal digits, for the script and all local modules that it imports except those left out.
    """
    script = Path(script)
    digest = hashlib.sha256()
    for path in sorted(closure(script, (*WITHOUT_PART, *without))):
        digest.update(
            f"{path.relative_to(_scripts(script)).as_posix()}\n{canonical(path.read_text(encoding='utf-8'))}\n".encode()
        )
    return digest.hexdigest()[:12]


def content(paths: Iterable[str | Path]) -> str:
    """Fingerprint data files.

    Args:
        paths: Existing files; their order counts.

    Returns:
        12 hexadecimal digits, for the name and content of each file, or its name, size and modification time
        if it is larger than `LARGE`. Windows line ends count as Unix line ends.
    """
    digest = hashlib.sha256()
    for path in (Path(p) for p in paths):
        stat = path.stat()
        large = stat.st_size > LARGE
        digest.update(path.name.encode() + b"\0")
        digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode() if large else _text(path.read_bytes()))
    return digest.hexdigest()[:12]


@cache  # thirty rules share most of their modules
def canonical(source: str) -> str:
    """The syntax tree of Python source as text, without docstrings and empty fields."""
    return repr(_plain(ast.parse(source)))


def imports(script: str | Path) -> set[str]:
    """The dotted names that a Python file imports, at module level or inside functions, but not for types."""
    script = Path(script)
    package = script.parent.relative_to(_scripts(script)).parts
    return set(_imports(script.read_text(encoding="utf-8"), package))


@cache
def _imports(source: str, package: tuple[str, ...]) -> frozenset[str]:
    """The imports of a module of a package; relative ones as dotted names."""
    names: set[str] = set()
    tree = ast.parse(source)
    only_types = {n for node in ast.walk(tree) if _is_for_types(node) for b in node.body for n in ast.walk(b)}
    for node in ast.walk(tree):
        if node in only_types:
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*parents, *([node.module] if node.module else [])])
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def _is_for_types(node: ast.AST) -> TypeGuard[ast.If]:
    """True for `if TYPE_CHECKING:`, whose body never runs."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _raises_study_error(node: ast.AST) -> bool:
    """True for `raise StudyError(...)`: no result depends on the text of an error."""
    call = node.exc if isinstance(node, ast.Raise) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "StudyError"


def _text(data: bytes) -> bytes:
    """Data with Unix line ends, since git may change them."""
    return data.replace(b"\r\n", b"\n") + b"\0"


def closure(script: Path, without: tuple[str, ...] = ()) -> set[Path]:
    """A script with the local modules that it imports, directly or indirectly.

    Args:
        script: A Python file in the folder of the scripts or in the package.
        without: Dotted names of packages and modules to leave out, with what only they import.

    Returns:
        The paths of the script and the modules; `lexmerge.x` is `lexmerge/x.py` in the folder of the scripts.
    """
    found, todo = set(), [script]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found.add(path)
        for name in imports(path):
            if any(name == part or name.startswith(f"{part}.") for part in without):
                continue
            module = _scripts(script).joinpath(*name.split(".")).with_suffix(".py")
            if module.is_file():
                todo.append(module)
    return found


def _scripts(script: Path) -> Path:
    """The folder of the scripts, which contains the package, for a file at any depth of it."""
    return next(
        (p.parent for p in script.parents if p.name == "lexmerge" and (p / "__init__.py").is_file()),
        script.parent,
    )


def _plain(node: object) -> object:
    """A syntax tree as nested tuples and lists of strings."""
    if isinstance(node, ast.AST):
        if _raises_study_error(node):
            return "Raise", "StudyError"
        fields = dict(ast.iter_fields(node))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            fields["body"] = _without_docstring(node)
        if isinstance(node, ast.arg | ast.FunctionDef | ast.AsyncFunctionDef):
            fields = {key: value for key, value in fields.items() if key not in ("annotation", "returns")}
        kept = {k: _plain(v) for k, v in fields.items() if k not in ("ctx", "kind", "type_comment")}
        return (type(node).__name__, *((k, v) for k, v in kept.items() if v not in (None, [])))
    if isinstance(node, list):
        runs = [n for item in node for n in (item.orelse if _is_for_types(item) else [item])]
        return [_plain(item) for item in runs]
    return repr(node) if node is not None else None


def _without_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> list[ast.stmt]:
    """The statements of a module, class or function without its docstring."""
    return node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
