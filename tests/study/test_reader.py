"""A config file is read as Snakemake reads it, or refused with its file, line, column and remedy."""

import datetime
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import PROJECT, clone, snakemake
from lexmerge.common.errors import StudyError
from lexmerge.study.reader import check_command_line, places, read_config
from lexmerge.study.selection import overlay
from snakemake.common.configfile import load_configfile

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
MERGED_BOMB = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9)
)


@pytest.fixture
def config(tmp_path):
    """Writes a config file."""

    def write(content: str | bytes, name: str = "study.yaml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def refused(file: Path | str) -> str:
    """The message with which a file is refused."""
    with pytest.raises(StudyError) as error:
        read_config(file)
    return str(error.value)


ACCEPTED = {
    "no newline at the end": ("study: {name: fz}", {"study": {"name": "fz"}}),
    "CRLF": ("study:\r\n  name: fz\r\n", {"study": {"name": "fz"}}),
    "BOM": ("\ufeffstudy: {name: fz}\n", {"study": {"name": "fz"}}),
    "BOM and CRLF": ("\ufeffstudy:\r\n  name: fz\r\n", {"study": {"name": "fz"}}),
    "line ends of old Macs": ("a: 1\rb: 2\r", {"a": 1, "b": 2}),
    "explicit document": ("---\na: 1\n...\n", {"a": 1}),
    "kanji": ("研究: {名前: 語彙}\n", {"研究": {"名前": "語彙"}}),
    "line separators of Unicode": ("a: b\u2028c: d\x85e: f\n", {"a": "b", "c": "d", "e": "f"}),
    "quoted line separator": ('a: "b\u2028c"\n', {"a": "b\u2028c"}),
    "trailing newline in a key": ('"name\\n": x\n', {"name\n": "x"}),
    "placeholders": (
        "p: {density: {density}, w: [0.5, {w}]}\n",
        {"p": {"density": {"density": None}, "w": [0.5, {"w": None}]}},
    ),
    "alias used twice": ("x: &x [1]\ny: *x\nz: *x\n", {"x": [1], "y": [1], "z": [1]}),
    "alias as a key": ("a: &k b\n*k : 1\n", {"a": "b", "b": 1}),
    "merge key": ("x: &x {a: 1, b: 2}\ny: {<<: *x}\n", {"x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 2}}),
    "overridden merge key": ("x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n", {"x": {"a": 1}, "y": {"a": 2}}),
    "two merged": (
        "x: &x {a: 1}\nz: &z {c: 1}\ny: {<<: [*x, *z]}\n",
        {"x": {"a": 1}, "z": {"c": 1}, "y": {"a": 1, "c": 1}},
    ),
    "null": ("a:\nb: ~\nc: null\n", {"a": None, "b": None, "c": None}),
    "truth values": ("a: true\nb: False\n", {"a": True, "b": False}),
    "numbers": (
        "a: 1\nb: -2\nc: 0.5\nd: .5\ne: 1.0e-3\nf: +5\ng: -.inf\n",
        {"a": 1, "b": -2, "c": 0.5, "d": 0.5, "e": 0.001, "f": 5, "g": float("-inf")},
    ),
    "quoted": (
        "a: '010'\nb: \"no\"\nc: '2024-01-01'\nd: !!str 1\ne: '1e-3'\n",
        {"a": "010", "b": "no", "c": "2024-01-01", "d": "1", "e": "1e-3"},
    ),
    "text like numbers": (
        "a: v1\nb: 1.2.3\nc: 00:30\nd: 1-2\ne: 7B\nf: a1e5\n",
        {"a": "v1", "b": "1.2.3", "c": "00:30", "d": "1-2", "e": "7B", "f": "a1e5"},
    ),
    "100 levels": ("a: " + "[" * 98 + "]" * 98, None),
    "JSON": (
        '{\n\t"a": {"b": 1e-3, "010": "no"},\n\t"d": "2024-01-01"\n}',
        {"a": {"b": 0.001, "010": "no"}, "d": "2024-01-01"},
    ),
    "JSON of another style": ('{"a": 1E5, "b": "\\ud83d\\ude00\\/"}', {"a": 1e5, "b": "\N{GRINNING FACE}/"}),
    "YTE": ("__use_yte__: true\n__variables__:\n  n: 3\na: ?n + 1\n", {"a": 4}),
    "YTE turned off": ("__use_yte__: false\na: ?n\n", {"a": "?n"}),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted_is_what_snakemake_reads(config, name):
    content, expected = ACCEPTED[name]
    file = config(content)
    assert read_config(file) == load_configfile(str(file))
    if expected is not None:
        assert read_config(file) == expected


@pytest.mark.parametrize(
    "file", sorted([*PROJECT.glob("config/*.yaml"), PROJECT / "tests/data/sailing/study.yaml"])
)
def test_the_projects_own_configs_are_read_as_snakemake_reads_them(file):
    assert read_config(file) == load_configfile(str(file))


# The content of a file, and of its only fault: line, column, message.
FAULTS = [
    # syntax
    ("study:\n\tname: fz\n", 2, 1, "a tab; indent with spaces"),
    ("study:\n  name: fz\n\tmerges: [x]\n", 3, 1, "a tab; indent with spaces"),
    ("study:\n  \tname: fz\n", 2, 3, "a tab; indent with spaces"),
    ("study: {name: fz,\n\tmerges: [x]}\n", 2, 1, "a tab; indent with spaces"),
    ("study:\tfz\n", 1, 7, "a tab; YAML allows only spaces here"),
    ("study: {name: fz\n", 1, 8, "this `{` is never closed; add `}`"),
    ("study:\n  merges: [a, b\n", 2, 11, "this `[` is never closed; add `]`"),
    (
        "study: {name: fz\nmodels:\n  a: 1\n",
        2,
        7,
        "expected `,` or `}` here; the `{` of line 1 is still open",
    ),
    ("study:\n  name: 'fz\n  b: 1\n", 2, 9, "this quote is never closed"),
    ("a: 1\n---\nb: 2\n", 2, 1, "a second document; a config file holds one, so split the file at this line"),
    ("a: 1\n---\n", 2, 1, "a second document; a config file holds one, so split the file at this line"),
    ('a: "b" c\n', 1, 8, "this does not belong to the value before it; put the whole value in quotes"),
    ("a: [b]]\n", 1, 7, "this does not belong to the value before it; put the whole value in quotes"),
    ("a: b: c\n", 1, 5, "a second `: ` in one value; put text in quotes, or correct the indentation"),
    (
        "a:\n   b: 1\n  c: 2\n",
        3,
        3,
        "this indentation matches no line above; align the line with its neighbours",
    ),
    ("a:\n  b: 1\n  c\n", 3, 3, "this line is neither `key: value` nor `- item`"),
    ("a: @b\n", 1, 4, "no value can begin with @; put it in quotes"),
    ("a: *b\n", 1, 4, "found undefined alias 'b'; its anchor must come before it"),
    ("a: &x 1\nb: &x 2\n", 2, 4, "this anchor is also defined in line 1; rename one of them"),
    ('a: "\\q"\n', 1, 6, "no valid YAML: found unknown escape character 'q'"),
    # duplicate keys
    (
        "merges:\n  half: 1\nmerges:\n  half: 2\n",
        3,
        1,
        "the key 'merges' is given in line 1 and again in line 3; remove or rename one of them",
    ),
    (
        "merges:\n  half:\n    x: 1\n  half:\n    x: 2\n",
        4,
        3,
        "the key 'half' is given in line 2 and again in line 4; remove or rename one of them",
    ),
    (
        "study:\n  name: fz\n  name: other\n",
        3,
        3,
        "the key 'name' is given in line 2 and again in line 3; remove or rename one of them",
    ),
    (
        "study: {name: a, name: b}\n",
        1,
        18,
        "the key 'name' is given in line 1, twice; remove or rename one of them",
    ),
    (
        "a: 1\n'a': 2\n",
        2,
        1,
        "the key 'a' is given in line 1 and again in line 2; remove or rename one of them",
    ),
    (
        "\ufeffa: 1\r\na: 2\r\n",
        2,
        1,
        "the key 'a' is given in line 1 and again in line 2; remove or rename one of them",
    ),
    (
        '{\n\t"a": [1, {"b": 1, "b": 2}]\n}',
        2,
        20,
        "the key 'b' is given in line 2, twice; remove or rename one of them",
    ),
    (
        "x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n",
        4,
        3,
        "the key '<<' is given in line 3 and again in line 4; remove or rename one of them",
    ),
    (
        "研究: {name: 名, name: 二}\n",
        1,
        15,
        "the key 'name' is given in line 1, twice; remove or rename one of them",
    ),
    # characters
    (b'study: {name: "f\xff"}\n', 1, 17, "not UTF-8: byte 0xff in line 1; save the file as UTF-8"),
    (
        "a: 1\r\nb: M\xfcnchen\r\n".encode("latin-1"),
        2,
        5,
        "not UTF-8: byte 0xfc in line 2; save the file as UTF-8",
    ),
    ("a: long enough a text\nb: c\0\n", 2, 5, "a null byte; remove it"),
    ("a: b\x7f\n", 1, 5, "a control character U+007F; remove it"),
    # values that YAML 1.1 reads as something else
    ("a: 2024-01-01\n", 1, 4, "2024-01-01 is read as a date, not as text; put it in quotes"),
    (
        "a: 2024-01-01 10:00:00\n",
        1,
        4,
        "2024-01-01 10:00:00 is read as a date, not as text; put it in quotes",
    ),
    (
        "models: {e: {revision: 2024-01-01}}\n",
        1,
        24,
        "2024-01-01 is read as a date, not as text; put it in quotes",
    ),
    ("language: no\n", 1, 11, "no is read as false, not as text; put it in quotes, or write true or false"),
    ("a: [On]\n", 1, 5, "On is read as true, not as text; put it in quotes, or write true or false"),
    ("a: 010\n", 1, 4, "010 is read as the number 8; put it in quotes if it is text, or write 8"),
    ("a: 0b11\n", 1, 4, "0b11 is read as the number 3; put it in quotes if it is text, or write 3"),
    ("a: 0x1F\n", 1, 4, "0x1F is read as the number 31; put it in quotes if it is text, or write 31"),
    ("a: 1:30\n", 1, 4, "1:30 is read as the number 90; put it in quotes if it is text, or write 90"),
    (
        "a: 12:30:00\n",
        1,
        4,
        "12:30:00 is read as the number 45000; put it in quotes if it is text, or write 45000",
    ),
    ("a: 1:30.5\n", 1, 4, "1:30.5 is read as the number 90.5; put it in quotes if it is text, or write 90.5"),
    (
        "name: 2024_01\n",
        1,
        7,
        "2024_01 is read as the number 202401; put it in quotes if it is text, or write 202401",
    ),
    ("a: 0o10\n", 1, 4, "0o10 is read as text, not as a number; write 8, or put it in quotes if it is text"),
    (
        "a: 1e-3\n",
        1,
        4,
        "1e-3 is read as text, not as a number; write 1.0e-3, or put it in quotes if it is text",
    ),
    (
        "a: 2.5e3\n",
        1,
        4,
        "2.5e3 is read as text, not as a number; write 2.5e+3, or put it in quotes if it is text",
    ),
    ("a: -.5\n", 1, 4, "-.5 is read as text, not as a number; write -0.5, or put it in quotes if it is text"),
    ("a: 089\n", 1, 4, "089 is read as text, not as a number; write 89, or put it in quotes if it is text"),
    ("a: =\n", 1, 4, "a lone = is not text in YAML; put it in quotes"),
    ("a: " + "9" * 5000, 1, 4, "a whole number of more than 100 digits; put it in quotes if it is text"),
    ("a: !!set {b}\n", 1, 4, "the tag !!set is not supported; remove it"),
    ("a: !!int '3'\n", 1, 4, "the tag !!int is not supported; remove it"),
    ("a: !!python/name:os.system ''\n", 1, 4, "the tag !!python/name:os.system is not supported; remove it"),
    # keys
    ("1: a\n", 1, 1, "the key 1 is read as a number, not as text; put it in quotes"),
    ("a: {1.5: b}\n", 1, 5, "the key 1.5 is read as a number, not as text; put it in quotes"),
    ("null: a\n", 1, 1, "the key null is read as a null, not as text; put it in quotes"),
    ("true: a\n", 1, 1, "the key true is read as a bool, not as text; put it in quotes"),
    ("no: Norwegian\n", 1, 1, "no is read as false, not as text; put it in quotes, or write true or false"),
    ("2024-01-01: a\n", 1, 1, "2024-01-01 is read as a date, not as text; put it in quotes"),
    ("a: {[b]: 1}\n", 1, 5, "a key must be text, not a list or a mapping"),
    ("a: {<<: 5}\n", 1, 5, "`<<` merges a mapping or a list of mappings, usually an alias"),
    # aliases and depth
    ("study: &s\n  name: fz\n  me: *s\n", 3, 7, "*s stands inside &s, its own anchor; remove it"),
    ("judging: &j {controls: *j}\n", 1, 24, "*j stands inside &j, its own anchor; remove it"),
    ("a: &a\n  <<: *a\n", 2, 7, "*a stands inside &a, its own anchor; remove it"),
    (BOMB, 6, 5, "this has more than 100,000 keys and values, counting aliases as copies"),
    (MERGED_BOMB, 6, 14, "this has more than 100,000 keys and values, counting aliases as copies"),
    (
        "study: {name: fz}\na: " + "[" * 3000 + "]" * 3000,
        2,
        103,
        "lists and mappings are nested more than 100 deep",
    ),
    ('{"a": ' + "[" * 3000 + "]" * 3000 + "}", 1, 106, "lists and mappings are nested more than 100 deep"),
]


@pytest.mark.parametrize(
    ("content", "line", "column", "message"),
    FAULTS,
    ids=[f"{n}: {c[:20]!r}" for n, (c, *_) in enumerate(FAULTS)],
)
def test_a_fault_has_its_file_line_column_and_remedy(config, content, line, column, message):
    file = config(content)
    begin = time.monotonic()
    said = refused(file).splitlines()
    assert time.monotonic() - begin < 5  # a bomb takes minutes
    assert said[0] == f"{file}, line {line}, column {column}: {message}"
    assert len(said) == 3


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("a: 1\nstudy: {name: yes}\n", ["  2 | study: {name: yes}", "    |               ^"]),
        # a character of Japanese is two columns wide on a terminal
        ("研究: {名前: yes}\n", ["  1 | 研究: {名前: yes}", "    |              ^"]),
        ("\ufeffa: yes\n", ["  1 | a: yes", "    |    ^"]),
        ('{\n\t"a": 1, "a": 2}', ['  2 | \t"a": 1, "a": 2}', "    | \t        ^"]),
        (
            f"{'k' * 100}: [yes, {'z' * 100}]\n",
            [f"  1 | ...{'k' * 47}: [yes, {'z' * 45}...", f"    | {' ' * 53}^"],
        ),
    ],
    ids=["plain", "wide", "BOM", "tab", "long"],
)
def test_the_line_is_shown_with_a_caret_below_the_place(config, content, shown):
    assert refused(config(content)).splitlines()[1:] == shown


def test_all_faults_of_a_file_are_listed_in_the_order_of_its_lines(config):
    file = config("a: yes\nb: 2024-01-01\na: 1\nc: 010\n")
    heads = [line.split(":")[0] for line in refused(file).splitlines() if line.startswith(str(file))]
    assert heads == [f"{file}, line {n}, column {c}" for n, c in [(1, 4), (2, 4), (3, 1), (4, 4)]]
    many = refused(config("".join(f"a{n}: yes\n" for n in range(30))))
    assert many.count("is read as true") == 10
    assert many.endswith("and 20 more")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_encodings_are_named(config, encoding):
    file = config("study: {name: fz, merges: [slerp]}\n".encode(encoding))
    name = encoding[:6].upper()
    assert refused(file) == f"the config file {file} is {name}, not UTF-8; save it as UTF-8"


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", "~\n"])
def test_an_empty_file_is_refused(config, content):
    file = config(content)
    assert refused(file) == f"the config file {file} is empty; a study needs at least a `study.name`"


@pytest.mark.parametrize("content", ["- a\n", "text\n", "5", "[1]", '"a"'])
def test_a_file_without_keys_is_refused(config, content):
    file = config(content)
    no_keys = "has no keys at its top level; write settings as `key: value`"
    assert refused(file) == f"the config file {file} {no_keys}"


def test_a_path_that_is_no_readable_file_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("語彙").mkdir()
    assert refused("nowhere.yaml") == f"there is no config file {tmp_path}/nowhere.yaml"
    assert refused("語彙") == f"the config file {tmp_path}/語彙 is a folder; name a file in it"
    os.mkfifo("pipe.yaml")
    assert refused("pipe.yaml") == f"{tmp_path}/pipe.yaml is a pipe or a device; write the config to a file"
    long = "x" * 300
    assert refused(long) == f"the config file {tmp_path}/{long} cannot be read: File name too long"
    Path("large.yaml").write_bytes(b"#" * 5_100_000)
    assert refused("large.yaml").startswith(f"the config file {tmp_path}/large.yaml has 5.1 MB")


def test_a_template_that_fails_is_named(config):
    file = config("__use_yte__: true\na: ?1 / 0\n")
    assert refused(file).startswith(f"the config file {file}: YTE cannot process it:")
    assert "division by zero" in refused(file)


def test_each_key_and_item_has_its_line(config):
    file = config("x: &x\n  a: 1\nmerges:\n  half:\n    <<: *x\n    models:\n      - b\n      - {c: d}\n")
    assert places(file) == {
        "x": 1,
        "x.a": 2,
        "merges": 3,
        "merges.half": 4,
        "merges.half.a": 2,
        "merges.half.models": 6,
        "merges.half.models[0]": 7,
        "merges.half.models[1]": 8,
        "merges.half.models[1].c": 8,
    }


@pytest.mark.parametrize(
    "words",
    [
        ["-n", "--configfile", "good.yaml"],
        ["--configfile", "good.yaml", "good.json", "-n", "plan"],
        ["--configfile=good.yaml", "plan"],
        ["--configfile", "good.yaml", "--", "plan"],
        ["--configfile", "bad.yaml", "--configfiles", "good.yaml"],  # as in Snakemake, the last counts
        ["-n", "plan", "--", "--configfile", "nowhere.yaml"],
        ["plan"],
    ],
)
def test_a_sound_command_line_passes(config, tmp_path, words):
    config("a: 1\n", "good.yaml"), config('{"a": 1}', "good.json"), config("a: yes\n", "bad.yaml")
    check_command_line(["snakemake", *words], tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--configfile", "x" * 300], "cannot be read: File name too long"),
        (["--configfile", "bad.yaml"], "{folder}/bad.yaml, line 1, column 4: yes is read as true"),
        (["--configfile=bad.yaml", "-n"], "{folder}/bad.yaml, line 1, column 4: yes is read as true"),
        (["--configfiles", "good.yaml", "bad.yaml"], "{folder}/bad.yaml, line 1, column 4: yes is read as"),
        (["--configfile", "no.yaml", "-n"], "there is no config file {folder}/no.yaml"),
        (["--configfile", "good.yaml", "plan"], "If 'plan' is a target: targets come before --configfile"),
        (
            ["--configfile", "good.yaml", "results/toy/study"],
            "there is no config file {folder}/results/toy/s",
        ),
    ],
)
def test_a_faulty_file_on_the_command_line_ends_the_process(config, tmp_path, words, said):
    config("a: 1\n", "good.yaml"), config("a: yes\n", "bad.yaml")
    with pytest.raises(SystemExit) as stop:
        check_command_line(["snakemake", *words], tmp_path)
    assert str(stop.value).startswith("\n")
    assert said.format(folder=tmp_path) in str(stop.value)


def test_snakemake_names_the_line_and_starts_nothing(config):
    file = config("study: {name: fz\n", "設定 1/study.yaml")
    done = snakemake(PROJECT, "-n", "--configfile", str(file), check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    _, said = done.stderr.split("setting default command line arguments.\n")
    place = f"\n{file}, line 1, column 8: this `{{` is never closed; add `}}`\n"
    assert said == place + "  1 | study: {name: fz\n    |        ^\n"


def test_snakemake_says_where_targets_go_from_any_folder(tmp_path):
    project = clone(tmp_path / "語彙" / "lexmerge")
    config = str(project / "config/config.yaml")
    words = ["-s", str(project / "Snakefile"), "-n", "--configfile", config, "plan"]
    done = snakemake(tmp_path, *words, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("If 'plan' is a target: targets come before --configfile, or after --\n")


def test_a_copy_of_the_profile_without_lexmerge_beside_it_is_read(tmp_path):
    shutil.copytree(PROJECT / "profiles", tmp_path / "profiles")
    (tmp_path / "study.yaml").write_text("a: 1\na: yes\n")
    (tmp_path / "Snakefile").write_text("rule all:\n    output: 'made'\n    shell: 'touch made'\n")
    done = snakemake(tmp_path, "-n", "--configfile", "study.yaml")
    assert "profiles/default" in done.stderr


def test_the_reader_is_quick_to_import():
    code = (
        "import sys, yaml; before = set(sys.modules); import lexmerge.study.reader; "
        "print(*{m.split('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    scripts = PROJECT / "workflow/scripts"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["lexmerge"]


def _in_itself() -> dict:
    study: dict = {"name": "fz"}
    study["me"] = study
    return {"study": study}


def _bomb() -> list:
    bomb = ["x"] * 9
    for _ in range(9):
        bomb = [bomb] * 9
    return bomb


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"models": {"e": {"revision": [1, datetime.date(2024, 1, 1)]}}},
            "models.e.revision[1]: 2024-01-01 is a date;",
        ),
        ({"models": {"e": {"seed": {1, 2}}}}, "models.e.seed: {1, 2} is a set;"),
        ({"models": {1: "e"}}, "models: the key 1 is not text; put it in quotes"),
        ({1: "e"}, "the config: the key 1 is not text; put it in quotes"),
        ({"study": {"name": "\ud800"}}, "study.name: '\\ud800' holds a character that no file can hold"),
        ({"study": {"name": "a\0"}}, "study.name: 'a\\x00' holds a character that no file can hold"),
        (_in_itself(), "more than 100 levels deep, or it contains itself"),
        ({"judging": _bomb()}, "the config has more than 100,000 values"),
    ],
    ids=["date", "set", "key", "top key", "surrogate", "null", "in itself", "bomb"],
)
def test_a_config_that_comes_another_way_has_its_faulty_key_named(given, said):
    begin = time.monotonic()
    with pytest.raises(StudyError) as error:
        overlay({"study": {"name": "toy"}, "models": {}}, given)
    assert said in str(error.value)
    assert time.monotonic() - begin < 5  # a bomb takes minutes


def test_a_config_that_comes_another_way_is_made_plain():
    given = {"a": (1, 2.5), "b": {"c": [None, True, "t"]}}
    assert overlay({"study": {"name": "toy"}}, given) == {
        "study": {"name": "toy"},
        "a": [1, 2.5],
        "b": {"c": [None, True, "t"]},
        **{section: {} for section in ("merges", "definitions", "judges", "benchmarks")},
    }
