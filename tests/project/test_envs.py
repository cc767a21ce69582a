"""The conda environments: static checks, since conda itself is seldom at hand."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT
from lexmerge.models.backend import BACK_ENDS
from lexmerge.study.fingerprint import closure, imports
from rattler import MatchSpec

ENVS = sorted((PROJECT / "envs").glob("*.yaml"))
SCRIPTS = PROJECT / "workflow" / "scripts"
LOCAL = {script.stem for script in SCRIPTS.glob("*.py")}
# What a package is called where it is imported, if not by its own name.
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "lm_eval": "lm-eval",
    "google": "google-genai",
    "flufl": "flufl.lock",
}


def normal(name: str) -> str:
    return re.split(r"[\[=<>]", name)[0].strip().lower().replace("_", "-")


def packages(env: Path) -> tuple[list[str], list[str]]:
    """The conda and the pip dependencies of an environment."""
    listed = yaml.safe_load(env.read_text(encoding="utf-8"))["dependencies"]
    return [d for d in listed if isinstance(d, str)], next(d["pip"] for d in listed if isinstance(d, dict))


def lock(name: str = "workstation") -> dict[str, str]:
    lines = (PROJECT / f"envs/{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(name): version for name, version in pins}


def environments(body: str) -> set[str]:
    """The environments that a rule may have; of one that depends on the back end, those of all back ends."""
    named = set(re.findall(r'envs/(\w+\.yaml)"', body))
    for key in re.findall(r"envs/\{[^\n]*\.(environment|harness_environment)\}\.yaml", body):
        named |= {f"{getattr(back_end, key)}.yaml" for back_end in BACK_ENDS.values()}
    return named


def rules() -> list[tuple[str, str]]:
    """(environment, script) of every rule."""
    text = "\n".join(f.read_text(encoding="utf-8") for f in sorted(PROJECT.glob("workflow/rules/*.smk")))
    return [
        (env, re.search(r'scripts/(\w+\.py)"', body)[1])
        for body in re.split(r"\n\s*(?:use )?rule ", text)[1:]
        if "script:" in body
        for env in sorted(environments(body))
    ]


def modules(script: Path) -> set[Path]:
    """What a script imports, directly or not, with every choice of the registries that it knows."""
    found = closure(script)
    while True:
        named = (re.findall(r'Registry\(\s*"([\w.]+)"', path.read_text(encoding="utf-8")) for path in found)
        folders = [SCRIPTS.joinpath(*name.split(".")) for names in named for name in names]
        more = {path for folder in folders for file in folder.glob("*.py") for path in closure(file)} - found
        if not more:
            return found
        found |= more


@pytest.mark.parametrize("env", ENVS, ids=lambda env: env.stem)
def test_an_environment_parses_and_every_dependency_is_pinned(env):
    described = yaml.safe_load(env.read_text(encoding="utf-8"))
    assert described["channels"] == ["conda-forge", "nodefaults"]
    conda, pip = packages(env)
    for dependency in conda:
        spec = MatchSpec(dependency, strict=True)
        assert spec.version is not None, f"{dependency} has no version"
    for dependency in pip:
        assert re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", dependency), (
            f"{dependency} has no exact version"
        )


@pytest.mark.parametrize("env", ENVS, ids=lambda env: env.stem)
def test_the_pins_are_those_of_the_lock(env):
    locked = lock("workstation-vllm" if env.stem == "vllm" else "workstation")
    for dependency in packages(env)[1]:
        assert locked[normal(dependency)] == dependency.split("==")[1], dependency


def test_every_environment_is_used_and_every_one_that_is_used_is_there():
    assert {env for env, _ in rules()} == {env.name for env in ENVS}


def test_every_rule_with_a_script_names_its_environment():
    assert {script for _, script in rules()} == {script.name for script in SCRIPTS.glob("*.py")}


@pytest.mark.parametrize(("env", "script"), rules(), ids=lambda value: value)
def test_what_a_script_imports_is_declared_in_its_rules_environment(env, script):
    """Snakemake hands its own packages down to a script, so that a missing one would not be noticed."""
    declared = {normal(dependency) for dependency in packages(PROJECT / "envs" / env)[1]}
    if env in ("models.yaml", "benchmarks.yaml"):
        declared.add("vllm")  # imported only by a study that asks for it, whose environment is the other
    needed = {
        name.split(".")[0]
        for file in modules(SCRIPTS / script)
        for name in imports(file)
        if name.split(".")[0] not in {*sys.stdlib_module_names, "lexmerge", *LOCAL}
    }
    missing = {name for name in needed if DISTRIBUTIONS.get(name, normal(name)) not in declared}
    assert missing == set(), f"{script} imports what envs/{env} does not declare"


def reading_merges() -> set[str]:
    """The environments of the rules that read merges, and make those again whose weights were removed."""
    return {
        env
        for env, script in rules()
        if "lexmerge.merges.checkpoint_pool.checkpoint" in imports(SCRIPTS / script)
    }


def test_who_reads_merges_can_make_them_again():
    needed = {
        name.split(".")[0]
        for file in modules(SCRIPTS / "lexmerge/merges/remake.py")
        for name in imports(file)
        if name.split(".")[0] not in {*sys.stdlib_module_names, "lexmerge", *LOCAL}
    }
    assert "mergekit" in needed
    assert reading_merges() == {
        "benchmarks.yaml",
        "merges.yaml",
        "models.yaml",
        "search.yaml",
        "vllm.yaml",
    }
    for env in reading_merges():
        declared = {normal(dependency) for dependency in packages(PROJECT / "envs" / env)[1]}
        assert {DISTRIBUTIONS.get(name, normal(name)) for name in needed} <= declared, env


def test_the_tasks_own_modules_are_served_by_the_benchmarks_environment():
    declared = {normal(dependency) for dependency in packages(PROJECT / "envs/benchmarks.yaml")[1]}
    for utils in PROJECT.glob("resources/benchmarks/*/utils.py"):
        needed = {name.split(".")[0] for name in imports(utils)} - sys.stdlib_module_names
        assert {normal(name) for name in needed} <= declared


def test_the_lock_holds_everything_that_the_project_asks_for():
    asked = (PROJECT / "envs/workstation.in").read_text(encoding="utf-8").splitlines()
    locked = lock()
    for line in (line for line in asked if line and not line.startswith("#")):
        name, _, exact = line.partition("==")
        assert normal(name) in locked
        assert not exact or locked[normal(name)] == exact
    assert locked["torch"] == "2.13.0", "no local version, or pip finds it on one kind of machine only"


def test_only_the_environment_without_vllm_has_the_plugin_for_slurm():
    """The plugin asks for numpy 2.4.5 or newer, and numba for one below 2.4."""
    plugins = {"snakemake-executor-plugin-slurm": "2.8.0", "snakemake-executor-plugin-slurm-jobstep": "0.6.1"}
    assert lock().items() >= plugins.items()
    for name in ("workstation-vllm", "workstation-vllm-cpu"):
        assert not plugins.keys() & lock(name).keys()
        assert "snakemake-executor-plugin-slurm;" in (PROJECT / f"envs/{name}.override").read_text(
            encoding="utf-8"
        )


@pytest.mark.parametrize("name", ["workstation-vllm", "workstation-vllm-cpu"])
def test_the_environments_with_vllm_have_the_versions_of_the_one_without(name):
    """But for numpy, which numba holds below 2.4, and what nothing in them asks for."""
    other = lock(name)
    differing = {n for n, version in lock().items() if other.get(n, version) != version}
    assert differing == {"numpy"}
    assert other["vllm-cpu" if name.endswith("cpu") else "vllm"] == "0.32.0"
    assert (other["torch"], other["transformers"]) == ("2.13.0", "5.19.0")
