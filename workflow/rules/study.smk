"""The study: its checked config, and the names, paths and fingerprints that all rules share."""

import os
import re
import sys
import tarfile
from functools import cache
from io import BytesIO
from pathlib import Path

from snakemake.path_modifier import PathModifier


def workflow_folder(rules):
    """The folder of the whole workflow, from that of its rules; a hosted one is unpacked into Snakemake's cache."""
    if not hasattr(rules, "hosted_repo"):
        return Path(rules.get_path_or_uri(secret_free=True)).resolve().parents[1]
    folder = Path(workflow.sourcecache.get_path(rules.join("../../pyproject.toml"))).parent
    if not (folder / "LICENSE").exists():  # the last file to be unpacked
        archive = BytesIO()
        rules.hosted_repo.repo.archive(archive, rules.ref)
        archive.seek(0)
        with tarfile.open(fileobj=archive) as files:
            members = sorted(files.getmembers(), key=lambda member: member.name == "LICENSE")
            files.extractall(folder, members, filter="data")
    return folder


SCRIPTS = workflow_folder(workflow.current_basedir) / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from lexmerge.common.errors import StudyError
from lexmerge.common.shipped import link_workflow, shipped, workflow_version
from lexmerge.plan import dag
from lexmerge.run import interruption
from lexmerge.services.provider import PROVIDERS
from lexmerge.study.config import load
from lexmerge.study.fingerprint import content, fingerprint

interruption.say_it_in_a_sentence()

# Waiting OpenMP threads sleep instead of spinning, unless the user sets OMP_WAIT_POLICY. Spinning threads take cores
# from other jobs: with two jobs on two cores, PyTorch was ten times slower. A single job on two threads, with models
# of 150 and 470 million parameters, takes up to 15 % longer with sleeping threads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

link_workflow()
try:
    STUDY, GIVEN_CONFIG, DEFINED_MODELS, ORIGIN = load(
        dag.given() or config, list(map(Path, workflow.configfiles))
    )
except StudyError as error:
    sys.exit(f"\n{error}\nEvery key is described in {SCRIPTS.parents[1] / 'config' / 'README.md'}.")

# Jobs read the resolved study here, without its checks. It is not a parameter, so a change of it reruns nothing.
config["resolved"] = STUDY

# A quota belongs to an account, so jobs with the same provider run one after the other, unless the command line or a
# profile allows more, as with `--resources openai=4`.
for provider in PROVIDERS:
    if provider not in workflow.global_resources:
        workflow.register_resource(provider, 1)

# It decides whether a job may ask, and not what comes of it.
LIMITS_OF_COST = "lexmerge.services.costs"

# In a module with a `prefix`, the results go below it. The rules then name whole paths, since Snakemake would put the
# prefix only before inputs and outputs, and before the user's data too.
RESULTS = str(workflow.modifier.path_modifier.replace_prefix(f"results/{STUDY['study']['name']}", "output"))
workflow.modifier.path_modifier = PathModifier(None, None, workflow)

# A module's rules have other names after `use rule * from lexmerge as lexmerge_*`.
BEFORE, _, AFTER = workflow.modifier.modify_rulename("*").partition("*")
OWN_RULES = workflow.modifier.rules

LANGUAGES = STUDY["study"]["languages"]
EXPERT, GENERALIST = STUDY["study"]["expert"], STUDY["study"]["generalist"]
MODELS, MERGES = STUDY["study"]["models"], STUDY["study"]["merges"]
TESTED = [*MODELS, *MERGES]  # the models under test, in the order of the tables
JUDGES, SUITES = STUDY["study"]["judges"], STUDY["study"]["benchmarks"]
JUDGED = [(model, judge) for judge in JUDGES for model in TESTED]
BENCHMARKED = [(model, suite) for suite in SUITES for model in TESTED]
# Cells that are also asked in the other language, to measure the transfer of knowledge across languages.
BOTH_LANGUAGES = STUDY["definitions"]["both_languages"]
TRANSFERRED = JUDGED if BOTH_LANGUAGES else []
# A study without judges, benchmarks or merges has no rules for the tables, statistics and figures that need them.
SCORED = bool(JUDGES or SUITES)
COMPARED = bool(SCORED and MERGES)


def own_name(rule):
    """The name of a rule in these files, from its name in a workflow that uses them as a module."""
    return rule.removeprefix(BEFORE).removesuffix(AFTER)


def one_of(names):
    """A wildcard's pattern that matches these names, or nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    model=one_of([*STUDY["models"], *MERGES]),
    merge=one_of(MERGES),
    judge=one_of(JUDGES),
    suite=one_of(SUITES),


def code(script, *without):
    """The fingerprint of a script and its local imports, a parameter of its rule; `without` some modules."""
    return fingerprint(SCRIPTS / f"{script}.py", without)


def code_of(registry, name):
    """The fingerprint of a registered choice, such as a judge's provider, as a rule's parameter."""
    return fingerprint(registry.file(name))


@cache  # thousands of jobs of a sweep have the same sources
def sources(*paths):
    """The existing files at `paths`, as inputs whose time stamps are ignored; see `digest`."""
    return [ancient(file) for file in files_at(*paths)]


@cache
def digest(*paths):
    """The fingerprint of the files at `paths`, as a rule's parameter."""
    return content(files_at(*paths))


def files_at(*paths):
    """All files at or below the paths, except hidden files and Python's caches."""
    found = []
    for path in (Path(p) for p in paths if p):
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [
            f for f in below if f.is_file() and "__pycache__" not in f.parts and not f.name.startswith(".")
        ]
    return [str(f) for f in found]


def canonical(value):
    """The value with its keys in order, because Snakemake compares parameters as text."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    return [canonical(item) for item in value] if isinstance(value, list) else value


def checkpoint_of(model):
    """The folder of a model or merge."""
    return f"{RESULTS}/{'merges' if model in MERGES else 'models'}/{model}"


def provenance_of(model):
    """The file that stands for a complete checkpoint, because it is written last."""
    return f"{checkpoint_of(model)}/provenance.json"


def judgements_of(cells, folder=""):
    """The files of judgements for pairs of (model, judge)."""
    return [f"{RESULTS}/{folder}judgements/{judge}/{model}.jsonl" for model, judge in cells]


def benchmarks_of(cells, ending):
    """The files of benchmark results for pairs of (model, suite)."""
    return [f"{RESULTS}/benchmarks/{suite}/{model}{ending}" for model, suite in cells]
