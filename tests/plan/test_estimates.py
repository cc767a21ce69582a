"""What a job asks of a scheduler: against hand-derived numbers, and in dry runs."""

import json
import re

import pytest
from helpers import clone, snakemake
from lexmerge.models.backend import BACK_ENDS
from lexmerge.plan import estimates as needs

LLAMA = needs.Size(8.03e9, 128256 * 4096, "headers")
SLERP = {"merge_method": "slerp", "dtype": "float16", "models": [{"model": "a"}, {"model": "b"}]}
ON_CPU = {"device": "cpu", "shard_size": 5e9}


@pytest.mark.parametrize(
    ("source", "parameters"),
    [
        ("lightblue/suzume-llama-3-8B-japanese", 8e9),
        ("org/Mixtral-8x7B-v0.1", 56e9),
        ("org/SmolLM-135M", 135e6),
        ("org/Qwen2.5-0.5B-Instruct", 0.5e9),
        ("org/gemma-2b-it", 2e9),
    ],
)
def test_a_models_size_is_in_its_name(source, parameters):
    assert needs.size_of(source, None, "nowhere")[::2] == (parameters, "name")


def test_a_size_that_nothing_says_is_assumed_and_marked():
    assert needs.size_of("org/bionic-3beta", None, "nowhere").known_by == "assumed"
    assert needs.size_of("org/llama-1M-context", None, "nowhere").known_by == "assumed"
    assert needs.size_of("org/tiny-0.0B", None, "nowhere").known_by == "assumed"
    assert needs.size_of("org/thing-8B", 3e9, "nowhere")[::2] == (3e9, "config")


def test_the_headers_of_a_checkpoint_win(toy):
    found = needs.size_of("org/thing-8B", 3e9, str(toy / "models/expert"))
    provenance = json.loads((toy / "merges/linear/provenance.json").read_text(encoding="utf-8"))
    assert found.parameters == provenance["parameters"]
    assert found.known_by == "headers"
    assert found.largest == 1280 * 128  # the embeddings


@pytest.mark.parametrize("head", [b"[1, 2]", b'{"a": 3}', b"{"])
def test_a_head_that_is_none_does_not_stop_the_plan(tmp_path, head):
    (tmp_path / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    assert needs.size_of("org/thing-8B", None, str(tmp_path)).known_by == "name"


def test_a_damaged_checkpoint_does_not_stop_the_plan(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 20)
    assert needs.size_of("org/thing-8B", None, str(tmp_path)).known_by == "name"


def test_the_memory_of_a_merge_is_that_of_its_largest_tensor_and_a_shard():
    """Slerp holds 3 copies and 2 inputs of the embeddings in 2 bytes a number, and 5 GB to be written."""
    need = needs.merging(SLERP, {"a": LLAMA, "b": LLAMA}, ON_CPU)
    held = 128256 * 4096 * 2 * (3 + 2) + 5e9
    assert need["mem_mb"] == pytest.approx(1000 + 1.2 * held / 1e6, abs=1)
    assert need["disk_mb"] == 16060
    assert need["gpu"] == 0


def test_a_merge_in_float32_needs_more_and_ties_most():
    def memory(method, dtype):
        recipe = SLERP | {"merge_method": method, "dtype": dtype, "out_dtype": "bfloat16"}
        return needs.merging(recipe, {"a": LLAMA, "b": LLAMA}, ON_CPU)["mem_mb"]

    assert memory("linear", "float16") < memory("linear", "float32") < memory("ties", "float32")
    # measured elsewhere: float32 TIES takes some 25 GB above its inputs and what is to be written
    assert 30_000 < memory("ties", "float32") < 48_000


def test_cards_by_device_backend_and_size():
    large, toy = needs.guessed(70e9, "name"), needs.guessed(needs.TOY, "config")
    assert needs.cards("cpu", BACK_ENDS["vllm"], large) == 0
    assert needs.cards("auto", BACK_ENDS["transformers"], toy) == 0  # not worth a card of a cluster
    assert needs.cards("cuda", BACK_ENDS["transformers"], toy) == 1
    assert needs.cards("auto", BACK_ENDS["transformers"], large) == 1
    assert needs.cards("auto", BACK_ENDS["vllm"], LLAMA) == 1
    # 140 GB of weights and room beside them, on cards of 80
    assert needs.cards("auto", BACK_ENDS["vllm"], large) == 4


def test_the_time_grows_with_terms_documents_and_size():
    settings = {"backend": "transformers", "device": "cpu", "max_new_tokens": 256, "dtype": "bfloat16"}
    one, two = (needs.asking(LLAMA, settings, terms, 8)["seconds"] for terms in (1000, 2000))
    assert two - one == pytest.approx(1000 * 256 * 8.03e9 / (8 * 8e9))
    tested = {"backend": "hf", "device": "auto", "dtype": "bfloat16"}
    seconds = [needs.testing(LLAMA, tested, documents, 1)["seconds"] for documents in (500, 1000)]
    assert seconds[1] > 1.5 * seconds[0]


def test_a_job_that_makes_its_merge_again_first_has_the_memory_of_the_larger_part():
    first = {"seconds": 100, "mem_mb": 30_000, "gpu": 0, "disk_mb": 5}
    second = {"seconds": 50, "mem_mb": 20_000, "gpu": 2}
    assert needs.one_after_the_other(first, second) == {"seconds": 150, "mem_mb": 30_000, "gpu": 2}


def test_an_api_takes_as_long_as_its_limit_lets_it():
    limited = needs.requests(600, {"connections": 8, "requests_per_minute": 60})
    assert 600 <= limited["seconds"] < 610
    assert needs.requests(600, {"mode": "batch"})["seconds"] == 24 * 3600


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (None, 2000),  # killed before it could say anything
        ("began\n", 2000),
        ("failed: OutOfMemoryError: DefaultCPUAllocator: can't allocate memory\n", 2000),
        ("failed: MemoryError: MemoryError\n", 2000),
        ("failed: this recipe cannot merge the models\n", 1000),
    ],
)
def test_more_memory_only_where_too_little_may_have_been_the_cause(tmp_path, log, expected):
    file = tmp_path / "a.log"
    if log is not None:
        file.write_text(log, encoding="utf-8")
    assert needs.grown(1000, 1, str(file)) == 1000
    assert needs.grown(1000, 2, str(file)) == expected


def test_terms_and_documents_are_counted_where_they_are(toy, tmp_path):
    assert needs.terms([str(toy / "vocabulary/terms.tsv")], {}) == 66
    assert needs.terms(["absent", None], {"filters": {"sample": {"n": 200, "seed": 0}}}) == 200
    assert needs.terms(["absent"], {"published": {"n": 1782}}) == 1782
    assert needs.documents("absent", 500, None) == 500
    assert needs.documents("absent", 500, 20) == 20
    file = tmp_path / "test.jsonl"
    file.write_text("{}\n{}\n", encoding="utf-8")
    assert needs.documents(str(file), None, None) == 2


RULES = """
import json, sys
asked = {}
for rule in workflow.rules:
    if rule.name != "all":
        asked[rule.name] = sorted(rule.resources)
print("RULES", json.dumps(asked), file=sys.stderr)
"""


def test_every_rule_says_its_memory_and_time(toy_copy):
    with (toy_copy / "Snakefile").open("a", encoding="utf-8") as file:
        file.write(RULES)
    said = snakemake(toy_copy, "-n", "--quiet", "host").stderr
    rules = json.loads(re.search(r"RULES (.*)", said)[1])
    assert len(rules) > 30
    assert {name for name, resources in rules.items() if not {"mem_mb", "runtime"} <= set(resources)} == set()
    asked = {
        "merges",
        "search",
        "search_scores",
        "definitions",
        "references",
        "benchmarks",
        "transfer_definitions",
        "statistics_distances",  # which may have to make a merge again
    }
    assert {name for name, resources in rules.items() if "gpu" in resources} == asked
    # a rule that says its own resources inherits none:
    assert set(rules["definitions"]) == {*rules["references"], "merged_again"}
    assert rules["definitions"] == rules["transfer_definitions"]
    assert rules["judgements"] == rules["transfer_judgements"]


@pytest.mark.parametrize("configs", [["real_data"], ["paper", "paper_fp32"]])
def test_every_study_that_is_shipped_can_be_planned_before_anything_is_there(tmp_path, configs):
    files = [f"config/{name}.yaml" for name in configs]
    planned = snakemake(clone(tmp_path / "lexmerge"), "-n", "--configfile", *files)
    assert re.search(r"^total +\d+$", planned.stdout, re.M)


def test_a_profile_has_the_last_word(toy_copy):
    """Snakemake prints a job's resources where its rule has no message."""
    for file in (toy_copy / "workflow/rules").glob("*.smk"):
        text = re.sub(r"\n +message:\n +.*", "", file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")
    shown = ["-n", "--forcerun", "merges", "--until", "merges"]
    plain = snakemake(toy_copy, *shown)
    given = snakemake(toy_copy, *shown, "--set-resources", "merges:mem_mb=77777")
    assert "mem_mb=77777" not in plain.stdout + plain.stderr
    assert "mem_mb=77777" in given.stdout + given.stderr
