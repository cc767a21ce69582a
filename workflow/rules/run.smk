"""The run: checks at its start, the report of each job, and the summary at its end."""

from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod
from snakemake.shell import shell

from lexmerge.common.plurals import counted
from lexmerge.run import interruption, kills, progress
from lexmerge.study.faults import notes_of
from lexmerge.study.readiness import readiness_faults

JOB_LINES = None  # the handler that reports the jobs on the terminal, in a run
INTERRUPTION = None  # the handler of Ctrl-C, in a run


def uses_conda():
    """True if every rule gets its own environment."""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def wants_only(*targets):
    """True if the command has no other targets; False while the rules are read, since no target is known then."""
    wanted = workflow.dag_settings and workflow.dag_settings.targets
    return bool(wanted) and set(map(own_name, wanted)) <= set(targets)


def asks_models():
    """True if the command may ask models; `estimate` does not, and needs no API key."""
    return not wants_only("estimate")


def keep_local():
    """Run the rules in `local_rules` of the config on Snakemake's own host; the study may lack some of them."""
    given = config.get("local_rules") or []
    workflow.localrules(*(rule.name for rule in OWN_RULES if own_name(rule.name) in given))


def print_notes():
    """At the start of every command, print where the study is from, unusual settings, and what a run would lack."""
    if not workflow.is_main_process:
        return
    print(f"note: {ORIGIN}", file=sys.stderr)
    for note in notes_of(STUDY):
        print(f"note: {note}", file=sys.stderr)
    if removed := checkpoint_pool.removed_merges(RESULTS, MERGES):
        print(f"note: {checkpoint_pool.removal_note(removed, MERGES)}", file=sys.stderr)
    if faults := readiness_faults(STUDY, RESULTS, uses_conda(), asks_models()):
        lines = ["note: this study cannot run yet, because:", *(f"  - {fault}" for fault in faults)]
        print("\n".join(lines), file=sys.stderr)


def stop_unless_ready():
    """Before the first job, stop if something is missing that only the user can provide; a plan needs nothing."""
    own_jobs = [job for job in workflow.dag.needrun_jobs() if job.rule in OWN_RULES]
    if wants_only("plan") or not own_jobs:
        return
    if readiness_faults(STUDY, RESULTS, uses_conda(), asks_models()):
        sys.exit("nothing was run; the note at the start gives the reasons")
    if faults := nltk_data.unreachable(STUDY["vocabulary"]) + unreachable_documents():
        sys.exit("\n".join(["nothing was run, because:", *(f"  - {fault}" for fault in faults)]))


def unreachable_documents():
    """A line for each reason why missing documents of benchmarks cannot be downloaded."""
    faults = []
    for suite in SUITES if asks_models() else []:
        if not data_source(suite).documents:
            continue
        absent = {
            task: data_path(suite)
            for task in tasks_of(suite)
            if not Path(f"{RESULTS}/benchmark_data/{suite}/{task}/test.jsonl").exists()
        }
        faults += data_source(suite).unreachable(absent)
    return list(dict.fromkeys(faults))


def begin_run():
    """Before the first job, write down the limit on merges, and the pending readers of each, for the jobs."""
    if wants_only("plan"):
        return
    pending = {str(file) for job in workflow.dag.needrun_jobs() for file in job.output}
    readers = {merge: readers_of(merge) for merge in MERGES}
    files = [file for merge in MERGES for file in readers[merge] if file in pending]
    bounds = checkpoint_pool.Bounds(**CHECKPOINTS, readers=readers, pending=files) if CHECKPOINTS else None
    checkpoint_pool.begin(f"{RESULTS}/merges", bounds)


def end_run(succeeded):
    """After the last job, remove the weights of merges that no job needs any more, if their number is limited."""
    if not wants_only("plan"):
        checkpoint_pool.end(f"{RESULTS}/merges", succeeded)


def join_run():
    """In a module, which Snakemake tells nothing of a run's start and end, join the handlers of the user's workflow."""
    if workflow.modifier.is_main_snakefile() or hasattr(workflow._onstart, "joined"):
        return
    for event in ("onstart", "onsuccess", "onerror"):
        setattr(workflow, f"_{event}", both(getattr(workflow, f"_{event}"), workflow.globals[event]))
    workflow._onstart.joined = True


def both(theirs, ours):
    """A handler that calls the user's, then one of this workflow, which knows its log."""

    def handler(log):
        theirs(log)
        ours()

    return handler


def report_jobs():
    """Print a line for each finished job instead of Snakemake's blocks, unless `--touch` runs no job."""
    global JOB_LINES
    JOB_LINES = None if workflow.touch else progress.take_over(logger)
    if JOB_LINES:
        print("each line is a finished job: rule, wildcards, time, peak memory", file=sys.stderr)


def handle_interruption():
    """From the first job on, end the jobs on Ctrl-C, and print one sentence."""
    global INTERRUPTION
    INTERRUPTION = interruption.take_over(workflow, logger)
    if INTERRUPTION and shell._get_process_prefix() == interruption.DEFAULT_PREFIX:
        shell.prefix(interruption.PREFIX)


def end_if_interrupted():
    """After the last job of an interrupted run, end as Ctrl-C does, so that a shell's loop over studies ends too."""
    if INTERRUPTION and INTERRUPTION.happened:
        raise KeyboardInterrupt


def time_and_memory():
    """The time and memory of each stage and the slowest jobs of a run; empty if jobs were not reported."""
    return f"\n{table}\n" if JOB_LINES and (table := progress.summary(JOB_LINES.done)) else ""


def where_to_look():
    """One line with the study's size and the path of its report; empty while there is no report."""
    sheet = f"{RESULTS}/ratings/sheet.tsv"
    if "rating_sheet" in map(own_name, workflow.dag_settings.targets or ()):
        return f"The sheet for raters: {sheet}"
    page = f"{RESULTS}/report/index.html"
    parts = (
        (MERGES, "merge", ""),
        (TESTED, "model", " under test"),
        (JUDGES, "judge", ""),
        (SUITES, "benchmark", ""),
    )
    made = ", ".join(counted(len(names), noun) + end for names, noun, end in parts if names)
    return (
        f"The study '{STUDY['study']['name']}' ({made}) is finished: open {page}"
        if Path(page).exists()
        else ""
    )


if wanted := os.environ.get(dag.WANTED):
    logger.addHandler(dag.Reporter(workflow, RESULTS, wanted, checkpoint_pool.is_removed, own_name))
else:
    print_notes()
