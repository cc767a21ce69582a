"""What a study takes from the toy study: a variant all that it does not say, a study of its own nothing."""

import pytest
import yaml
from helpers import PROJECT, study_of
from lexmerge.common.errors import StudyError
from lexmerge.study.config import load


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(PROJECT)


OWN_MODELS = {"doctor": {"source": "toy:expert"}, "parrot": {"source": "toy:generalist"}}


def faults(given: dict) -> list[str]:
    with pytest.raises(StudyError) as raised:
        load(given, [])
    return [line.removeprefix("  - ") for line in str(raised.value).splitlines()[1:]]


def test_a_config_of_its_own_models_must_say_all_of_the_selection_and_the_sections():
    said = faults({"models": OWN_MODELS})
    keys = [fault.split(":")[0] for fault in said]
    selection = ("benchmarks", "expert", "generalist", "judges", "languages", "merges", "models", "name")
    assert {*keys} >= {*(f"study.{key}" for key in selection), "translations", "vocabulary"}


def test_all_that_is_missing_is_demanded_at_once():
    said = faults({"study": {"name": "own"}, "models": OWN_MODELS})
    missing = {fault.split(":")[0] for fault in said if "missing" in fault}
    assert missing == {
        *("study.languages", "study.expert", "study.generalist", "study.models", "study.merges"),
        *("study.judges", "study.benchmarks", "vocabulary", "translations"),
    }


def test_a_missing_selection_names_what_the_config_defines():
    judges = {"overlap": {"provider": "chrf"}, "close": {"provider": "chrf"}}
    said = faults({"study": {"name": "own"}, "models": OWN_MODELS, "judges": judges})
    of_judges = next(fault for fault in said if fault.startswith("study.judges: missing"))
    assert of_judges.endswith("The config defines overlap, close.")
    assert next(fault for fault in said if fault.startswith("study.benchmarks: ")).endswith("is run.")


def own_study(**study) -> dict:
    """A complete study of its own models, without judges and benchmarks."""
    return {
        "study": {
            "name": "own",
            "languages": {"source": "en", "target": "fr"},
            "expert": "doctor",
            "generalist": "parrot",
            "models": ["doctor", "parrot"],
            "merges": [],
            "judges": [],
            "benchmarks": [],
        }
        | study,
        "models": {"doctor": OWN_MODELS["doctor"] | {"language": "en"}, "parrot": OWN_MODELS["parrot"]},
        "vocabulary": {"terms": "terms.tsv"},
        "translations": {"provider": "none"},
    }


def test_a_study_of_its_own_models_has_nothing_of_the_toys():
    study = load(own_study(), []).study
    assert (study["merges"], study["judges"], study["benchmarks"]) == ({}, {}, {})
    assert study["definitions"]["prompts"] == {
        "en": "resources/prompts/definition.en.txt",
        "fr": "resources/prompts/definition.fr.txt",
    }
    assert not study["definitions"]["both_languages"], "the toy study asks in both"
    assert study["judging"]["controls"]["injection"] == "resources/prompts/injection.txt", "nothing Japanese"
    assert study_of({})["judging"]["controls"]["injection"] == "resources/prompts/injection.ja.txt"


def test_a_definition_of_the_toys_is_unknown_in_a_study_of_its_own_models():
    (fault,) = faults(own_study(judges=["chrf"]))
    assert fault == "study.judges: unknown name 'chrf'; allowed: none"


def test_a_config_without_models_is_a_variant_of_the_toy_study():
    study = study_of({"study": {"name": "variant", "merges": ["slerp"]}})
    assert study["study"]["judges"] == ["chrf", "rouge"]
    assert study["study"]["languages"] == {"source": "en", "target": "ja"}


def test_a_config_that_selects_a_toy_model_beside_its_own_is_a_variant_too():
    given = {
        "study": {"name": "mixed", "models": ["expert", "generalist"], "merges": ["slerp"]},
        "models": {"expert": {"source": "toy:expert", "language": "en"}},
    }
    assert load(given, []).study["models"]["generalist"] == {"source": "toy:generalist", "language": "ja"}


def test_a_variant_must_have_a_name_so_that_it_never_overwrites_the_toy_study():
    (fault,) = faults({"merging": {"device": "auto"}})
    assert fault.startswith("study.name: missing.")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, f"the study 'toy': the toy study, {PROJECT}/config/config.yaml"),
        (own_study(), "the study 'own': all from the command line"),
        (
            {"study": {"name": "v", "merges": ["slerp"]}, "vocabulary": {"terms": "t.tsv"}},
            "the study 'v': the command line, and of the toy study study.languages, study.expert, "
            "study.generalist, study.models, study.judges, study.benchmarks, models, merges, translations, "
            "definitions, judges, benchmarks",
        ),
    ],
)
def test_a_run_says_in_one_line_what_is_from_where(given, said):
    assert load(given, []).origin == said


def test_the_template_is_a_valid_study_that_takes_nothing_from_the_toys():
    given = yaml.safe_load((PROJECT / "config/template.yaml").read_text(encoding="utf-8"))
    loaded = load(given, [PROJECT / "config/template.yaml"])
    assert loaded.origin == f"the study 'my_study': all from {PROJECT}/config/template.yaml"
    assert len(loaded.study["merges"]) == 4, "SLERP, and TIES at three densities"
