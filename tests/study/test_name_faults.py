"""Names become files, wildcards and cells of tables; a name that cannot is refused with one readable line."""

import copy
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT, snakemake
from lexmerge.study.faults import faults_of

SLERP = {
    "recipe": {
        "merge_method": "slerp",
        "base_model": "generalist",
        "models": [{"model": "generalist"}, {"model": "expert"}],
        "parameters": {"t": 0.5},
    }
}


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(PROJECT)


@pytest.fixture
def toy() -> dict:
    toy = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    toy["study"] |= {"merges": ["slerp"], "judges": ["chrf"]}
    return toy


def named(toy: dict, catalogue: str, name: str) -> list[str]:
    """The faults of the toy study with one more definition of that name, which is selected."""
    definition = {
        "models": {"source": "toy:ancestor"},
        "merges": copy.deepcopy(SLERP),
        "judges": {"provider": "chrf"},
        "benchmarks": {
            "tasks": ["pubmedqa"],
            "folder": "resources/benchmarks/pubmedqa",
            "data": {"source": "toy"},
        },
    }[catalogue]
    toy[catalogue][name] = definition
    toy["study"][catalogue] = [name] if catalogue == "benchmarks" else [*toy["study"][catalogue], name]
    return faults_of(toy)


@pytest.mark.parametrize("catalogue", ["models", "merges", "judges", "benchmarks"])
@pytest.mark.parametrize(
    "name", ["gen-7B-v0.1-ties", "a", "_a-", "0123456789" * 9 + "abcdefghij", "v0.1.2", "ab" * 19]
)
def test_names_have_letters_digits_underscores_hyphens_and_dots_inside(toy, catalogue, name):
    assert named(toy, catalogue, name) == []


@pytest.mark.parametrize("catalogue", ["models", "merges", "judges", "benchmarks"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\n", "a name has letters"),
        ("a b", "a name has letters"),
        ("a/b", "a name has letters"),
        (".", "a name has letters"),
        ("..", "a name has letters"),
        ("a.", "a name has letters"),
        (".a", "a name has letters"),
        ("a..b", "a name has letters"),
        ("é", "a name has letters"),
        ("", "a name has letters"),
        ("x" * 101, "has 101 characters; at most 100"),
        ("x" * 300, "has 300 characters; at most 100"),
        ("h" * 20, "'h' is repeated 20 times or more, which Snakemake refuses"),
        ("1-" + "abc" * 20, "'abc' is repeated 20 times or more, which Snakemake refuses"),
        ("0.5", "is a number or truth value in tables; rename it"),
        ("-1", "is a number or truth value in tables; rename it"),
        ("1e5", "is a number or truth value in tables; rename it"),
        ("NaN", "is a number or truth value in tables; rename it"),
        ("True", "is a number or truth value in tables; rename it"),
    ],
)
def test_any_other_name_is_one_short_fault(toy, catalogue, name, said):
    faults = named(toy, catalogue, name)
    assert len(faults) == 1, faults
    assert faults[0].startswith(catalogue)
    assert said in faults[0]
    assert len(faults[0]) < 220
    assert "\n" not in faults[0]


@pytest.mark.parametrize("name", ["fz\n", "x" * 101, "..", "a b"])
def test_the_name_of_a_study_is_a_name_too(toy, name):
    toy["study"]["name"] = name
    faults = faults_of(toy)
    assert len(faults) == 1, faults
    assert faults[0].startswith("study.name")


def test_a_studys_name_may_be_a_number(toy):
    toy["study"]["name"] = "2024.1"
    assert faults_of(toy) == []


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_language_has_no_line_end(toy, end):
    toy["study"]["languages"][end] = f"{toy['study']['languages'][end]}\n"
    assert faults_of(toy) == [
        f"study.languages.{end}: '{'en' if end == 'source' else 'ja'}\\n' is not allowed: a language has a "
        "code of two or three lower-case letters, such as `en` or `ja`"
    ]


def test_names_that_differ_only_in_case_share_files_on_some_disks(toy):
    said = "models and merges: 'expert' and 'Expert' differ only in case, so they may share files; rename one"
    assert named(toy, "merges", "Expert") == [said]
    assert any("judges: 'chrf' and 'ChrF' differ" in fault for fault in named(toy, "judges", "ChrF"))


def test_names_of_definitions_that_are_not_selected_may_differ_in_case(toy):
    toy["merges"]["SLERP"] = SLERP
    assert faults_of(toy) == []


@pytest.mark.parametrize("name", ["base", "union"])
def test_a_model_has_no_name_with_a_meaning_for_mergekits_tokenizers(toy, name):
    faults = named(toy, "models", name)
    assert len(faults) == 1
    assert f"models.{name}: as a tokenizer's source, '{name}' means" in faults[0]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("s", [1e16, 2e16], "the merge 's_t1e+16' is not a name; a name has letters"),
        ("s" * 96, [0.25, 0.5], "has 102 characters; at most 100 are allowed; shorten the name of the sweep"),
        (
            "s",
            [[0.125] * 20, 0.5],
            "has 122 characters; at most 100 are allowed; shorten the name of the sweep",
        ),
    ],
)
def test_names_that_a_sweep_makes_are_checked_too(toy, name, values, said):
    sweep = copy.deepcopy(SLERP)
    sweep["recipe"]["parameters"] = {"t": "{t}"}
    toy["merges"][name] = sweep | {"grid": {"t": values}}
    toy["study"]["merges"] = [name]
    found = [fault for fault in faults_of(toy) if ".grid: the merge" in fault]
    assert len(found) == 1, faults_of(toy)
    assert said in found[0]
    assert len(found[0]) < 330


@pytest.mark.parametrize("key", ["sk-proj-abcdefghij0123456789", "AIzaSyA1234567890abcdefghijklmnopqrstuv"])
def test_a_key_in_the_place_of_its_variable_is_not_repeated(toy, key):
    judge = {"provider": "openai", "model": "m", "key_variable": key}
    toy["judges"]["j"] = judge
    toy["study"]["judges"] = ["j"]
    faults = faults_of(toy)
    assert len(faults) == 1
    assert faults[0].startswith("judges.j.key_variable: ")
    assert key not in faults[0]
    judge["key_variable"] = "MY_OPENAI_API_KEY_2"
    assert faults_of(toy) == []


def test_snakemake_takes_names_with_dots_everywhere(tmp_path):
    study = {
        "study": {
            "name": "v0.1",
            "merges": ["gen-7B-v0.1-ties", "lin_w0.5"],
            "judges": ["chrf.gold"],
            "benchmarks": ["q.1"],
        },
        "merges": {"gen-7B-v0.1-ties": SLERP, "lin_w0.5": SLERP},
        "judges": {"chrf.gold": {"provider": "chrf"}},
        "benchmarks": {
            "q.1": {
                "tasks": ["pubmedqa"],
                "folder": "resources/benchmarks/pubmedqa",
                "data": {"source": "toy"},
            }
        },
    }
    file = tmp_path / "dots.yaml"
    file.write_text(yaml.safe_dump(study))
    wanted = [
        "results/v0.1/judgements/chrf.gold/gen-7B-v0.1-ties.jsonl",
        "results/v0.1/benchmarks/q.1/lin_w0.5.json",
        "results/v0.1/report/index.html",
    ]
    snakemake(PROJECT, *wanted, "-n", "--configfile", str(file))
