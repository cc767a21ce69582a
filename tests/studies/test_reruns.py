"""Only what changed is made again: each test states what Snakemake plans after one kind of change."""

import os
import re
import shutil
import time

from helpers import DISTANCES, MODELS, clone, ended, pending, snakemake

SUITES = ("pubmedqa", "japanese_leaderboard", "jmedbench")
BENCHMARKS = {"tables/benchmarks.tsv", "tables/benchmark_scores.tsv"}
TYPESET = {
    f"tables/{table}.{kind}"
    for table in ("definition_scores", "benchmarks", "verdicts")
    for kind in ("md", "tex")
}
FOREST = {f"figures/differences.{kind}" for kind in ("svg", "png", "pdf")}
HISTOGRAMS = {f"figures/score_histograms.{kind}" for kind in ("svg", "png", "pdf")}
FINAL = {
    "study.yaml",
    "tables/definition_scores.tsv",
    "tables/definition_flags.tsv",
    "tables/costs.tsv",
    "tables/benchmarks.tsv",
    "tables/benchmark_scores.tsv",
    "tables/validity.tsv",
    "statistics/comparisons.tsv",
    "statistics/agreement.tsv",
    "statistics/transfer.tsv",
    "report/index.html",
    *TYPESET,
    *FOREST,
    *HISTOGRAMS,
}


def branch(merge: str, judges=("chrf", "rouge")) -> set[str]:
    """Everything that depends on one merge alone."""
    return {
        f"recipes/{merge}.yaml",
        f"merges/{merge}/provenance.json",
        *(f"{folder}definitions/{merge}.jsonl" for folder in ("", "transfer/")),
        *(f"{folder}judgements/{judge}/{merge}.jsonl" for folder in ("", "transfer/") for judge in judges),
        *(f"benchmarks/{suite}/{merge}{end}" for suite in SUITES for end in (".json", ".samples.jsonl")),
    }


def test_a_second_run_schedules_nothing(toy_copy):
    assert pending(toy_copy) == set()
    planned = snakemake(toy_copy, "-n")
    assert "Nothing to be done" in planned.stdout + planned.stderr


def test_where_jobs_run_makes_nothing_again(toy_copy):
    assert pending(toy_copy, "--config", "local_rules=[models, judgements, study]") == set()


def test_what_checks_the_config_makes_nothing_again(toy_copy, edit):
    """A reworded message, a new check, a changed bound: jobs receive the resolved study alone."""
    study = "workflow/scripts/lexmerge/study"
    edit(f"{study}/recipe_faults.py", "drop one of them", "remove one of the two")
    edit(f"{study}/recipe_faults.py", '"density": (0, 1),', '"density": (0.01, 1),')
    edit(f"{study}/faults.py", "def _known(", "def _a_new_check(config):\n    yield from ()\n\n\ndef _known(")
    edit(f"{study}/readiness.py", "there is no ", "missing: ")
    edit("workflow/schemas/config.schema.yaml", "Random seed of every step", "Seed of every step")
    assert pending(toy_copy) == set()


def test_a_lexical_judge_reruns_its_own_judgements_alone(toy_copy, edit):
    edit("workflow/scripts/lexmerge/judgements/lexical_judges/rouge.py", '["rougeL"]', '["rougeL", "rouge1"]')
    again = {f"{folder}judgements/rouge/{model}.jsonl" for folder in ("", "transfer/") for model in MODELS}
    untouched = {*BENCHMARKS, "tables/definition_flags.tsv", "study.yaml"}
    controls = {"controls/rouge.jsonl", "tables/controls.tsv"}
    assert pending(toy_copy) == again | controls | FINAL - untouched


def test_a_providers_client_reruns_no_judge_of_another(toy_copy, edit):
    edit("workflow/scripts/lexmerge/services/gemini_chat.py", '"v1"', '"v1beta"')
    edit("workflow/scripts/lexmerge/models/backends/vllm.py", "batch_size=1024", "batch_size=512")
    edit("workflow/scripts/lexmerge/vocabulary/terminologies/fhir.py", "ValueSet", "Value set")
    assert pending(toy_copy) == set()


def test_fewer_merges_and_models_train_nothing_again(toy_copy, tmp_path):
    """Without task arithmetic, TIES and DARE nothing needs the ancestor; the others stay as they are."""
    overlay = tmp_path / "fewer.yaml"
    overlay.write_text("study: {name: toy, merges: [slerp]}\n", encoding="utf-8")
    made = pending(toy_copy, "--configfile", str(overlay))
    assert not {
        file for file in made if file.startswith(("models/", "definitions/", "merges/", "judgements/"))
    }
    assert "statistics/comparisons.tsv" in made


def test_a_file_that_no_task_reads_makes_nothing_again(toy_copy):
    for suite in SUITES:
        (toy_copy / "resources/benchmarks" / suite / "notes.txt").write_text(
            "read by nobody\n", encoding="utf-8"
        )
    other = (toy_copy / "resources/benchmarks/pubmedqa/pubmedqa.yaml").read_text(encoding="utf-8")
    (toy_copy / "resources/benchmarks/pubmedqa/quiz.yaml").write_text(
        other.replace("task: pubmedqa", "task: quiz")
    )
    (toy_copy / "resources/prompts/definition.de.txt").write_text("{term}?\n", encoding="utf-8")
    assert pending(toy_copy) == set()


def test_a_task_that_changes_makes_its_own_documents_again_and_no_others(toy_copy, edit):
    edit(
        "resources/benchmarks/japanese_leaderboard/jsquad.yaml", "task: jsquad", "task: jsquad\ntask_alias: J"
    )
    assert {file for file in pending(toy_copy) if file.startswith("benchmark_data/")} == {
        f"benchmark_data/japanese_leaderboard/jsquad/{split}.jsonl" for split in ("test", "train")
    }


def test_one_weight_of_one_merge(toy_copy, edit):
    edit("config/config.yaml", "parameters: {weight: 0.7}", "parameters: {weight: 0.6}")
    assert pending(toy_copy) == branch("linear") | FINAL | DISTANCES


def test_a_seed_of_one_merge(toy_copy, edit):
    edit("config/config.yaml", "seed: 42", "seed: 43")
    assert pending(toy_copy) == branch("dare_ties") | FINAL | DISTANCES


def test_a_searchs_budget_reruns_the_search_and_its_merge(toy_copy, edit):
    edit("config/config.yaml", "{evaluations: 45}", "{evaluations: 46}")
    searched = {
        "search/evolved_dare_ties/0.0.jsonl",
        "search/evolved_dare_ties/scores.json",
        "tables/search.tsv",
        "tables/search_parameters.tsv",
        *(f"figures/search_evolved_dare_ties.{kind}" for kind in ("svg", "png", "pdf")),
    }
    assert pending(toy_copy) == branch("evolved_dare_ties") | FINAL | DISTANCES | searched


def test_a_new_judge_reruns_no_merge_and_no_definition(toy_copy, edit):
    edit("config/config.yaml", "judges: [chrf, rouge]", "judges: [chrf, rouge, chrf_to_expert]")
    edit("config/config.yaml", "judges:\n  chrf:", "judges:\n  chrf_to_expert: {provider: chrf}\n  chrf:")
    new = {
        f"{folder}judgements/chrf_to_expert/{model}.jsonl" for folder in ("", "transfer/") for model in MODELS
    }
    controls = {"controls/chrf_to_expert.jsonl", "tables/controls.tsv"}
    untouched = {*BENCHMARKS, "tables/definition_flags.tsv"}
    assert pending(toy_copy) == new | controls | FINAL - untouched


def test_a_new_merge_adds_only_its_own_cells(toy_copy, tmp_path):
    overlay = tmp_path / "more.yaml"
    overlay.write_text(
        """
        study: {name: toy, merges: [slerp, linear, task_arithmetic, ties, dare_ties, evolved_dare_ties, half]}
        merges:
          half:
            recipe:
              merge_method: slerp
              base_model: generalist
              models: [{model: generalist}, {model: expert}]
              parameters: {t: 0.5}
              dtype: float32
              out_dtype: bfloat16
        """
    )
    assert pending(toy_copy, "--configfile", str(overlay)) == branch("half") | FINAL | DISTANCES


def test_a_new_benchmark_of_the_users_reruns_no_merge(toy_copy, tmp_path):
    suite = toy_copy / "resources/benchmarks/mine"
    suite.mkdir()
    task = (toy_copy / "resources/benchmarks/pubmedqa/pubmedqa.yaml").read_text(encoding="utf-8")
    (suite / "quiz.yaml").write_text(task.replace("task: pubmedqa", "task: quiz"), encoding="utf-8")
    overlay = tmp_path / "more.yaml"
    overlay.write_text(
        """
        study: {name: toy, benchmarks: [pubmedqa, japanese_leaderboard, jmedbench, mine]}
        benchmarks:
          mine: {folder: resources/benchmarks/mine, tasks: [quiz], data: {source: jsonl, path: data/mine}}
        """
    )
    cells = {f"benchmarks/mine/{model}{end}" for model in MODELS for end in (".json", ".samples.jsonl")}
    scores = {
        "tables/definition_scores.tsv",
        "tables/definition_flags.tsv",
        *HISTOGRAMS,
    }
    assert pending(toy_copy, "--configfile", str(overlay)) == cells | {
        "benchmark_data/mine/quiz/test.jsonl",
        "benchmark_data/mine/quiz/train.jsonl",
    } | FINAL - {
        *scores,
        "statistics/agreement.tsv",
        "statistics/transfer.tsv",
        "tables/costs.tsv",
    }


def test_a_benchmark_less_reruns_no_merge(toy_copy, edit):
    edit(
        "config/config.yaml",
        "[pubmedqa, japanese_leaderboard, jmedbench]",
        "[pubmedqa, japanese_leaderboard]",
    )
    assert pending(toy_copy) == {
        "study.yaml",
        "tables/benchmarks.tsv",
        "tables/benchmark_scores.tsv",
        "tables/validity.tsv",
        "statistics/comparisons.tsv",
        "report/index.html",
        *TYPESET,
        *FOREST,
    }


def test_reordered_keys_and_a_comment_in_the_config(toy_copy, edit):
    edit("config/config.yaml", "{weight: 1.0, density: 0.5}", "{density: 0.50, weight: 1.0}")
    edit("config/config.yaml", "\nmerges:\n", "\n# a remark\nmerges:\n")
    edit("config/config.yaml", "seed: 42\n    recipe:", "recipe:")
    edit("config/config.yaml", "      parameters: {normalize: false, rescale: true}\n", "")
    edit(
        "config/config.yaml",
        "      merge_method: dare_ties\n",
        "      parameters: {rescale: true, normalize: false}\n      merge_method: dare_ties\n",
    )
    edit("config/config.yaml", "  dare_ties:\n    recipe", "  dare_ties:\n    seed: 42\n    recipe")
    assert pending(toy_copy) == set()


def test_a_touched_script_a_comment_and_a_docstring(toy_copy, edit):
    later = time.time() + 100
    for script in (toy_copy / "workflow" / "scripts").rglob("*.py"):
        os.utime(script, (later, later))
    edit("workflow/scripts/lexmerge/merges/merge.py", "def merge(", "# a remark\n\n\ndef merge(")
    edit(
        "workflow/scripts/lexmerge/common/files.py",
        '"""The SHA-256 of each file',
        '"""The hash of each file',
    )
    assert pending(toy_copy) == set()


def test_a_fresh_clone_over_the_same_results(toy_copy, tmp_path):
    fresh = clone(tmp_path / "fresh")
    for kept in ("results", ".snakemake"):
        shutil.rmtree(fresh / kept, ignore_errors=True)
        (toy_copy / kept).rename(fresh / kept)
    assert pending(fresh) == set()


def test_a_fresh_clone_over_results_without_snakemakes_records(toy_copy, tmp_path):
    fresh = clone(tmp_path / "fresh")
    shutil.rmtree(fresh / "results")
    (toy_copy / "results").rename(fresh / "results")
    assert pending(fresh) == set()


def test_an_edited_function_in_a_shared_module(toy_copy, edit):
    """`scoring` is imported by the judgements' scripts and by no others."""
    edit(
        "workflow/scripts/lexmerge/judgements/scoring.py",
        "int(10 * overlap + 0.5)",
        "int(10 * overlap + 0.4)",
    )
    toy = toy_copy / "results/toy"
    judged = {
        f.relative_to(toy).as_posix() for f in toy.glob("**/judgements/*/*.jsonl") if "journal" not in f.parts
    }
    assert len(judged) == 32
    controls = {"controls/chrf.jsonl", "controls/rouge.jsonl", "tables/controls.tsv"}
    untouched = {
        "tables/benchmarks.tsv",
        "tables/benchmark_scores.tsv",
        "tables/definition_flags.tsv",
        "study.yaml",
    }
    assert pending(toy_copy) == judged | controls | FINAL - untouched


def test_an_edited_prompt_reruns_who_is_asked_with_it(toy_copy, edit):
    edit("resources/prompts/definition.en.txt", "Define the term", "Please define the term")
    plan = pending(toy_copy)
    assert "definitions/expert.jsonl" in plan
    assert "models/expert/provenance.json" in plan, "the toy models learn from the prompts"


def test_with_one_engine_one_job_asks_all_merges(toy_copy, tmp_path):
    overlay = tmp_path / "vllm.yaml"
    overlay.write_text(
        """
        study: {name: toy}
        definitions:
          prompts: {en: resources/prompts/definition.en.txt, ja: resources/prompts/definition.ja.txt}
          backend: vllm
          one_engine: true
        """
    )
    planned = snakemake(toy_copy, "-n", "--configfile", str(overlay)).stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned, re.M))
    assert (jobs["definitions_of_merges"], jobs["definitions"], jobs["references"]) == ("1", "2", "1")
    assert "transfer_definitions" not in jobs
    assert "merges" not in jobs


def test_a_second_pass_renews_the_experts_definitions_and_no_reference(toy_copy, edit):
    edit("config/config.yaml", "definitions:\n", "definitions:\n  second_pass: {temperature: 1.0}\n")
    judged = {f"judgements/{judge}/expert.jsonl" for judge in ("chrf", "rouge")}
    untouched = {*BENCHMARKS}
    assert pending(toy_copy) == {"definitions/expert.jsonl"} | judged | FINAL - untouched


def test_a_deleted_score_file_comes_back(toy_copy):
    gone = toy_copy / "results/toy/judgements/chrf/ties.jsonl"
    before = gone.read_bytes()
    gone.unlink()
    assert "judgements/chrf/ties.jsonl" in pending(toy_copy)
    snakemake(toy_copy, "--cores", "2")
    assert gone.read_bytes() == before
    assert pending(toy_copy) == set()


def test_a_merge_made_again_with_the_same_bits_reruns_nothing_after_it(toy_copy):
    shutil.rmtree(toy_copy / "results/toy/merges/slerp")
    done = snakemake(toy_copy, "--cores", "2", "results/toy/merges/slerp/provenance.json")
    assert ended(done) == ["merges slerp"]
    planned = snakemake(toy_copy, "-n")
    assert "Nothing to be done" in planned.stdout + planned.stderr
