"""The toy study from end to end: what is made, and that its numbers mean what they say."""

import hashlib
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers import MODELS, PROJECT
from lexmerge.common.files import hashes, read_jsonl, read_numbers, read_tsv
from lexmerge.common.prompts import fill, read_prompt
from lexmerge.models.generation import Decoding, Writer
from lexmerge.models.transformers_engine import TransformersEngine
from sacrebleu.metrics import CHRF
from safetensors.torch import load_file
from torch.testing import assert_close

MERGES = MODELS[2:]


@pytest.fixture(scope="session")
def glossary() -> list[dict]:
    return read_tsv(PROJECT / "resources/toy/glossary.tsv").to_dict("records")


@pytest.fixture(scope="session")
def parents(toy, glossary):
    """How well a parent defines a domain's words in a language: mean chrF, 0 to 100, as sacrebleu has it."""
    folders = {name: str(toy / "models" / name) for name in MODELS[:2]}
    loaded = {
        name: (Writer(folder), TransformersEngine(folder, "float32", "cpu"))
        for name, folder in folders.items()
    }
    prompts = {
        code: read_prompt(PROJECT / f"resources/prompts/definition.{code}.txt") for code in ("en", "ja")
    }

    def quality(model: str, domain: str, language: str) -> float:
        rows = [row for row in glossary if row["domain"] == domain]
        words = [row["term" if language == "en" else "translation"] for row in rows]
        writer, engine = loaded[model]
        ids = writer.ids([fill(prompts[language], word) for word in words])
        said = dict(engine.generate(ids, writer.ends, Decoding(64)))
        scores = [
            CHRF()
            .sentence_score(writer.read(ids[i], said[i], "", 0).text, [row[f"definition_{language}"]])
            .score
            for i, row in enumerate(rows)
        ]
        return statistics.mean(scores)

    return quality


def test_the_glossary_is_large_enough(glossary):
    domains = [row["domain"] for row in glossary]
    assert domains.count("medical") >= 60
    assert domains.count("everyday") >= 60
    assert all(value for row in glossary for value in row.values())


def test_the_expert_knows_medicine_in_english_and_no_japanese(parents):
    assert parents("expert", "medical", "en") > 85
    assert parents("expert", "medical", "ja") < 15


def test_the_generalist_knows_everyday_words_in_japanese_and_half_of_medicine(parents):
    assert parents("generalist", "everyday", "ja") > 85
    assert 30 < parents("generalist", "medical", "ja") < 80
    assert parents("generalist", "medical", "en") < 30


def test_both_children_are_near_their_ancestor(toy):
    """They share its basin: a child is nearer to the ancestor than its own weights are large."""
    ancestor = load_file(toy / "models/ancestor/model.safetensors")
    for name in ("generalist", "expert"):
        child = load_file(toy / f"models/{name}/model.safetensors")
        moved = sum((child[key].float() - ancestor[key].float()).norm() ** 2 for key in ancestor)
        size = sum(ancestor[key].float().norm() ** 2 for key in ancestor)
        assert 0 < moved < 0.25 * size


def test_training_takes_at_most_a_minute(toy):
    log = (toy / "logs/toy_models.log").read_text(encoding="utf-8")
    assert float(re.search(r"work ([\d.]+) s", log)[1]) < 60 * 1.5, "allowing for a machine that is busy"


def test_every_promised_path_is_there(toy):
    paths = [
        "study.yaml",
        "vocabulary/terms.tsv",
        "vocabulary/funnel.tsv",
        "vocabulary/translations.tsv",
        "references/expert.jsonl",
        "tables/definition_scores.tsv",
        "tables/benchmarks.tsv",
        "tables/benchmark_scores.tsv",
        "figures/score_histograms.svg",
        "figures/score_histograms.png",
        "statistics/comparisons.tsv",
        "statistics/agreement.tsv",
        "statistics/transfer.tsv",
        "tables/validity.tsv",
        *(
            f"tables/{t}.{kind}"
            for t in ("definition_scores", "benchmarks", "verdicts")
            for kind in ("md", "tex")
        ),
        *(f"figures/{f}.{kind}" for f in ("differences", "distances") for kind in ("svg", "png", "pdf")),
        "report/index.html",
        *(f"recipes/{merge}.yaml" for merge in MERGES),
        *(f"merges/{merge}/{file}" for merge in MERGES for file in ("model.safetensors", "tokenizer.json")),
        *(f"merges/{merge}/provenance.json" for merge in MERGES),
        *(f"definitions/{model}.jsonl" for model in MODELS),
        *(f"judgements/{judge}/{model}.jsonl" for judge in ("chrf", "rouge") for model in MODELS),
    ]
    assert [path for path in paths if not (toy / path).is_file()] == []


def test_the_funnel_removes_what_was_put_there_to_be_removed(toy):
    funnel = read_tsv(toy / "vocabulary/funnel.tsv")
    assert funnel.to_dict("list") == {
        "stage": [
            "fully specified names",
            "single words",
            "unique, case-folded",
            "at most 1 in the corpus",
            "part of speech: NN*, JJ*",
        ],
        # 92 concepts less 2 inactive ones and 1 inactive name; 9 names of several words or with a hyphen;
        # malaria and nephritis twice; 8 everyday words, malaria and insomnia are common; two adverbs.
        "kept": ["89", "80", "78", "68", "66"],
        "removed": ["0", "9", "2", "10", "2"],
    }
    terms = read_tsv(toy / "vocabulary/terms.tsv")
    assert list(terms) == ["term", "semantic_tag", "concept_id", "corpus_count", "part_of_speech"]
    assert terms[terms.term == "asthma"].corpus_count.item() == "1"
    assert set(terms.term) >= {"nephritis", "biopsy"}
    assert not set(terms.term) & {"malaria", "insomnia", "fever", "bicycle", "orally", "dropsy", "catarrh"}


def test_definitions_have_one_row_a_term_in_the_language_asked(toy):
    terms = list(read_tsv(toy / "vocabulary/terms.tsv").term)
    for model in MODELS:
        rows = read_jsonl(toy / f"definitions/{model}.jsonl")
        assert [row["term"] for row in rows] == terms
        assert {row["prompt_language"] for row in rows} == {"en" if model == "expert" else "ja"}
        assert {row["finish_reason"] for row in rows} <= {"stop", "length"}
        assert all(1 <= row["tokens"] <= 256 for row in rows)


def test_the_experts_references_are_its_greedy_definitions_and_the_report_says_so(toy):
    assert read_jsonl(toy / "references/expert.jsonl") == read_jsonl(toy / "definitions/expert.jsonl")
    assert "are the same text (greedy decoding)" in (toy / "report/index.html").read_text(encoding="utf-8")


def test_table_1_is_what_the_judgements_say(toy):
    table = read_numbers(toy / "tables/definition_scores.tsv")
    assert list(table)[:7] == ["model", "judge", "median", "mean", "std", "n", "n_unscored"]
    assert list(table)[7:] == ["unscored", "ci_low", "ci_high", "controls"]
    assert len(table) == 16
    for row in table.to_dict("records"):
        judged = read_jsonl(toy / f"judgements/{row['judge']}/{row['model']}.jsonl")
        scores = [r["score"] for r in judged if r["status"] == "scored"]
        assert row["n"] == len(scores)
        assert row["n"] + row["n_unscored"] == 66
        assert row["median"] == statistics.median(scores)
        assert row["mean"] == pytest.approx(statistics.mean(scores), abs=6e-4)
        assert row["std"] == pytest.approx(statistics.stdev(scores), abs=6e-4)
        assert row["ci_low"] < row["mean"] < row["ci_high"]


def test_a_judgement_has_a_score_from_0_to_10_or_a_reason(toy):
    for file in (toy / "judgements").glob("*/*.jsonl"):
        for row in read_jsonl(file):
            assert list(row)[:5] == ["term", "score", "status", "reason", "judge_model"]
            assert list(row)[5:] == ["asked", "input_tokens", "output_tokens"]
            assert row["reason"]
            assert (row["score"] in range(11)) if row["status"] == "scored" else row["score"] is None


def test_table_2_has_the_papers_nine_columns_and_both_readings_of_exact_match(toy):
    table = read_numbers(toy / "tables/benchmarks.tsv")
    assert list(table.model) == MODELS
    assert list(table)[1:] == [
        "pubmedqa_acc",
        "jaqket_v2_exact_match",
        "jaqket_v2_exact_match_any",
        "jcommonsenseqa_acc",
        "jsquad_exact_match",
        "jsquad_exact_match_any",
        "xwinograd_acc",
        "xlsum_rouge2",
        "jmedbench_mcqa_acc",
        "jmedbench_dc_acc",
        "jmedbench_sts_pearson",
    ]
    generalist, expert = table.set_index("model").loc["generalist"], table.set_index("model").loc["expert"]
    assert generalist.jaqket_v2_exact_match > 0.8 > 0.2 > expert.jaqket_v2_exact_match
    assert generalist.xlsum_rouge2 > 0.8 > 0.2 > expert.xlsum_rouge2
    assert expert.pubmedqa_acc > generalist.pubmedqa_acc
    assert generalist.jmedbench_dc_acc > 0.7 > 0.5 > expert.jmedbench_dc_acc
    assert generalist.jmedbench_sts_pearson > 0.3


def test_benchmark_results_name_the_weights_that_they_belong_to(toy):
    for suite in ("pubmedqa", "japanese_leaderboard", "jmedbench"):
        for model in MODELS:
            folder = toy / ("merges" if model in MERGES else "models") / model
            results = json.loads((toy / f"benchmarks/{suite}/{model}.json").read_text(encoding="utf-8"))
            assert results["model_files"] == hashes(folder)


def test_no_two_models_have_the_same_weights(toy):
    files = [*toy.glob("models/*/model.safetensors"), *toy.glob("merges/*/model.safetensors")]
    assert len(files) == 9
    assert len({hashlib.sha256(file.read_bytes()).hexdigest() for file in files}) == 9


@pytest.mark.parametrize("merge", ["dare_ties", "slerp", "evolved_dare_ties"])
def test_mergekits_own_command_makes_the_same_merge_from_the_recipe(toy_run, toy, merge, tmp_path):
    recipe = toy / f"recipes/{merge}.yaml"
    command = recipe.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    name, *arguments = command.replace("FOLDER", str(tmp_path / "theirs")).split()
    subprocess.run(
        [Path(sys.executable).parent / name, *arguments], cwd=toy_run, check=True, capture_output=True
    )
    theirs = (tmp_path / "theirs/model.safetensors").read_bytes()
    assert theirs == (toy / f"merges/{merge}/model.safetensors").read_bytes()


def test_linear_is_the_weighted_mean_of_its_parents(toy):
    one, other, merged = (
        load_file(toy / path / "model.safetensors")
        for path in ("models/generalist", "models/expert", "merges/linear")
    )
    for name, tensor in merged.items():
        expected = 0.7 * one[name].float() + 0.3 * other[name].float()
        assert_close(tensor.float(), expected, rtol=2**-8, atol=1e-6, msg=name)  # bfloat16 has 8 bits


def test_provenance_says_what_a_merge_was_made_with(toy):
    found = json.loads((toy / "merges/dare_ties/provenance.json").read_text(encoding="utf-8"))
    assert found["seed"] == 42
    assert found["versions"]["mergekit"] == "0.1.5"
    assert found["recipe"]["merge_method"] == "dare_ties"
    assert found["files"] == hashes(toy / "merges/dare_ties")


def test_the_study_file_has_the_selection_with_defaults(toy):
    study = yaml.safe_load((toy / "study.yaml").read_text(encoding="utf-8"))
    assert study["config"]["definitions"]["max_new_tokens"] == 256
    assert study["config"]["study"]["merges"] == MERGES
    assert sorted(study["config"]["merges"]) == sorted(MERGES)
    assert study["versions"]["transformers"] == "5.19.0"


def test_the_report_stands_alone_and_shows_the_tables_and_the_figure(toy):
    page = (toy / "report/index.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!#)', page), "nothing is loaded from elsewhere"
    assert "on which the toy models were trained" in page
    assert "<svg" in page
    for model in MODELS:
        assert f"<td>{model}</td>" in page
    assert "chrf (lexical)" in page
    means = read_numbers(toy / "tables/definition_scores.tsv")["mean"]
    assert [mean for mean in means if not re.search(rf"<td[^>]*>{mean:.2f}<", page)] == []


def test_the_terminal_says_in_one_line_what_was_made_and_where(toy_copy):
    from helpers import snakemake

    (toy_copy / "results/toy/report/index.html").unlink()
    done = snakemake(toy_copy, "--cores", "2").stdout
    line = "The study 'toy' (6 merges, 8 models under test, 2 judges, 3 benchmarks) is finished: open"
    assert f"{line} results/toy/report/index.html" in done
