"""A bad config stops at once and says everything that is wrong with it."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT, snakemake, study_of
from lexmerge.common.errors import StudyError
from lexmerge.study.faults import faults_of, notes_of
from lexmerge.study.readiness import readiness_faults
from lexmerge.study.schema import schema, with_defaults
from lexmerge.study.selection import overlay


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(PROJECT)


@pytest.fixture
def toy() -> dict:
    return yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["config", "paper", "real_data"])
def test_the_projects_own_studies_are_valid(toy, name):
    given = yaml.safe_load(Path(f"config/{name}.yaml").read_text(encoding="utf-8"))
    assert faults_of(overlay(toy, given)) == []


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("study.mergs", [], "study.mergs: unknown key; did you mean 'merges'?"),
        ("study.judges", ["chrff"], "study.judges: unknown name 'chrff'; did you mean 'chrf'?"),
        ("study.judges", [], None),
        ("study.merges", [], None),
        ("study.expert", "ancestor", "study.models: the expert 'ancestor' is missing; add it"),
        ("study.name", "my study", "study.name"),
        ("study.languages.target", "en", "study.languages: source and target are both 'en'"),
        ("study.languages.target", "nl", "definitions.prompts.nl: missing"),
        ("models.expert.source", "toy:expret", "did you mean 'toy:expert'?"),
        ("models.expert.source", "org/model", "models.expert.revision: missing"),
        ("local_rules", ["modles"], "local_rules: unknown name 'modles'; did you mean 'models'?"),
        ("local_rules", ["references", "tables_published", "vocabulary_nltk", "definitions_of_merges"], None),
        ("models.expert.source", "./nowhere", "and there is no folder"),
        ("models.expert.language", "fr", "models.expert.language: 'fr' is not one of the study's"),
        ("merges.slerp.recipe.merge_method", "slurp", "did you mean 'slerp'?"),
        ("merges.slerp.recipe.base_model", "generalst", "merges.slerp.recipe: unknown name 'generalst'"),
        ("merges.slerp.sead", 1, "merges.slerp.sead: unknown key; did you mean 'seed'?"),
        ("merges.slerp.seed", -1, "merges.slerp.seed: -1 is too small; at least 0"),
        ("merges.expert", {"recipe": {"merge_method": "slerp", "base_model": "expert"}}, None),
        ("vocabulary.filters", {"max_count": "one"}, "vocabulary.filters.max_count"),
        (
            "vocabulary.tagger",
            "corpsu",
            "vocabulary.tagger: 'corpsu' is not one of the choices; did you mean",
        ),
        (
            "merging",
            {"checkpoints": {}},
            "merging.checkpoints.at_most: missing. Maximum number of merges with weights",
        ),
        (
            "merging",
            {"checkpoints": {"at_most": 0}},
            "merging.checkpoints.at_most: 0 is too small; at least 1",
        ),
        (
            "merging",
            {"checkpoints": {"atmost": 3}},
            "checkpoints.atmost: unknown key; did you mean 'at_most'?",
        ),
        (
            "merging",
            {"checkpoints": {"at_most": 3, "keep": ["tie"]}},
            "merging.checkpoints.keep: unknown name 'tie'; did you mean 'ties'?",
        ),
        (
            "merging",
            {"checkpoints": {"at_most": 2, "keep": ["ties", "slerp"]}},
            "merging.checkpoints.at_most: 2 leaves no room to make a merge when 2 are kept; set it to 3",
        ),
        (
            "definitions.prompts.ja",
            "nowhere.txt",
            f"definitions.prompts.ja: there is no file {PROJECT}/nowhere.txt",
        ),
        ("definitions.prompts.ja", "README.md", "README.md has no placeholder {term}"),
        ("definitions.dtype", "float8", "definitions.dtype"),
        ("definitions.one_engine", True, "definitions.one_engine: only with the back end 'vllm'"),
        ("definitions.second_pass", {"seed": 1}, "definitions.second_pass.temperature: missing"),
        ("definitions.second_pass", {"temperature": 0}, "definitions.second_pass.temperature"),
        (
            "definitions.second_pass",
            {"temperature": float("nan")},
            "definitions.second_pass.temperature: not a finite number",
        ),
        ("judges.chrf.provider", "chrff", "judges.chrf.provider"),
        ("judges.chrf", {"provider": "chrf", "against": "gold"}, "judges.chrf.gold: missing"),
        ("judges.chrf", {"provider": "openai"}, "judges.chrf.model: missing"),
        ("judges.chrf", {"provider": "chrf", "model": "m"}, "judges.chrf.model: chrf is a lexical judge"),
        (
            "judges.chrf",
            {"provider": "gemini", "model": "m", "against": "references"},
            "judges.chrf.against: gemini is a language model, which has no such setting",
        ),
        (
            "judges.chrf",
            {"provider": "openai", "model": "m", "prompt": "resources/prompts/judgement_blind.txt"},
            "resources/prompts/judgement_blind.txt has no placeholder {reference}; the placeholders of this",
        ),
        ("judging", {"controls": {"terms": 0}}, "judging.controls.terms"),
        ("judging", {"max_cost": float("nan")}, "judging.max_cost: not a finite number"),
        ("benchmarks.pubmedqa.tasks", ["pubmed_qa"], "did you mean 'pubmedqa'?"),
        ("benchmarks.pubmedqa.data", {"source": "jsonl"}, "benchmarks.pubmedqa.data.path: missing"),
        (
            "benchmarks.pubmedqa.data",
            {"source": "pubmed"},
            "benchmarks.pubmedqa.data.source: 'pubmed' is not",
        ),
        (
            "benchmarks.pubmedqa",
            {"tasks": ["pubmedqa"], "data": {"source": "toy"}},
            "benchmarks.pubmedqa.data: only for tasks in a `folder`; the harness's own tasks bring",
        ),
        (
            "benchmarks.pubmedqa.data",
            {"source": "toy", "path": "x"},
            "benchmarks.pubmedqa.data.path: it has no effect with the source 'toy'",
        ),
        (
            "benchmarks.jmedbench",
            {"tasks": ["pubmedqa"]},
            "benchmarks.jmedbench.tasks: 'pubmedqa' is already in the suite 'pubmedqa'",
        ),
        (
            "benchmarks.pubmedqa",
            {"tasks": ["hellaswagg"]},
            "'hellaswagg'; did you mean 'hellaswag'",
        ),
        (
            "benchmarks.pubmedqa",
            {"tasks": ["parts"], "folder": "tests/data/sailing/tasks", "data": {"source": "pinned"}},
            "benchmarks.pubmedqa.data.source: 'pinned' has no data for 'parts'; allowed: jaqket_v2",
        ),
        (
            "benchmarks.pubmedqa.folder",
            "tests/data/sailing/tasks",
            "defines no task 'pubmedqa'; allowed: parts",
        ),
        ("translations", {"provider": "table"}, "translations.path: missing"),
        (
            "translations",
            {"provider": "none", "model": "m"},
            "translations.model: only for the provider 'openai'",
        ),
        (
            "translations",
            {"provider": "openai", "path": "t"},
            "translations.path: only for the provider 'table'",
        ),
        (
            "translations",
            {"provider": "openai", "prompt": "t"},
            f"translations.prompt: there is no file {PROJECT}/t",
        ),
        (
            "translations",
            {"provider": "openai", "base_url": "me"},
            "translations.base_url: the address does not begin with http:// or https://",
        ),
        ("translations", {"provider": "gemini"}, "translations.provider: 'gemini' is not one of the choices"),
        ("vocabulary", {}, "vocabulary.terminology: missing"),
        (
            "vocabulary",
            {"terms": "t.tsv", "filters": {}},
            "vocabulary.filters: it has no effect when `terms` is given",
        ),
        ("vocabulary.terminology.names", ["preferred"], "preferred terms need a `language_refset`"),
        ("vocabulary.terminology.names", ["synonym"], "did you mean 'synonyms'?"),
        (
            "vocabulary.terminology.language_refset",
            "uk",
            "vocabulary.terminology.language_refset: 'uk' is not allowed: write us, gb",
        ),
        ("vocabulary.terminology.format", "fhri", "did you mean 'fhir'?"),
        (
            "vocabulary.terminology",
            {"format": "tsv", "path": "t", "names": ["synonyms"], "language_refset": "us"},
            "vocabulary.terminology.language_refset: only for the format 'rf2'",
        ),
        (
            "vocabulary.terminology",
            {"format": "tsv", "path": "t", "names": ["synonyms"]},
            "vocabulary.terminology.names: the format 'tsv' has no synonyms names, only fully_specified",
        ),
        ("vocabulary.corpus", {"format": "text"}, "vocabulary.corpus.path: missing"),
        (
            "vocabulary.corpus",
            {"format": "text", "path": "t"},
            "vocabulary.tagger: plain text has no tags to train on",
        ),
        ("vocabulary.tagger", "none", None),
        ("study.languages", {"source": "ja", "target": "en"}, None),
        ("vocabulary", {"terms": ""}, "vocabulary.terms: an empty text; give a value"),
        (
            "vocabulary.corpus.files",
            "../*",
            "vocabulary.corpus.files: '../*' is not allowed: write a pattern",
        ),
        ("translations", {"provider": "openai", "prompt": ""}, "translations.prompt: an empty text"),
        ("translations", {"provider": "openai", "parameters": {"model": "x"}}, "translations.parameters"),
        ("vocabulary.published", {"n": 0}, "vocabulary.published.n: 0 is too small; at least 1"),
    ],
)
def test_each_fault_is_named_with_its_place_and_remedy(toy, place, value, said):
    *path, last = place.split(".")
    target = toy
    for key in path:
        target = target[key]
    target[last] = value
    faults = faults_of(toy)
    if said is None:
        assert faults == [], "a definition that is not selected may be anything that the schema allows"
    else:
        assert any(said in fault for fault in faults), faults


def test_a_sweep_that_is_kept_is_all_its_merges(toy):
    ties = copy.deepcopy(toy["merges"]["ties"])
    for entry in ties["recipe"]["models"]:
        entry["parameters"]["density"] = "{density}"
    given = {
        "study": {"merges": ["slerp", "sweep", "linear"]},
        "merges": {"sweep": ties | {"grid": {"density": [0.3, 0.5]}}},
        "merging": {"checkpoints": {"at_most": 4.0, "keep": ["linear", "sweep"]}},
    }
    kept = ["sweep_density0.3", "sweep_density0.5", "linear"]
    assert study_of(given)["merging"]["checkpoints"] == {"at_most": 4, "keep": kept}
    given["merging"]["checkpoints"]["keep"] = ["sweep_density0.5"]
    assert study_of(given)["merging"]["checkpoints"]["keep"] == ["sweep_density0.5"]
    given["merging"]["checkpoints"] = {"at_most": 3, "keep": ["linear", "sweep"]}
    with pytest.raises(StudyError, match="at_most: 3 leaves no room to make a merge when 3 are kept"):
        study_of(given)
    given["study"]["merges"] = ["sweep", "linear"]
    assert study_of(given)["merging"]["checkpoints"]["at_most"] == 3, "everything is kept"


def test_what_a_study_does_not_select_from_needs_no_section(toy):
    for name in ("merges", "judges", "benchmarks"):
        toy["study"][name] = []
        del toy[name]
    study = study_of(toy)
    assert (study["merges"], study["judges"], study["benchmarks"]) == ({}, {}, {})
    toy["study"]["judges"] = ["chrf"]
    with pytest.raises(StudyError, match=r"study\.judges: unknown name 'chrf'; allowed: none"):
        study_of(toy)


def test_tables_and_packages_that_a_study_does_not_read_are_not_missed_and_it_says_so(toy):
    given = {
        "judging": {"ratings": "nowhere.tsv"},
        "published": {"source": "a paper", "definition_scores": "nowhere.tsv", "benchmarks": "nowhere.tsv"},
        "benchmarking": {"backend": "vllm"},
    }
    parts = {"merges": ["slerp"], "judges": ["chrf"], "benchmarks": ["pubmedqa"]}
    whole = study_of(given | {"study": parts})
    assert notes_of(whole) == [] and len(readiness_faults(whole, "results/toy", environments=True)) == 3
    bare = study_of(given | {"study": parts | {"judges": [], "benchmarks": []}})
    assert readiness_faults(bare, "results/toy") == []
    assert notes_of(bare) == [
        "judging.ratings: not used, since study.judges is empty",
        "published.definition_scores: not used, since study.judges is empty",
        "published.benchmarks: not used, since study.benchmarks is empty",
    ]


@pytest.mark.parametrize("section", ["study", "models", "vocabulary", "definitions", "judges"])
@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_a_section_of_the_wrong_kind_is_a_fault_and_no_crash(toy, section, value):
    toy[section] = value
    assert any(fault.startswith(section) for fault in faults_of(toy))


def test_everything_wrong_is_said_at_a_time(toy):
    toy["study"] |= {"judges": ["chrff"], "langages": {}}
    toy["merges"]["ties"]["recipe"]["base_model"] = "ancester"
    toy["definitions"]["batch_size"] = 0
    with pytest.raises(StudyError) as stop:
        study_of(toy)
    for said in ("study.langages", "'chrff'", "'ancester'", "definitions.batch_size"):
        assert said in str(stop.value)


def test_snakemake_stops_before_anything_else_and_shows_no_traceback(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("study: {judges: [chrff], mergs: []}")
    done = snakemake(PROJECT, "-n", "--configfile", str(bad), check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "study.judges: unknown name 'chrff'; did you mean 'chrf'?" in said
    assert "study.mergs: unknown key; did you mean 'merges'?" in said
    assert "Traceback" not in said


def test_a_users_definition_inherits_nothing_from_the_toys(toy):
    mine = {"merges": {"slerp": {"recipe": {"merge_method": "slerp", "base_model": "generalist"}}}}
    merged = overlay(toy, mine | {"vocabulary": {"terminology": {"format": "tsv", "path": "x"}}})
    assert merged["merges"]["slerp"] == mine["merges"]["slerp"]
    assert merged["merges"]["ties"] == toy["merges"]["ties"]
    assert "tagger" not in merged["vocabulary"]


def test_only_what_is_selected_is_in_the_study(toy):
    study = study_of({"study": {"merges": ["slerp"], "judges": ["rouge"]}})
    assert set(study["merges"]) == {"slerp"}
    assert set(study["judges"]) == {"rouge"}
    assert set(study["models"]) == {"expert", "generalist"}, "the ancestor is no parent of slerp"


def test_defaults_are_the_schemas():
    spec = {"properties": {"a": {"default": {}, "properties": {"b": {"default": 1}}}, "c": {"default": [2]}}}
    filled = with_defaults({"c": [3]}, spec)
    assert filled == {"a": {"b": 1}, "c": [3]}


def test_nltks_tagger_knows_english_only(toy):
    toy["study"]["languages"] = {"source": "ja", "target": "en"}
    toy["vocabulary"]["tagger"] = "nltk"
    assert "vocabulary.tagger: NLTK's tagger knows only English, not 'ja'; use corpus or none" in faults_of(
        toy
    )


def test_a_study_says_what_was_done_and_not_what_might_have_been(toy):
    """Defaults of providers and formats that a study does not use are not in its description."""
    given = study_of({})
    assert given["translations"] == toy["translations"]
    asked = study_of({"translations": {"provider": "openai"}})["translations"]
    assert (asked["model"], asked["key_variable"]) == ("gpt-4o-2024-08-06", "OPENAI_API_KEY")
    ours = study_of({"translations": {"provider": "openai", "base_url": "http://localhost:8000/v1"}})
    assert "key_variable" not in ours["translations"], "a server of one's own needs no key"
    assert study_of({"vocabulary": {"terms": "t.tsv"}})["vocabulary"] == {"terms": "t.tsv"}


def test_a_run_that_cannot_finish_does_not_start(toy, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    paper = study_of(yaml.safe_load(Path("config/paper.yaml").read_text(encoding="utf-8")))
    paper["vocabulary"]["terminology"]["path"] = str(tmp_path / "nothing")
    faults = readiness_faults(paper, "results/paper")
    assert any(f"there is no {tmp_path / 'nothing'}" in fault for fault in faults)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    assert (
        sum(
            "judges." in fault and "no API key" in fault for fault in readiness_faults(paper, "results/paper")
        )
        == 2
    )
    assert any("put it into the environment variable OPENAI_API_KEY" in fault for fault in faults)


def test_a_back_end_that_is_not_installed_is_told_before_anything_runs(toy, monkeypatch):
    monkeypatch.setattr("lexmerge.study.readiness.find_spec", lambda name: None)
    study = study_of({"definitions": toy["definitions"] | {"backend": "vllm"}})
    assert study["definitions"]["batch_size"] == 1024
    (fault,) = readiness_faults(study, "results/toy")
    assert "vllm is not installed in this environment; install envs/workstation-vllm.txt" in fault
    assert readiness_faults(study, "results/toy", environments=True) == []


def test_every_key_of_the_schema_is_described():
    def undescribed(node: dict, path: str = "") -> list[str]:
        children = dict(node.get("properties", {}))
        if isinstance(node.get("additionalProperties"), dict):
            children["<name>"] = node["additionalProperties"]
        missing = [
            path + key for key, child in children.items() if "description" not in child and key != "<name>"
        ]
        return missing + [m for key, child in children.items() for m in undescribed(child, f"{path}{key}.")]

    assert undescribed(schema()) == []


def test_every_mapping_of_the_schema_refuses_unknown_keys_except_what_is_handed_on():
    def loose(node: dict, path: str = "") -> list[str]:
        children = dict(node.get("properties", {}))
        named = node.get("additionalProperties")
        if isinstance(named, dict):
            children["<name>"] = named
        here = [path] if "object" in node.get("type", "") and named in (None, True) else []
        return here + [p for key, child in children.items() for p in loose(child, f"{path}.{key}")]

    assert loose(copy.deepcopy(schema())) == [
        ".merges.<name>.recipe",
        ".translations.parameters",
        ".judges.<name>.parameters",
    ]


def test_the_schemas_merge_methods_are_mergekits():
    code = (
        "from mergekit.merge_methods.registry import registered_methods\n"
        "print(*sorted(method.spec.name for method in registered_methods()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    recipe = schema()["properties"]["merges"]["additionalProperties"]["properties"]["recipe"]
    assert recipe["properties"]["merge_method"]["enum"] == done.stdout.split()


def test_where_jobs_run_is_no_part_of_a_study(toy):
    assert study_of({"local_rules": ["models", "judgements"]}) == study_of({})
