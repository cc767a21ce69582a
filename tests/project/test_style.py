"""The project's form: linters, the dry run, and documentation that cannot drift from what it describes."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT, STAGES, clone, snakemake

BIN = Path(sys.executable).parent
MKDOCS = PROJECT / ".venv-docs" / "bin" / "mkdocs"
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]


# Libraries that a start of Snakemake must not import: every job is a start.
HEAVY = (
    *("torch", "transformers", "mergekit", "lm_eval", "openai", "genai_prices", "babel", "regex"),
    *("aiolimiter", "nltk", "sacrebleu", "scipy"),
)


@pytest.fixture(scope="module")
def documentation():
    """docs/make.py as a module."""
    spec = importlib.util.spec_from_file_location("make", PROJECT / "docs" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["snakefmt", "--check", "."], ["codespell"]],
    ids=" ".join,
)
def test_the_linters_are_content(command):
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lint_is_content():
    done = snakemake(PROJECT, "--lint", check=False)
    assert "Congratulations" in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("study", ["config", "paper"])
def test_a_dry_run_needs_nothing_built_and_no_torch(study, tmp_path):
    folder = clone(tmp_path / "lexmerge")
    refuses = tmp_path / "refuses"
    for package in HEAVY:
        (refuses / package).mkdir(parents=True)
        (refuses / package / "__init__.py").write_text("raise SystemExit('imported in a dry run')")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--configfile", f"config/{study}.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(refuses), "PATH": f"{BIN}:{os.defpath}", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M))
    assert {"definitions", "judgements", "benchmarks", "merges", "report"} <= set(jobs)
    if study == "config":
        assert {rule: int(count) for rule, count in jobs.items() if rule != "total"} == STAGES
    else:
        assert (jobs["merges"], jobs["judgements"], jobs["benchmarks"]) == ("6", "16", "24")
        assert "note: this study cannot run yet" in done.stderr


def test_a_real_run_of_the_paper_stops_before_it_starts(tmp_path, monkeypatch):
    folder = clone(tmp_path / "lexmerge")
    for variable in ("OPENAI_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    done = snakemake(folder, "--cores", "1", "--configfile", "config/paper.yaml", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "nothing was run" in said
    assert f"or {folder}/data/snomed; docs/paper.md says where to get it" in said
    assert "judges.gpt_6_luna: no API key; put it into the environment variable OPENAI_API_KEY" in said
    assert "judges.gemini_3_8_flash: no API key; put it into the environment variable GEMINI_API_KEY" in said
    assert list((folder / "results").iterdir()) == [folder / "results/.gitkeep"]


def test_the_config_reference_is_the_schemas(documentation):
    written = (PROJECT / "config/README.md").read_text(encoding="utf-8")
    assert written == documentation.config_readme(documentation.schema()), "run `make docs`"


def test_the_schemas_choices_are_those_that_are_registered(documentation):
    """Editors read the file; Snakemake reads the registered choices."""
    text = documentation.SCHEMA.read_text(encoding="utf-8")
    assert text == documentation.with_choices(text), "run `make docs`"
    assert text.count("x-registered") == len(re.findall(r"x-registered: \w+,?\s+enum: \[\w", text))
    assert text.count("x-registered") > 5


def test_the_rule_graph_in_the_docs_is_true(documentation, tmp_path):
    graph = documentation.rule_graph(documentation.snakemakes_graph(clone(tmp_path / "lexmerge")))
    page = documentation.GRAPH_PAGE.read_text(encoding="utf-8")
    assert page == documentation.with_part(page, "rule graph", graph), "run `make docs`"


def test_the_benchmarks_sources_in_the_docs_are_those_that_are_fetched(documentation):
    pins = yaml.safe_load(documentation.SOURCES.read_text(encoding="utf-8"))
    for file, name, text in (
        (documentation.SOURCES_PAGE, "benchmark sources", documentation.benchmark_sources(pins)),
        (documentation.LICENCES_PAGE, "benchmark licences", documentation.benchmark_licences(pins)),
    ):
        page = file.read_text(encoding="utf-8")
        assert page == documentation.with_part(page, name, text), "run `make docs`"


def test_the_docs_name_every_output_of_a_study():
    """Each path in the rule `all` is in docs/outputs.md, with names in angle brackets for wildcards."""
    rules = (PROJECT / "workflow/Snakefile").read_text(encoding="utf-8")
    page = (PROJECT / "docs/outputs.md").read_text(encoding="utf-8")
    outputs = re.findall(r'f"\{RESULTS\}/([^"]+)"', rules)
    assert len(outputs) > 20
    for path in outputs:
        path = re.sub(r"\{\{(\w+)\}\}", r"<\1>", path).replace("{EXPERT}", "<expert>")
        if not re.search(r"<(table|figure|kind)>", path):  # the page lists these by name
            assert path in page or path.split("/")[-1] in page, path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_and_files_in_the_docs_exist(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    folders = "config|tests|performance|profiles|workflow|envs|resources|docs"
    for path in re.findall(rf"(?<![\w./<>-])(?:{folders})/[\w./-]+(?![\w./<-])", text):
        assert (PROJECT / path.rstrip("/.-")).exists(), path


def test_the_readme_fits_on_a_screen_and_a_half():
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_the_docs_are_all_in_the_sites_menu():
    menu = (PROJECT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (PROJECT / "docs").glob("*.md"):
        assert f": {page.name}" in menu, page.name


@pytest.mark.skipif(not MKDOCS.exists(), reason="`make docs-site` makes .venv-docs")
def test_the_site_can_be_built(tmp_path):
    command = [MKDOCS, "build", "--strict", "--site-dir", tmp_path / "site"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configs_name_their_schema_for_editors():
    for file in (PROJECT / "config").glob("*.yaml"):
        first = file.read_text(encoding="utf-8").splitlines()[0]
        schema = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", first)[1]
        assert (file.parent / schema).resolve().is_file()


def test_scripts_know_snakemake_only_under_main():
    for script in (PROJECT / "workflow/scripts").rglob("*.py"):
        above = script.read_text(encoding="utf-8").split('if __name__ == "__main__":')[0]
        assert not re.search(r"\bsnakemake\.\w", above), script.name


def test_a_rule_has_the_name_of_its_script_and_log():
    for file in (PROJECT / "workflow/rules").glob("*.smk"):
        for rule, body in re.findall(
            r"^ *rule (\w+):\n(.*?)(?=\n *(?:use )?rule |\Z)", file.read_text(), re.M | re.S
        ):
            if "script:" in body:
                assert f"../scripts/{rule}.py" in body
                assert re.search(rf"/logs/{rule}[./]", body)
                assert re.search(rf'code=code\("{rule}"[,)]', body)


def test_the_profiles_parse_and_say_why():
    for profile in (PROJECT / "profiles").glob("*/profile.yaml"):
        text = profile.read_text(encoding="utf-8")
        assert yaml.safe_load(text)
        assert text.startswith("#")
