"""A registered choice is found by its file; a file that cannot be one is named."""

import sys

import pytest
from lexmerge.common import registry
from lexmerge.common.errors import StudyError
from lexmerge.common.registry import Registry


@pytest.fixture
def choices(tmp_path, monkeypatch) -> Registry[int]:
    """A registry of numbers with the choices `one` and `two`."""
    folder = tmp_path / "somewhere" / "numbers"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text('"""The first.\n\nMore of it.\n"""\nREGISTERED = 1\n')
    (folder / "two.py").write_text("REGISTERED = 2\n")
    monkeypatch.setattr(registry, "SCRIPTS", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry("somewhere.numbers", int)
    for name in [name for name in sys.modules if name.startswith("somewhere")]:
        del sys.modules[name]


def test_names_come_from_files_and_import_nothing(choices):
    assert list(choices) == ["one", "two"]
    assert "one" in choices and "three" not in choices and "../one" not in choices
    assert "somewhere.numbers.one" not in sys.modules
    assert (choices["two"], choices.about("one"), choices.about("two")) == (2, "The first.", "")
    with pytest.raises(KeyError):
        choices["three"]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "my-own.py",
            "REGISTERED = 3",
            r"my-own.py: the name of a choice has only lower-case letters, digits and _; rename the file",
        ),
        (
            "Own.py",
            "REGISTERED = 3",
            r"Own.py: the name of a choice has only lower-case letters, digits and _; rename the file",
        ),
        (
            "4all.py",
            "REGISTERED = 3",
            r"4all.py: the name of a choice has only lower-case letters, digits and _; rename the file",
        ),
        ("own.py", "REGISTERED = 'three'", r"own.py: assign a int to REGISTERED"),
        ("own.py", "", r"own.py: assign a int to REGISTERED"),
        (
            "own.py",
            "import no_such_library",
            r"own.py cannot be imported \(ModuleNotFoundError: .*no_such_lib",
        ),
        ("own.py", "REGISTERED = (", r"own.py cannot be imported \(SyntaxError"),
    ],
)
def test_a_file_that_cannot_be_a_choice_is_named_with_the_remedy(choices, file, text, said):
    choices.file("one").with_name(file).write_text(text)
    with pytest.raises(StudyError, match=said):
        dict(choices)
