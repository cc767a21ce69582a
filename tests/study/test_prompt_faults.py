"""A prompt's file is checked before any model is asked, and a fault says what a prompt may have."""

from pathlib import Path

import pytest
import yaml
from helpers import PROJECT
from lexmerge.study.faults import faults_of
from lexmerge.study.prompt_faults import JUDGEMENT, TRANSLATION


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(PROJECT)


@pytest.fixture
def toy() -> dict:
    return yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))


def faults(toy: dict, folder: Path, content: str | bytes) -> list[str]:
    """The faults of the toy study with another prompt."""
    file = folder / "prompt.txt"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    toy["definitions"]["prompts"]["en"] = str(file)
    found = faults_of(toy)
    assert all(fault.startswith(f"definitions.prompts.en: {file}") for fault in found), found
    return [fault.removeprefix(f"definitions.prompts.en: {file}") for fault in found]


@pytest.mark.parametrize(
    "content",
    [
        "Define {term}.",
        "# version: 3\nDefine {term}.",
        "\ufeff# Version : b\r\nDefine {term}.",
        "# Task\nDefine {term} as {answer} in JSON.",
        'Define {term} as {"text": "..."}.',
    ],
)
def test_a_prompt_with_its_placeholder_is_taken(toy, tmp_path, content):
    assert faults(toy, tmp_path, content) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Define it.", " has no placeholder {term}; the placeholders of this prompt are {term}"),
        ("", " is empty"),
        ("# version: 2\n", " is empty"),
        ("Define {term}, not {tern}.", ": {tern} is not filled in; did you mean {term}?"),
        ("Define {term} or {Term}.", ": {Term} is not filled in; did you mean {term}?"),
        ("# version 2\nDefine {term}.", ": the line '# version 2' would be a part of the prompt; a version"),
        ("Hello.\n# version: 2\nDefine {term}.", ": the line '# version: 2' would be a part of the prompt"),
        (
            "Define na\u00efve {term}".encode("latin-1"),
            " is not UTF-8 text (invalid continuation byte); save it as UTF-8",
        ),
    ],
)
def test_what_is_wrong_with_a_prompt_is_said_with_its_absolute_path(toy, tmp_path, content, said):
    found = faults(toy, tmp_path, content)
    assert len(found) == 1, found
    assert found[0].startswith(said)


def test_each_kind_of_prompt_has_its_placeholders():
    """Those that the README names; what fills them in is in other modules."""
    assert TRANSLATION == ("term", "semantic_tag", "source_language", "target_language")
    assert JUDGEMENT == (
        "term",
        "translation",
        "reference",
        "definition",
        "source_language",
        "target_language",
    )


def test_a_judges_prompt_may_name_all_that_a_judge_is_told(toy, tmp_path):
    file = tmp_path / "judge.txt"
    toy["judges"]["j"] = {"provider": "openai", "model": "m", "prompt": str(file)}
    toy["study"]["judges"] = ["j"]
    file.write_text("".join(f"{{{name}}}" for name in JUDGEMENT))
    assert faults_of(toy) == []
    file.write_text("{term} {definition} {refrence_}")
    assert faults_of(toy) == [
        f"judges.j.prompt: {file} has no placeholder {{reference}}; the placeholders of this prompt are "
        "{term}, {translation}, {reference}, {definition}, {source_language}, {target_language}",
        f"judges.j.prompt: {file}: {{refrence_}} is not filled in; did you mean {{reference}}?",
    ]
