"""The workflow runs from any folder: with -s, with --directory, as a module, and deployed from a service."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import clone, snakemake

# Jobs without models: they read shipped files of all kinds and take seconds.
CHEAP = ["results/toy/vocabulary/translations.tsv", "results/toy/study.yaml"]


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Path:
    """A clone of the project in a folder with a space and kanji in its name."""
    return clone(tmp_path_factory.mktemp("a clone 医") / "lexmerge")


def counted(text: str) -> dict[str, int]:
    """The table of jobs that a dry run prints."""
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", text, re.M)}


def files_below(folder: Path) -> set[str]:
    return {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}


def test_results_go_to_the_folder_that_a_run_is_started_in(workflow, tmp_path):
    before = files_below(workflow)
    snakemake(tmp_path, "--cores", "2", "-s", str(workflow / "Snakefile"), "--", *CHEAP)
    assert all((tmp_path / file).is_file() for file in CHEAP)
    assert (tmp_path / ".snakemake" / "log").is_dir()
    assert {f for f in files_below(workflow) - before if "__pycache__" not in f} == set()


def test_both_snakefiles_plan_the_whole_study_from_anywhere(workflow, tmp_path):
    plans = [
        snakemake(tmp_path, "-n", "-s", str(workflow / entry), *more).stdout
        for entry in ("Snakefile", "workflow/Snakefile")
        for more in ((), ("--directory", str(tmp_path / "elsewhere")))
    ]
    assert counted(plans[0])["total"] == 132
    assert len({str(counted(plan)) for plan in plans}) == 1


def test_a_moved_workflow_remakes_nothing(workflow, tmp_path):
    first, second, folder = tmp_path / "first", tmp_path / "second", tmp_path / "study"
    shutil.copytree(workflow, first)
    folder.mkdir()
    snakemake(folder, "--cores", "2", "-s", str(first / "Snakefile"), "--", *CHEAP)
    first.rename(second)
    planned = snakemake(folder, "-n", "-s", str(second / "Snakefile"), "--", *CHEAP).stdout
    assert planned.startswith("Nothing to be done") or "\nNothing to be done" in planned


@pytest.fixture
def project(tmp_path) -> Path:
    """A user's folder with a study of two merges, whose files lie beside the config in a folder `study`."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "gold.tsv").write_text(
        "term\tdefinition_en\tdefinition_ja\nasthma\tshort breath\t息が苦しい病気\n", encoding="utf-8"
    )
    (tmp_path / "study" / "own.yaml").write_text(
        "study: {name: own, merges: [slerp], judges: [own], benchmarks: [pubmedqa]}\n"
        "judges: {own: {provider: chrf, against: gold, gold: gold.tsv}}\n",
        encoding="utf-8",
    )
    return tmp_path


def test_a_path_in_a_config_starts_at_the_folder_of_the_config(workflow, project):
    arguments = ("-s", str(workflow / "Snakefile"), "--cores", "1", "--configfile", "study/own.yaml")
    snakemake(project, "results/own/study.yaml", *arguments)
    assert "gold: study/gold.tsv" in (project / "results/own/study.yaml").read_text(encoding="utf-8")


def test_a_path_in_a_config_may_start_at_the_working_directory(workflow, project):
    (project / "study" / "gold.tsv").rename(project / "gold.tsv")
    arguments = ("-s", str(workflow / "Snakefile"), "--cores", "1", "--configfile", "study/own.yaml")
    snakemake(project, "results/own/study.yaml", *arguments)
    assert "gold: gold.tsv" in (project / "results/own/study.yaml").read_text(encoding="utf-8")


def test_a_missing_path_is_reported_with_all_places_that_were_looked_at(workflow, project):
    (project / "study" / "gold.tsv").unlink()
    arguments = ("-s", str(workflow / "Snakefile"), "-n", "--configfile", "study/own.yaml")
    said = snakemake(project, *arguments).stderr
    assert f"judges.own.gold: there is no {project}/study/gold.tsv or {project}/gold.tsv" in said


def test_a_path_from_the_second_config_file_starts_at_the_folder_of_that_file(workflow, project):
    (project / "other").mkdir()
    (project / "study" / "gold.tsv").rename(project / "other" / "gold.tsv")
    (project / "other" / "more.yaml").write_text(
        "judges: {own: {provider: chrf, against: gold, gold: gold.tsv}}\n", encoding="utf-8"
    )
    configs = ("--configfile", "study/own.yaml", "other/more.yaml")
    snakemake(project, "results/own/study.yaml", "-s", str(workflow / "Snakefile"), "--cores", "1", *configs)
    assert "gold: other/gold.tsv" in (project / "results/own/study.yaml").read_text(encoding="utf-8")


def module(workflow: Path, *lines: str) -> str:
    """A user's Snakefile that takes all rules of the workflow."""
    given = "".join(f"    {line}\n" for line in lines)
    return (
        f'module lexmerge:\n    snakefile: "{workflow}/workflow/Snakefile"\n    config: config\n{given}\n'
        "use rule * from lexmerge as lexmerge_*\n\n"
    )


def test_a_users_snakefile_takes_the_rules_as_a_module(workflow, tmp_path):
    (tmp_path / "Snakefile").write_text(module(workflow), encoding="utf-8")
    planned = counted(snakemake(tmp_path, "-n", "lexmerge_all").stdout)
    assert planned["lexmerge_merges"] == 6 and planned["total"] == 132
    done = snakemake(tmp_path, "--cores", "2", *CHEAP)
    assert (tmp_path / CHEAP[0]).is_file()
    assert "[1/" in done.stderr, "the lines of finished jobs, which the start of a run sets up"


def test_the_results_of_a_module_go_below_its_prefix(workflow, tmp_path):
    (tmp_path / "Snakefile").write_text(
        module(workflow, 'prefix: "merging"')
        + "rule count:\n"
        + '    input: "merging/results/toy/vocabulary/terms.tsv"\n'
        + '    output: "terms.txt"\n'
        + '    shell: "wc -l < {input} > {output}"\n',
        encoding="utf-8",
    )
    snakemake(tmp_path, "--cores", "2", "count")
    assert int((tmp_path / "terms.txt").read_text()) == 67
    assert not (tmp_path / "results").exists()
    snakemake(tmp_path, "lexmerge_plan", "--cores", "1")
    assert (tmp_path / "merging/results/toy/plan.tsv").is_file()


def test_a_module_stops_at_the_start_when_something_is_missing(workflow, project):
    (project / "study" / "gold.tsv").unlink()
    (project / "Snakefile").write_text(module(workflow), encoding="utf-8")
    done = snakemake(project, "lexmerge_all", "--cores", "1", "--configfile", "study/own.yaml", check=False)
    assert done.returncode and "nothing was run" in done.stderr
    assert not (project / "results").exists()


def test_a_workflow_deployed_from_a_hosting_service_runs(workflow, tmp_path, monkeypatch):
    """It is laid out as by `snakedeploy deploy-workflow`; git fetches from a folder in its place."""
    hosted, own = tmp_path / "hosted", tmp_path / "own"
    shutil.copytree(workflow, hosted, ignore=shutil.ignore_patterns(".snakemake", "results"))
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "all"], ["tag", "v1"]):
        subprocess.run(["git", *command], cwd=hosted, check=True)
    for folder in ("config", "profiles"):
        shutil.copytree(hosted / folder, own / folder)
    (own / "workflow").mkdir()
    (own / "workflow" / "Snakefile").write_text(
        'configfile: "config/config.yaml"\n\n'
        "module lexmerge:\n"
        '    snakefile: github("lexmerge/lexmerge", path="workflow/Snakefile", tag="v1")\n'
        "    config: config\n\n"
        "use rule * from lexmerge\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{hosted}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/lexmerge/lexmerge")
    assert counted(snakemake(own, "-n").stdout)["total"] == 132
    snakemake(own, "--cores", "2", "--", *CHEAP)
    assert all((own / file).is_file() for file in CHEAP)
    assert os.path.realpath(own / ".snakemake/lexmerge").startswith(str(tmp_path / "cache"))
