"""The rules that hold the house together: packages, their directions, and the wall around the checks."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from helpers import PROJECT
from lexmerge.study.fingerprint import closure, imports

SCRIPTS = PROJECT / "workflow" / "scripts"
LIBRARY = SCRIPTS / "lexmerge"
PACKAGES = {
    *("common", "models", "vocabulary", "services", "benchmarks", "merges", "definitions", "judgements"),
    *("search", "statistics", "report", "run", "plan", "study"),
}
MODULES = sorted(LIBRARY.rglob("*.py"))


def package(path: Path) -> str:
    return path.relative_to(LIBRARY).parts[0]


def imported_packages(path: Path) -> set[str]:
    names = (name.split(".") for name in imports(path))
    return {name[1] for name in names if name[0] == "lexmerge" and len(name) > 1}


def test_every_module_is_in_the_package_of_its_stage():
    assert {path.name for path in LIBRARY.iterdir() if path.name != "__pycache__"} == {
        "__init__.py",
        *PACKAGES,
    }
    for init in LIBRARY.rglob("__init__.py"):
        assert not init.read_text(), f"{init}: an empty __init__.py imports nothing that a job does not need"


def test_no_circle_runs_through_the_packages():
    graph = {name: set() for name in PACKAGES}
    for module in MODULES:
        if package(module) in PACKAGES:
            graph[package(module)] |= imported_packages(module) - {package(module)}
    assert graph["common"] == set()
    assert tuple(TopologicalSorter(graph).static_order())  # a CycleError names the circle


def test_neither_a_package_nor_a_script_imports_a_script():
    scripts = {script.stem for script in SCRIPTS.glob("*.py")}
    for path in SCRIPTS.rglob("*.py"):
        assert not imports(path) & scripts, path


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_no_job_depends_on_the_checks_of_the_config(script):
    """They change often, and a reworded message must not make a study's results again."""
    assert not [path for path in closure(script) if LIBRARY / "study" in path.parents]


def test_no_registered_choice_depends_on_the_checks_of_the_config():
    """Their fingerprints are parameters of rules too."""
    for module in MODULES:
        if package(module) not in ("__init__.py", "study"):
            assert not [path for path in closure(module) if LIBRARY / "study" in path.parents], module


def test_types_are_right():
    done = subprocess.run(
        [Path(sys.executable).parent / "mypy", "--no-incremental"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_folders_of_the_tests_mirror_the_packages():
    folders = {path.name for path in (PROJECT / "tests").iterdir() if any(path.glob("test_*.py"))}
    assert folders == PACKAGES | {"project", "studies"}


LOADERS = re.compile(r"Auto\w+\.from_\w+|from_config|MergeOptions|vllm\.LLM")


def loads_a_model(call: ast.Call) -> bool:
    """True for a call that loads a model, its config or its tokenizer, also by lm-eval (`pretrained=`)."""
    by_harness = any(keyword.arg == "pretrained" for keyword in call.keywords)
    return by_harness or LOADERS.fullmatch(ast.unparse(call.func)) is not None


def test_every_loader_of_a_model_says_that_it_runs_no_code_of_the_model():
    loading = [
        (path, call)
        for path in SCRIPTS.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and loads_a_model(call)
    ]
    assert {path.name for path, _ in loading} >= {
        *("options.py", "live_model.py", "candidates.py", "benchmarks.py"),
        *("generation.py", "transformers_engine.py", "vllm_engine.py"),
    }
    for path, call in loading:
        said = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert said.get("trust_remote_code") == "False", f"{path}:{call.lineno}"
