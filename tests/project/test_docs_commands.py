"""The commands and studies of the README and the documentation work as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT, snakemake

PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (PROJECT / "docs").glob("*.md"))]
# A block of commands, unless a comment above it says why it is not tested.
COMMANDS = re.compile(r"(<!-- not tested: [^\n]+ -->\n)?```sh\n(.*?)```", re.S)
STUDIES = re.compile(r"```yaml\n(study:\n.*?)```", re.S)


def commands(page: str) -> list[str]:
    text = (PROJECT / page).read_text(encoding="utf-8")
    return [block for untested, block in COMMANDS.findall(text) if not untested]


def studies(page: str) -> list[str]:
    """The blocks of YAML that are whole configs, which name their study."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    return [block for block in STUDIES.findall(text) if "name" in yaml.safe_load(block)["study"]]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_the_commands_of_a_page_work_in_their_order(page, toy_copy):
    """In a folder where the toy study is finished and everything is installed."""
    (toy_copy / ".venv").unlink(missing_ok=True)
    (toy_copy / ".venv").symlink_to(sys.prefix)
    blocks = commands(page)
    if not any("make study" in block for block in blocks):
        blocks = ["make study NAME=my_study", *blocks]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in blocks:
        done = subprocess.run(
            ["bash", "-ec", block], cwd=toy_copy, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", [page for page in PAGES if studies(page)])
def test_the_studies_of_a_page_are_planned(page, tmp_path):
    for number, block in enumerate(studies(page)):
        (tmp_path / f"{number}.yaml").write_text(block, encoding="utf-8")
        planned = snakemake(
            tmp_path, "-n", "-s", str(PROJECT / "Snakefile"), "--configfile", f"{number}.yaml"
        )
        assert re.search(r"^merges +[1-9]", planned.stdout, re.M), planned.stderr


def test_the_readme_has_a_complete_study():
    assert len(studies("README.md")) == 1
    assert "models" in yaml.safe_load(studies("README.md")[0])
