"""The study's config, checked, and what all rules share: names, paths, fingerprints."""

import os
import re
import sys
from functools import cache
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

from lexmerge.study import config as study_config
from lexmerge.plan import dag as dag_jobs
from lexmerge.run import progress as job_lines
from lexmerge.run import kills as killed
from lexmerge.vocabulary import nltk_data
from lexmerge.benchmarks import pins
from lexmerge.merges import checkpoint_pool as pool
from lexmerge.common.errors import StudyError
from lexmerge.study.fingerprint import content, fingerprint
from lexmerge.study.recipe_faults import methods
from lexmerge.merges.recipes import models_of
from lexmerge.study.search_faults import suite_of
from lexmerge.benchmarks.tasks import defined, leaves

# Threads that wait for each other sleep. Spinning, they take from other jobs the cores that all wait for: on two
# cores with two such jobs PyTorch was ten times slower. Alone, models of 150 and 470 million weights took up to 15 %
# longer so, on two threads; an OMP_WAIT_POLICY of the user's stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"

try:
    STUDY = study_config.load(
        config,
        yaml.safe_load((Path(workflow.basedir) / "config/config.yaml").read_text()),
    )
except StudyError as error:
    sys.exit(f"\n{error}\nEvery key is described in config/README.md.")

# Jobs read the resolved study, and not the config again: it is no parameter, so that it reruns nothing.
config["resolved"] = STUDY
RESULTS = f"results/{STUDY['study']['name']}"
LANGUAGES = STUDY["study"]["languages"]
EXPERT, GENERALIST = STUDY["study"]["expert"], STUDY["study"]["generalist"]
MODELS, MERGES = STUDY["study"]["models"], STUDY["study"]["merges"]
TESTED = [*MODELS, *MERGES]  # the models under test, in the order of the tables
SEARCHED = [name for name in MERGES if "search" in STUDY["merges"][name]]
JUDGES, SUITES = STUDY["study"]["judges"], STUDY["study"]["benchmarks"]
TOY_MODELS = {
    name: model["source"] for name, model in STUDY["models"].items() if model["source"].startswith("toy:")
}
JUDGED = [(model, judge) for judge in JUDGES for model in TESTED]
# What is asked in the language that is not the model's own, to see what moved across languages.
BOTH_LANGUAGES = STUDY["definitions"]["both_languages"]
TRANSFERRED = JUDGED if BOTH_LANGUAGES else []
# Which merges are kept on the disk, where not all are; the distances are those of what is kept.
CHECKPOINTS = STUDY["merging"].get("checkpoints")
KEPT = CHECKPOINTS["keep"] if CHECKPOINTS else MERGES
MEASURED = [*MODELS, *(merge for merge in MERGES if merge in KEPT)]
UNMEASURED = [merge for merge in MERGES if merge not in KEPT]
DEPTH_FIRST = int(CHECKPOINTS is not None)  # the priority of who reads merges, before others are begun
MERGING = {k: v for k, v in STUDY["merging"].items() if k not in ("same_below", "checkpoints")}
BENCHMARKED = [(model, suite) for suite in SUITES for model in TESTED]
JOB_LINES = None  # what tells of the jobs on the terminal, in a run
GLOSSARY = "resources/toy/glossary.tsv"
TOY_TASKS = [f"resources/benchmarks/{suite}" for suite in ("pubmedqa", "japanese_leaderboard", "jmedbench")]


def one_of(names):
    """A wildcard's pattern: one of the names, or nothing that could be a name."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    model=one_of([*STUDY["models"], *MERGES]),
    merge=one_of(MERGES),
    judge="|".join(JUDGES),
    suite="|".join(SUITES),


def code(script):
    """A rule's parameter that changes when its script, or a local module it imports, behaves differently."""
    return fingerprint(SCRIPTS / f"{script}.py")


@cache  # thousands of jobs of a sweep ask for the same
def sources(*paths):
    """The files at `paths` that are there, as inputs whose time stamps do not matter: see `digest`."""
    return [ancient(file) for file in files_at(*paths)]


@cache
def digest(*paths):
    """A rule's parameter that changes with the content of the files at `paths`."""
    return content(files_at(*paths))


def files_at(*paths):
    """Every file at or below the paths, but nothing that Python or an editor left there."""
    found = []
    for path in (Path(p) for p in paths if p):
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [
            f for f in below if f.is_file() and "__pycache__" not in f.parts and not f.name.startswith(".")
        ]
    return [str(f) for f in found]


def terminology_files(terminology):
    """What is read of a terminology: its file, or of an RF2 release in a folder the snapshots of three kinds."""
    path = Path(terminology["path"])
    kinds = ("*sct2_Concept_*", "*sct2_Description_*", "*der2_cRefset_Language*")
    return (
        [path] if path.is_file() else sorted(f for kind in kinds for f in path.rglob(f"{kind}Snapshot*.txt"))
    )


def corpus_files(corpus):
    """The texts of a corpus of the user's; NLTK's is always the same."""
    if corpus.get("format") not in ("tagged", "text"):
        return []
    path = Path(corpus["path"])
    return [path] if path.is_file() else sorted(path.glob(corpus["files"]))


def nltk_input(package):
    """A file that stands for a package of NLTK's data, whose time stamp does not matter once it is there.

    While it is to be fetched it is a plain input: Snakemake 9.27 does not plan what comes after a job that must
    run if that job's output is `ancient` to the next one.
    """
    vocabulary = STUDY["vocabulary"]
    file = nltk_data.files(vocabulary).get(package, [])
    return file if package in nltk_data.absent(vocabulary) else ancient(file)


def canonical(value):
    """The value with its keys in order, since Snakemake compares parameters by how they print."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    return [canonical(item) for item in value] if isinstance(value, list) else value


def checkpoint_of(model):
    """The folder of a model or merge."""
    return f"{RESULTS}/{'merges' if model in MERGES else 'models'}/{model}"


def other_language_of(model):
    """The study's language that a model under test is not asked in."""
    own = language_of(model)
    return next(code for code in LANGUAGES.values() if code != own)


def side_of(language):
    """Is a language the study's `source` or its `target`?"""
    return next(side for side, code in LANGUAGES.items() if code == language)


def is_sampled():
    """Are the study's terms a sample of what passes its filters?"""
    return "sample" in STUDY["vocabulary"].get("filters", {})


def provenance_of(model):
    """The file that stands for a whole checkpoint: it is written last."""
    return f"{checkpoint_of(model)}/provenance.json"


def language_of(model):
    """The language that a model under test is asked in."""
    return STUDY["models"].get(model, {}).get("language", LANGUAGES["target"])


def judge_title(judge):
    """How a judge is named where it is shown: a lexical one, or a substitute, never without saying so."""
    settings = STUDY["judges"][judge]
    said = ["lexical"] if settings["provider"] in ("chrf", "rouge") else []
    said += [f"substitute for {settings['substitute_for']}"] if "substitute_for" in settings else []
    said += ["blind"] if settings.get("blind") else []
    return f"{judge} ({', '.join(said)})" if said else judge


def files_of_judge(judge):
    """What a judge reads beside the definitions."""
    return [STUDY["judges"][judge].get(key) for key in ("gold", "prompt")]


def sees_references(judge):
    """Does a judge compare with the expert's references?"""
    settings = STUDY["judges"][judge]
    return settings["against"] == "references" if "against" in settings else not settings.get("blind")


def settings_of_judge(judge):
    """What a judge's scores depend on: not its speed, its price and what it stands for."""
    apart = ("connections", "requests_per_minute", "price", "substitute_for")
    return canonical({k: v for k, v in STUDY["judges"][judge].items() if k not in apart})


def asks(judge, provider):
    """1 if the judge asks this provider now, else 0: how much a job takes of what a profile limits."""
    settings = STUDY["judges"][judge]
    return int(settings["provider"] == provider and settings["mode"] == "now")


def prompt_of(language):
    return STUDY["definitions"]["prompts"][language]


@cache
def parents_of(merge):
    """The models that a merge's recipe names."""
    return models_of(STUDY["merges"][merge]["recipe"])


def adds_base(merge):
    """Does MergeKit's method compare with the base model, and take it for one of the models by itself?"""
    return methods()[STUDY["merges"][merge]["recipe"]["merge_method"]]["base"] != "ignored"


def brings_no_data(suite):
    """Are the documents of a suite's tasks made by the workflow, and not by the tasks' own definitions?"""
    return STUDY["benchmarks"][suite]["data"]["source"] != "own"


@cache
def data_of(suite):
    """The documents of a suite's tasks, those asked and those before; none of tasks that bring their own."""
    return [
        f"{RESULTS}/benchmark_data/{suite}/{task}/{split}.jsonl"
        for task in (tasks_of(suite) if brings_no_data(suite) else [])
        for split in ("test", "train")
    ]


@cache
def tasks_of(suite):
    """The tasks that are run for a suite: those that the config names, and those of the groups it names."""
    return leaves(STUDY["benchmarks"][suite]["folder"], STUDY["benchmarks"][suite]["tasks"])


def from_toy(suite):
    return STUDY["benchmarks"][suite]["data"]["source"] == "toy"


def is_pinned(suite):
    return STUDY["benchmarks"][suite]["data"]["source"] == "pinned"


def data_files(suite):
    """What a suite's documents are made from: the toy glossary, or the user's files. Pinned ones do not change."""
    if is_pinned(suite):
        return None
    return GLOSSARY if from_toy(suite) else STUDY["benchmarks"][suite]["data"].get("path")


def search_of(merge):
    return STUDY["merges"][merge]["search"]


def objective_of(merge):
    """The tasks of a search's objectives by the suite that they are of."""
    found = {}
    for parts in search_of(merge)["objectives"].values():
        for part in parts:
            tasks = found.setdefault(suite_of(part["task"], STUDY["benchmarks"]), [])
            tasks += [] if part["task"] in tasks else [part["task"]]
    return found


def suites_of_search(merge):
    """For each suite of a search's objectives the names to run, and the folder that defines them."""
    return {
        suite: {"tasks": tasks, "folder": STUDY["benchmarks"][suite].get("folder")}
        for suite, tasks in objective_of(merge).items()
    }


def data_of_search(merge, folder):
    """The documents of a search's tasks, below `folder`; none of tasks that bring their own."""
    return [
        f"{RESULTS}/{folder}/{suite}/{task}/{split}.jsonl"
        for suite, given in suites_of_search(merge).items()
        for task in (leaves(given["folder"], given["tasks"]) if brings_no_data(suite) else [])
        for split in ("test", "train")
    ]


def definitions_of_search(merge):
    return [suite["folder"] for suite in suites_of_search(merge).values() if suite["folder"]]


def searched_for(merge):
    """What a search's history depends on: not how many share the work, and not what others have found."""
    search = {key: value for key, value in search_of(merge).items() if key not in ("seeds", "workers")}
    parameters = {
        name: {key: value for key, value in spec.items() if key != "published"}
        for name, spec in search["parameters"].items()
    }
    return search | {"parameters": parameters}


def histories_of(merge):
    """What every worker of every seed of a search ends with; those of one seed are alike."""
    search = search_of(merge)
    return [
        f"{RESULTS}/search/{merge}/{seed}.{worker}.jsonl"
        for seed in search["seeds"]
        for worker in range(search["workers"])
    ]


def readers_of(merge):
    """What is written by the jobs that read a merge's weights, but for the distances, which read kept ones."""
    kinds = ("", "transfer/") if BOTH_LANGUAGES else ("",)
    return [
        *(f"{RESULTS}/{kind}definitions/{merge}.jsonl" for kind in kinds),
        *benchmarks_of([(merge, suite) for suite in SUITES], ".json"),
        *([f"{RESULTS}/search/{merge}/scores.json"] if merge in SEARCHED else []),
    ]


def merged_again(*models):
    """How many of the models are merges whose weights were removed, so that a job that reads them makes them."""
    return sum(model in MERGES and pool.is_removed(checkpoint_of(model)) for model in models)


def judgements_of(cells, folder=""):
    return [f"{RESULTS}/{folder}judgements/{judge}/{model}.jsonl" for model, judge in cells]


def benchmarks_of(cells, ending):
    return [f"{RESULTS}/benchmarks/{suite}/{model}{ending}" for model, suite in cells]


def uses_conda():
    """Does every rule get an environment of its own?"""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def wants_only(*targets):
    """Does this command ask for nothing but these targets? None are known while the rules are read."""
    wanted = workflow.dag_settings and workflow.dag_settings.targets
    return bool(wanted) and set(wanted) <= set(targets)


def asks_models():
    """Is any model asked by this command? Not where only an estimate is wanted, which needs no key."""
    return not wants_only("estimate")


def keep_local():
    """Let the rules that a profile names run where Snakemake does; some studies have fewer rules than others."""
    given = config.get("local_rules") or []
    workflow.localrules(*(rule.name for rule in workflow.rules if rule.name in given))


def warn_unless_ready():
    """At the start of every command: what a real run of this study would stop for, and what looks odd."""
    if workflow.is_main_process:
        for note in study_config.notes_of(STUDY):
            print(f"note: {note}", file=sys.stderr)
        if removed := pool.removed_merges(RESULTS, MERGES):
            print(f"note: {pool.removal_note(removed, MERGES)}", file=sys.stderr)
    faults = study_config.readiness_faults(STUDY, uses_conda(), asks_models())
    if faults and workflow.is_main_process:
        told = ["note: a run of this study would stop, because", *(f"  - {fault}" for fault in faults)]
        print("\n".join(told), file=sys.stderr)


def begin_run():
    """Before the first job: in a study that does not keep all merges, what its jobs are to keep to."""
    if wants_only("plan"):
        return
    pending = {str(file) for job in workflow.dag.needrun_jobs() for file in job.output}
    readers = {merge: readers_of(merge) for merge in MERGES}
    files = [file for merge in MERGES for file in readers[merge] if file in pending]
    pool.begin(
        f"{RESULTS}/merges", pool.Plan(**CHECKPOINTS, readers=readers, pending=files) if CHECKPOINTS else None
    )


def end_run(succeeded):
    """After the last job: in such a study, no weights stay that all have read."""
    if not wants_only("plan"):
        pool.end(f"{RESULTS}/merges", succeeded)


def stop_unless_ready():
    """Before the first job of a real run: is everything there that only the user can bring? A plan needs nothing."""
    if wants_only("plan"):
        return
    if study_config.readiness_faults(STUDY, uses_conda(), asks_models()):
        sys.exit("nothing was run: see the note at the start")
    pinned = {
        task: STUDY["benchmarks"][suite]["data"]["path"]
        for suite in SUITES
        if is_pinned(suite) and asks_models()
        for task in tasks_of(suite)
        if not Path(f"{RESULTS}/benchmark_data/{suite}/{task}/test.jsonl").exists()
    }
    if faults := nltk_data.unreachable(STUDY["vocabulary"]) + pins.unreachable(pinned):
        sys.exit("\n".join(["nothing was run, because", *(f"  - {fault}" for fault in faults)]))


def tell_of_jobs():
    """From now on a line for each job that ends, where Snakemake would print blocks; `--touch` runs no job."""
    global JOB_LINES
    JOB_LINES = None if workflow.touch else job_lines.take_over(logger)
    if JOB_LINES:
        print("a line for each job that ends: rule, what it is of, time, most memory", file=sys.stderr)


def what_it_took():
    """At the end of a run: time and memory of each stage, and the slowest jobs."""
    return f"\n{table}\n" if JOB_LINES and (table := job_lines.summary(JOB_LINES.done)) else ""


def done():
    """What was made and where to look, in one line; empty while there is no report to look at."""
    sheet = f"{RESULTS}/ratings/sheet.tsv"
    if "rating_sheet" in (workflow.dag_settings.targets or ()):
        return f"The sheet for raters: {sheet}"
    page = f"{RESULTS}/report/index.html"
    made = f"{len(MERGES)} merges, {len(TESTED)} models under test, {len(JUDGES)} judges, {len(SUITES)} benchmarks"
    return (
        f"The study '{STUDY['study']['name']}' ({made}) is made: open {page}" if Path(page).exists() else ""
    )


if wanted := os.environ.get(dag_jobs.WANTED):
    logger.addHandler(dag_jobs.Teller(workflow, RESULTS, wanted))
else:
    warn_unless_ready()
