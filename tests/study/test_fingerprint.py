"""A fingerprint changes with behaviour and with nothing else."""

import pytest
from lexmerge.study.fingerprint import LARGE, canonical, closure, content, fingerprint, imports

CODE = '''
"""What it does."""
import json


def double(x: int) -> int:
    """Twice."""
    return x * 2
'''


@pytest.mark.parametrize(
    "edited",
    [
        CODE.replace("Twice.", "Two times."),
        CODE.replace("What it does.", "Something."),
        CODE.replace("return x * 2", "return  x*2  # a remark"),
        CODE.replace("\n\n\ndef", "\n\n# a remark\ndef"),
        CODE.replace('    """Twice."""\n', ""),
        CODE.replace("x: int", "x: float").replace("-> int", "-> float"),
        CODE.replace("import json", "import json\n\nif TYPE_CHECKING:\n    import csv"),
    ],
)
def test_comments_formatting_docstrings_and_types_do_not_count(edited):
    assert edited != CODE
    assert canonical(edited) == canonical(CODE)


@pytest.mark.parametrize(
    "edited",
    [
        CODE.replace("* 2", "* 3"),
        CODE.replace("* 2", "* 2.0"),
        CODE.replace("double", "twice"),
        CODE.replace("import json", "import csv"),
        CODE + "\nX = 'text'\n",
        CODE + "\nasync def double(x): ...\n",
        CODE + "\nif TYPE_CHECKING:\n    X = 1\nelse:\n    X = 2\n",
        CODE.replace("return x * 2", "raise StudyError(x)"),
    ],
)
def test_behaviour_counts(edited):
    assert canonical(edited) != canonical(CODE)


def test_the_message_of_an_error_does_not_count_and_its_condition_does():
    before = canonical('if x:\n    raise StudyError(f"{x} is wrong")')
    assert canonical('if x:\n    raise StudyError("no " + x) from None') == before
    assert canonical('if y:\n    raise StudyError(f"{x} is wrong")') != before
    assert canonical('if x:\n    raise ValueError(f"{x} is wrong")') != before


def test_a_text_that_is_no_docstring_counts():
    assert canonical("x = 'a'") != canonical("x = 'b'")
    assert canonical("x = 1") != canonical("x = '1'")


def test_the_tree_as_text_does_not_depend_on_the_python_version():
    """Written down once: fields that a version adds are empty here and left out."""
    assert canonical("def f(a): return a") == (
        "('Module', ('body', [('FunctionDef', ('name', \"'f'\"), ('args', ('arguments', "
        "('args', [('arg', ('arg', \"'a'\"))]))), ('body', [('Return', ('value', ('Name', "
        "('id', \"'a'\"))))]))]))"
    )


@pytest.fixture
def scripts(tmp_path):
    (tmp_path / "lexmerge").mkdir()
    (tmp_path / "one.py").write_text("from lexmerge.a import f\nimport json\n")
    (tmp_path / "two.py").write_text("import lexmerge.b\n")
    (tmp_path / "lexmerge/__init__.py").write_text("")
    (tmp_path / "lexmerge/a.py").write_text("def g():\n    from lexmerge import b\n    return b.X\n")
    (tmp_path / "lexmerge/b.py").write_text("X = 1\n")
    (tmp_path / "lexmerge/c.py").write_text("Y = 1\n")
    (tmp_path / "lexmerge/rows.py").write_text("from lexmerge import c\n")
    return tmp_path


def test_local_modules_count_however_deep_they_are_imported(scripts):
    assert {p.name for p in closure(scripts / "one.py")} == {"one.py", "a.py", "b.py"}
    assert imports(scripts / "lexmerge/a.py") == {"lexmerge", "lexmerge.b"}
    before = [fingerprint(scripts / name) for name in ("one.py", "two.py")]
    (scripts / "lexmerge/c.py").write_text("Y = 2\n")
    assert [fingerprint(scripts / name) for name in ("one.py", "two.py")] == before
    (scripts / "lexmerge/a.py").write_text("def g():\n    from lexmerge import b\n    return b.X + 1\n")
    after = [fingerprint(scripts / name) for name in ("one.py", "two.py")]
    assert after[0] != before[0]
    assert after[1] == before[1]
    (scripts / "lexmerge/b.py").write_text("X = 2\n")
    assert fingerprint(scripts / "two.py") != before[1]


def test_what_is_imported_for_types_alone_does_not_count(scripts):
    before = fingerprint(scripts / "one.py")
    text = (scripts / "lexmerge/a.py").read_text()
    (scripts / "lexmerge/a.py").write_text(f"if TYPE_CHECKING:\n    from lexmerge import rows\n\n{text}")
    assert {p.name for p in closure(scripts / "one.py")} == {"one.py", "a.py", "b.py"}
    assert fingerprint(scripts / "one.py") == before


def test_relative_imports_and_those_beside_types_count(scripts):
    (scripts / "lexmerge/deep").mkdir()
    (scripts / "lexmerge/deep/d.py").write_text("from ..a import g\nfrom . import e\n")
    (scripts / "lexmerge/deep/e.py").write_text(
        "if TYPE_CHECKING:\n    X = 1\nelse:\n    import lexmerge.c\n"
    )
    found = {path.name for path in closure(scripts / "lexmerge/deep/d.py")}
    assert found == {"d.py", "e.py", "a.py", "b.py", "c.py"}


def test_how_and_where_a_job_runs_does_not_count(scripts):
    (scripts / "lexmerge/run").mkdir()
    (scripts / "lexmerge/run/job.py").write_text("Z = 1\n")
    text = (scripts / "one.py").read_text()
    (scripts / "one.py").write_text(f"from lexmerge.run.job import Z\n{text}")
    before = fingerprint(scripts / "one.py")
    (scripts / "lexmerge/run/job.py").write_text("Z = 2\n")
    assert fingerprint(scripts / "one.py") == before


def test_small_files_count_by_content_and_large_ones_by_size_and_time(tmp_path):
    import os

    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"a\nb\n")
    large.write_bytes(b"x" * (LARGE + 1))
    before = content([small]), content([large])
    small.write_bytes(b"a\r\nb\r\n")
    os.utime(small, (1, 1))
    assert content([small]) == before[0], "git may change the ends of lines and the time"
    small.write_bytes(b"a\nc\n")
    assert content([small]) != before[0]
    os.utime(large, (1, 1))
    assert content([large]) != before[1]
