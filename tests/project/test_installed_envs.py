"""The packages of each conda environment, installed, and a study whose jobs run in them (`make test-envs`).

There is no conda here: uv installs what an environment asks of pip, for the Python that it asks of conda.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT, clone
from lexmerge.study.fingerprint import imports
from test_envs import ENVS, LOCAL, SCRIPTS, modules, packages, rules

UV = os.environ.get("LEXMERGE_UV")
pytestmark = [
    pytest.mark.envs,
    pytest.mark.skipif(not UV, reason="installs some GB of packages; `make test-envs`"),
]
# Its wheel is for CUDA, and some GB; `make test-vllm` tests a CPU build of it.
LEFT_OUT = "vllm"
# A part of the toy study in which every environment has jobs, and what is shortened in it.
SUITES = "[pubmedqa, japanese_leaderboard]"
SMALL = f"study: {{name: toy, merges: [evolved_dare_ties], judges: [chrf], benchmarks: {SUITES}}}\n"
SHORTER = {
    "budget: {evaluations: 45}": "budget: {evaluations: 5}\n      population: 4",
    "tasks: [jaqket_v2, jcommonsenseqa, jsquad, xwinograd, xlsum]": "tasks: [xwinograd, xlsum]",
}
TARGETS = ("all", "rating_sheet", "estimate", "plan")
# Scripts without a job in this study: for models of the hub, data of NLTK, people's ratings, published
# scores, a second judge, and merges without a search.
WITHOUT_JOB = {
    "models.py",
    "vocabulary_nltk.py",
    "statistics_ratings.py",
    "tables_published.py",
    "statistics_agreement.py",
    "recipes.py",
}
IMPORT = """
import importlib, sys
sys.path[:0] = sys.argv[1:3]
for name in sys.argv[3:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        module, _, attribute = name.rpartition(".")
        if error.name != name or not module or not hasattr(importlib.import_module(module), attribute):
            print(f"{name}: {error}")
"""


def uv(*arguments: str, given: str = "") -> str:
    """What uv prints; it looks where pip looks for wheels on this machine."""
    environment = {**os.environ, "UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", "")}
    command = [str(UV), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pythons(version: str) -> Iterator[str]:
    """Pythons of a version on this machine, in the PATH or beside this one."""
    beside = Path(sys.base_prefix).parent.glob(f"*{version}*/bin/python{version}")
    for python in filter(None, [shutil.which(f"python{version}"), *map(str, beside)]):
        if subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
            yield python


def wants_cuda(python: str, torch: str) -> bool:
    """True if PyTorch would come with the libraries of CUDA, some GB, for this Python."""
    return "nvidia" in uv("pip", "compile", "--quiet", "--python", python, "-", given=torch)


def python_for(env: Path) -> str:
    """The Python that an environment asks for; this one if it is missing or has no CPU build of PyTorch."""
    conda, pip = packages(env)
    version = next(d.split("=")[1] for d in conda if d.startswith("python="))
    torch = next((d for d in pip if d.startswith("torch==")), None)
    for python in (*pythons(version), sys.executable):
        if torch is None or not wants_cuda(python, torch):
            return python
    pytest.skip(f"{torch} for the CPU is not to be had here")


@pytest.fixture(scope="session")
def environments(tmp_path_factory) -> Iterator[dict[str, Path]]:
    """The folder of each environment's packages, by its file; it is removed after the tests."""
    folder = tmp_path_factory.mktemp("envs")
    for env in ENVS:
        uv("venv", "--quiet", "--no-python-downloads", "--python", python_for(env), str(folder / env.name))
        wanted = [d for d in packages(env)[1] if not d.startswith(f"{LEFT_OUT}==")]
        uv("pip", "install", "--quiet", "--python", str(folder / env.name), *wanted)
    yield {env.name: folder / env.name for env in ENVS}
    size = subprocess.run(["du", "-sm", str(folder)], capture_output=True, text=True).stdout.split()[0]
    print(f"the environments took {int(size) / 1000:.1f} GB")
    shutil.rmtree(folder)


@pytest.mark.parametrize("env", ENVS, ids=lambda env: env.stem)
def test_all_that_the_scripts_import_is_there(environments, env):
    """Also inside functions. Snakemake's own packages, which a job finds too, are not looked at."""
    python = environments[env.name] / "bin/python"
    scripts = {script for name, script in rules() if name == env.name}
    names = {name for script in scripts for file in modules(SCRIPTS / script) for name in imports(file)}
    if env.stem == "benchmarks":
        names |= {name for file in PROJECT.glob("resources/benchmarks/*/utils.py") for name in imports(file)}
    left_out = {name for name in names if LEFT_OUT in name and not name.startswith("lexmerge.")}
    here = sorted(names - left_out - LOCAL)
    assert here, scripts
    command = [str(python), "-c", IMPORT, str(SCRIPTS), str(PROJECT / "resources"), *here]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_vllm_itself():
    pytest.skip(
        f"{LEFT_OUT} of envs/vllm.yaml was not installed: a build for CUDA, of some GB; `make test-vllm`"
    )


def test_a_study_runs_with_each_job_in_the_environment_of_its_rule(environments, tmp_path):
    folder = clone(tmp_path / "lexmerge")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    config = folder / "config/config.yaml"
    text = config.read_text(encoding="utf-8")
    for long, short in SHORTER.items():
        assert long in text
        text = text.replace(long, short)
    config.write_text(text, encoding="utf-8")
    own = {script: str(environments[env]) for env, script in rules() if env != "vllm.yaml"}
    done = subprocess.run(
        [
            *(sys.executable, str(PROJECT / "tests/workers/own_environments.py"), *TARGETS),
            *("--cores", "2", "--configfile", "small.yaml"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OWN_ENVIRONMENTS": json.dumps(own)},
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "results/toy/report/index.html").exists()
    run = set((folder / "scripts_run").read_text(encoding="utf-8").split())
    assert own.keys() - run == WITHOUT_JOB


def test_each_environment_has_the_python_that_its_file_names(environments):
    """But for those with PyTorch, where only another Python has a CPU build of it."""
    for env in ENVS:
        conda, pip = packages(env)
        version = next(d.split("=")[1] for d in conda if d.startswith("python="))
        python = environments[env.name] / "bin/python"
        said = subprocess.run([str(python), "--version"], capture_output=True, text=True).stdout.split()[1]
        print(f"{env.name}: Python {said}")
        if next(pythons(version), None) and not any(d.startswith("torch==") for d in pip):
            assert said.startswith(f"{version}."), yaml.safe_load(env.read_text(encoding="utf-8"))[
                "dependencies"
            ]
