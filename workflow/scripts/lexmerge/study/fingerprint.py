"""Fingerprints of code, so that only a change of behaviour reruns a rule.

Snakemake compares a script by its time stamp and does not look at what it imports (its issue 3819). Here a
script and the local modules that it imports, directly or not, become one hash over their syntax trees:
comments, formatting, docstrings and the Python version do not count.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

# No result depends on them: the weights from the checkpoint pool have the hashes on record, GPUs and leases
# decide which process computes something and where, and the terminal is for the user.
WITHOUT_PART = (
    "lexmerge.merges.checkpoint_pool",
    "lexmerge.run.gpus",
    "lexmerge.common.leases",
    "lexmerge.common.terminal",
)
LARGE = 1_000_000  # bytes; what is larger is not read at every start of Snakemake


def fingerprint(script: str | Path) -> str:
    """A short hash of the script and of every local module that it imports and that results depend on."""
    script = Path(script)
    digest = hashlib.sha256()
    for path in sorted(closure(script, WITHOUT_PART)):
        digest.update(
            f"{path.relative_to(_scripts(script)).as_posix()}\n{canonical(path.read_text(encoding='utf-8'))}\n".encode()
        )
    return digest.hexdigest()[:12]


def content(paths: list[str | Path]) -> str:
    """A short hash of files: of a small one's name and bytes, of a large one's name, size and time."""
    digest = hashlib.sha256()
    for path in (Path(p) for p in paths):
        stat = path.stat()
        large = stat.st_size > LARGE
        digest.update(path.name.encode() + b"\0")
        digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode() if large else _text(path.read_bytes()))
    return digest.hexdigest()[:12]


@cache  # thirty rules share most of their modules, and the process of every job asks again
def canonical(source: str) -> str:
    """The syntax tree as text, without docstrings and without fields that are empty."""
    return repr(_plain(ast.parse(source)))


def imports(script: str | Path) -> set[str]:
    """The dotted names that a file imports, wherever in it the import stands."""
    return set(_imports(Path(script).read_text(encoding="utf-8")))


@cache
def _imports(source: str) -> frozenset[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def _text(data: bytes) -> bytes:
    """Line ends do not count: git may change them."""
    return data.replace(b"\r\n", b"\n") + b"\0"


def closure(script: Path, without: tuple[str, ...] = ()) -> set[Path]:
    """The script and the local modules it needs; `lexmerge.x` lies in `lexmerge/x.py` beside the scripts.

    Modules `without` part are left out, and what only they need.
    """
    found, todo = set(), [script]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found.add(path)
        for name in imports(path) - set(without):
            module = _scripts(script).joinpath(*name.split(".")).with_suffix(".py")
            if module.is_file():
                todo.append(module)
    return found


def _scripts(script: Path) -> Path:
    """The folder of the scripts: that which holds the package, however deep the file lies in it."""
    return next(
        (p.parent for p in script.parents if p.name == "lexmerge" and (p / "__init__.py").is_file()),
        script.parent,
    )


def _plain(node: object) -> object:
    if isinstance(node, ast.AST):
        fields = dict(ast.iter_fields(node))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            fields["body"] = _without_docstring(node)
        kept = {k: _plain(v) for k, v in fields.items() if k not in ("ctx", "kind", "type_comment")}
        return (type(node).__name__, *((k, v) for k, v in kept.items() if v not in (None, [])))
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return repr(node) if node is not None else None


def _without_docstring(node: ast.AST) -> list[ast.stmt]:
    return node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
