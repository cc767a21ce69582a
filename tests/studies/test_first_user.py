"""The studies that a first user writes, each in one file of its own: planned, and one of them run."""

import json
from pathlib import Path

import pytest
import yaml
from explorer_page import data_of
from helpers import clone, snakemake
from lexmerge.common.files import read_jsonl, read_numbers
from servers.chat_server import ChatServer, Reply
from servers.running_server import running
from tiny_models import byte_tokenizer, llama

TERMS = "term\ttranslation\nanosmia\tanosmie\nwrist drop\tmain tombante\ntrismus\ttrismus\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A user's folder with checkpoints, terms, a card and tasks; the workflow is in the folder `lexmerge`."""
    folder = tmp_path_factory.mktemp("user")
    clone(folder / "lexmerge")
    for seed, name in enumerate(("base", "medicine", "french")):
        llama(folder / "checkpoints" / name, seed, vocab_size=257)
        byte_tokenizer(folder / "checkpoints" / name)
    (folder / "terms.tsv").write_text(TERMS, encoding="utf-8")
    (folder / "card.yaml").write_text(
        "models:\n  - model: checkpoints/base\n  - model: checkpoints/medicine\n"
        "    parameters: {density: 0.5, weight: 0.5}\n"
        "  - model: checkpoints/french\n    parameters: {density: 0.5, weight: 0.5}\n"
        "merge_method: dare_ties\nbase_model: checkpoints/base\nparameters: {int8_mask: true}\n"
        "dtype: bfloat16",
        encoding="utf-8",
    )
    (folder / "tasks").mkdir()
    (folder / "tasks" / "anatomy.yaml").write_text(
        "task: anatomy\ndataset_path: json\ntest_split: test\noutput_type: multiple_choice\n"
        'doc_to_text: "{{question}}"\ndoc_to_choice: [oui, non]\ndoc_to_target: "{{answer}}"\n'
        "metric_list: [{metric: acc}]\n",
        encoding="utf-8",
    )
    documents = [{"question": f"Os {n} ?", "answer": n % 2} for n in range(6)]
    (folder / "tasks" / "anatomy.jsonl").write_text("\n".join(map(json.dumps, documents)), encoding="utf-8")
    return folder


def study(name: str, **more) -> dict:
    """An English-French study of two local checkpoints; it has the judges and benchmarks of `more`."""
    selected = {key: more.pop(key, {}) for key in ("merges", "judges", "benchmarks")}
    linear = {
        "merge_method": "linear",
        "models": [{"model": n, "parameters": {"weight": 0.5}} for n in ("medicine", "french")],
        "dtype": "float32",
    }
    selected["merges"] = selected["merges"] or {"half": {"recipe": linear}}
    return {
        "study": {
            "name": name,
            "languages": {"source": "en", "target": "fr"},
            "expert": "medicine",
            "generalist": "french",
            "models": ["medicine", "french"],
            **{section: list(definitions) for section, definitions in selected.items()},
        },
        "models": {
            "medicine": {"source": "checkpoints/medicine", "language": "en"},
            "french": {"source": "checkpoints/french"},
        },
        "vocabulary": {"terms": "terms.tsv"},
        "translations": {"provider": "table", "path": "terms.tsv"},
        "definitions": {"max_new_tokens": 8},
        **selected,
        **more,
    }


OVERLAP = {"overlap": {"provider": "chrf", "against": "references"}}
OWN_TASKS = {"own": {"folder": "tasks", "tasks": ["anatomy"], "data": {"source": "jsonl", "path": "tasks"}}}
STUDIES = {
    "english-french": study(
        "english-french", judges=OVERLAP, benchmarks={"harness": {"tasks": ["arc_easy"]}}
    ),
    "own-terms": study("own-terms", judges=OVERLAP, translations={"provider": "none"}),
    "own-judge": study(
        "own-judge",
        judges={"local": {"provider": "openai", "model": "m", "base_url": "http://localhost:8000/v1"}},
    ),
    "own-tasks": study("own-tasks", judges=OVERLAP, benchmarks=OWN_TASKS),
    "cards": study("cards", merges={"card": {"recipe": "card.yaml"}}, judges=OVERLAP),
    "no-benchmarks": study("no-benchmarks", judges=OVERLAP),
}


def run(folder: Path, config: dict, *arguments: str):
    file = folder / f"{config['study']['name']}.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    entry = ("-s", "lexmerge/workflow/Snakefile")
    return snakemake(folder, *entry, *arguments, "--configfile", file.name)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_of_ones_own_is_planned_at_the_first_try(folder, name):
    done = run(folder, STUDIES[name], "-n")
    assert f"note: the study '{name}': all from {folder}/{name}.yaml" in done.stderr
    assert "would stop" not in done.stderr
    assert "toy_models" not in done.stdout


def test_a_study_with_a_card_own_terms_own_tasks_and_an_own_judge_runs_to_its_report(folder):
    server = ChatServer(lambda request: Reply(json.dumps({"reasoning": "close", "score": 6})))
    with running(server):
        judge = {"provider": "openai", "model": "m", "base_url": server.url}
        config = study(
            "all",
            merges={"card": {"recipe": "card.yaml"}},
            judges={"local": judge},
            benchmarks=OWN_TASKS,
            judging={"controls": {"terms": 2, "repeats": 2}},
        )
        run(folder, config, "--cores", "2")
    results = folder / "results/all"
    assert list(read_numbers(results / "tables/benchmarks.tsv")) == ["model", "anatomy_acc"]
    written = read_jsonl(results / "definitions/card.jsonl")
    assert [row["translation"] for row in written] == ["anosmie", "main tombante", "trismus"]
    page = data_of((results / "report/index.html").read_text(encoding="utf-8"))
    assert [row[1] for row in page["terms"]] == ["anosmie", "main tombante", "trismus"]
    assert not (folder / "lexmerge/results/all").exists()
