"""The study: its config, checked, and the names, paths and fingerprints that all rules share."""

import os
import re
import sys
from functools import cache
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from lexmerge.common.errors import StudyError
from lexmerge.services.provider import PROVIDERS
from lexmerge.study.config import defined_models, load
from lexmerge.study.fingerprint import content, fingerprint

# Threads that wait for each other sleep. Spinning, they take from other jobs the cores that all wait for: on two
# cores with two such jobs PyTorch was ten times slower. Alone, models of 150 and 470 million weights took up to 15 %
# longer so, on two threads; an OMP_WAIT_POLICY of the user's stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
TOY_STUDY = yaml.safe_load((Path(workflow.basedir) / "config/config.yaml").read_text())

try:
    STUDY = load(config, TOY_STUDY)
except StudyError as error:
    sys.exit(f"\n{error}\nEvery key is described in config/README.md.")

# Jobs read the resolved study here, and none of the checks. It is no parameter, so a change of it reruns nothing.
config["resolved"] = STUDY

# A quota is an account's, not a job's: jobs that ask one provider run one after the other, unless the command line
# or a profile allows more, as with `--resources openai=4`.
for provider in PROVIDERS:
    if provider not in workflow.global_resources:
        workflow.register_resource(provider, 1)

RESULTS = f"results/{STUDY['study']['name']}"
LANGUAGES = STUDY["study"]["languages"]
EXPERT, GENERALIST = STUDY["study"]["expert"], STUDY["study"]["generalist"]
MODELS, MERGES = STUDY["study"]["models"], STUDY["study"]["merges"]
TESTED = [*MODELS, *MERGES]  # the models under test, in the order of the tables
JUDGES, SUITES = STUDY["study"]["judges"], STUDY["study"]["benchmarks"]
JUDGED = [(model, judge) for judge in JUDGES for model in TESTED]
BENCHMARKED = [(model, suite) for suite in SUITES for model in TESTED]
# Cells that are asked in the other language too, to see what moved across languages.
BOTH_LANGUAGES = STUDY["definitions"]["both_languages"]
TRANSFERRED = JUDGED if BOTH_LANGUAGES else []


def one_of(names):
    """A wildcard's pattern: one of the names, or nothing that could be a name."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    model=one_of([*STUDY["models"], *MERGES]),
    merge=one_of(MERGES),
    judge="|".join(JUDGES),
    suite="|".join(SUITES),


def code(script):
    """The fingerprint of a script and of the local modules that it imports, as a rule's parameter."""
    return fingerprint(SCRIPTS / f"{script}.py")


def code_of(registry, name):
    """The fingerprint of a registered choice, such as a judge's provider, as a rule's parameter."""
    return fingerprint(registry.file(name))


@cache  # thousands of jobs of a sweep ask for the same
def sources(*paths):
    """Existing files at `paths`, as inputs whose time stamps do not count: see `digest`."""
    return [ancient(file) for file in files_at(*paths)]


@cache
def digest(*paths):
    """The hash of the content of the files at `paths`, as a rule's parameter."""
    return content(files_at(*paths))


def files_at(*paths):
    """Every file at or below the paths, without what Python or an editor left there."""
    found = []
    for path in (Path(p) for p in paths if p):
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [
            f for f in below if f.is_file() and "__pycache__" not in f.parts and not f.name.startswith(".")
        ]
    return [str(f) for f in found]


def canonical(value):
    """The value with its keys in order: Snakemake compares parameters by how they print."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    return [canonical(item) for item in value] if isinstance(value, list) else value


def checkpoint_of(model):
    """The folder of a model or merge."""
    return f"{RESULTS}/{'merges' if model in MERGES else 'models'}/{model}"


def provenance_of(model):
    """The file that stands for a whole checkpoint: it is written last."""
    return f"{checkpoint_of(model)}/provenance.json"


def judgements_of(cells, folder=""):
    """The files of judgements for pairs of (model, judge)."""
    return [f"{RESULTS}/{folder}judgements/{judge}/{model}.jsonl" for model, judge in cells]


def benchmarks_of(cells, ending):
    """The files of benchmark results for pairs of (model, suite)."""
    return [f"{RESULTS}/benchmarks/{suite}/{model}{ending}" for model, suite in cells]
