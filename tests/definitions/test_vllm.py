"""vLLM's own code, in its CPU build: the same rows as transformers, token for token (`make test-vllm`)."""

import shutil
from pathlib import Path

import pytest
from helpers import PROJECT, clone, snakemake

pytest.importorskip("vllm", reason="vLLM is not installed here; `make test-vllm` installs its CPU build")

from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, read_tsv
from lexmerge.common.prompts import fill, read_prompt
from lexmerge.models.generation import Decoding, Writer
from lexmerge.models.transformers_engine import TransformersEngine
from lexmerge.models.vllm_engine import VllmEngine, constant_path

pytestmark = pytest.mark.vllm
ON_CPU = {"gpu": 1, "gpu_memory_percent": 90, "max_model_len": 0}
MERGES = ("slerp", "linear", "ties")
BACK_END = """
study: {name: toy, merges: [slerp, linear, ties]}
definitions:
  prompts: {en: resources/prompts/definition.en.txt, ja: resources/prompts/definition.ja.txt}
  backend: %s
  one_engine: %s
"""


def definitions(folder: Path, models, backend: str, one_engine: str = "false") -> dict[str, list[dict]]:
    """The rows of several models by one back end, through Snakemake."""
    (folder / "back_end.yaml").write_text(BACK_END % (backend, one_engine))
    targets = [f"results/toy/definitions/{model}.jsonl" for model in models]
    snakemake(folder, "--cores", "2", *targets, "--configfile", "back_end.yaml")
    return {model: read_jsonl(folder / target) for model, target in zip(models, targets, strict=True)}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A clone in which the toy models and three merges have written their definitions, by transformers."""
    folder = clone(tmp_path_factory.mktemp("vllm") / "lexmerge")
    definitions(folder, ["expert", "generalist", *MERGES], "transformers")
    return folder


@pytest.fixture(scope="module")
def writer(study):
    return Writer(str(study / "results/toy/models/expert"))


@pytest.fixture(scope="module")
def ids(writer):
    """Prompts of many lengths: terms alone, and several of them in a row."""
    terms = read_tsv(PROJECT / "resources/toy/glossary.tsv").term.to_list()
    prompt = read_prompt(PROJECT / "resources/prompts/definition.en.txt")
    return writer.ids([fill(prompt, " ".join(terms[i : i + 1 + i % 4])) for i in range(60)])


@pytest.fixture(scope="module")
def engine(study):
    return VllmEngine(str(study / "results/toy/models/expert"), "float32", "cpu", 200, 60, ON_CPU)


def new_tokens(engine, ids, ends, decoding):
    found = dict(engine.generate(ids, ends, decoding))
    return [found[i] for i in range(len(ids))]


def test_both_back_ends_write_the_same_tokens(study, engine, writer, ids):
    folder = str(study / "results/toy/models/expert")
    ours = TransformersEngine(folder, "float32", "cpu")
    for limit in (64, 3):
        theirs = new_tokens(engine, ids, writer.ends, Decoding(limit))
        assert theirs == new_tokens(ours, ids, writer.ends, Decoding(limit))
        assert len({len(tokens) for tokens in theirs}) > 1 or limit == 3


def test_the_order_and_the_company_of_a_prompt_change_nothing(engine, writer, ids):
    whole = new_tokens(engine, ids, writer.ends, Decoding(48))
    assert new_tokens(engine, ids[::-1], writer.ends, Decoding(48))[::-1] == whole
    assert new_tokens(engine, ids[7:8], writer.ends, Decoding(48)) == whole[7:8]


def test_what_is_drawn_depends_on_the_seed(engine, writer, ids):
    def drawn(seed):
        return new_tokens(engine, ids, writer.ends, Decoding(16, 2.0, 1.0, seed))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(1) != new_tokens(engine, ids, writer.ends, Decoding(16))


def test_weights_are_swapped_and_nothing_of_the_old_ones_is_left(study, engine, writer, ids):
    """The engine is what a fresh one would be, with prompts that it has seen before; there and back."""
    expert, slerp = (str(study / f"results/toy/{place}") for place in ("models/expert", "merges/slerp"))
    before = new_tokens(engine, ids, writer.ends, Decoding(48))
    engine.load(slerp)
    ours = TransformersEngine(slerp, "float32", "cpu")
    swapped = new_tokens(engine, ids, writer.ends, Decoding(48))
    assert swapped == new_tokens(ours, ids, writer.ends, Decoding(48))
    assert swapped != before
    engine.load(expert)
    assert new_tokens(engine, ids, writer.ends, Decoding(48)) == before


def test_a_model_of_another_shape_is_refused(study, engine, tmp_path):
    other = shutil.copytree(study / "results/toy/models/generalist", tmp_path / "other")
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config.replace('"rope_theta": ', '"rope_theta": 1'))
    with pytest.raises(StudyError, match="one_engine to false"):
        engine.load(str(other))


def test_a_length_that_would_cut_answers_is_refused(study):
    with pytest.raises(StudyError, match=r"max_model_len is 100, but .* takes 200 tokens"):
        VllmEngine(
            str(study / "results/toy/models/expert"),
            "float32",
            "cpu",
            200,
            60,
            ON_CPU | {"max_model_len": 100},
        )


def test_a_device_that_this_vllm_is_not_for_is_refused(study):
    with pytest.raises(StudyError, match="device is cuda, but this build of vLLM is for cpu"):
        VllmEngine(str(study / "results/toy/models/expert"), "float32", "cuda", 200, 60, ON_CPU)


def test_models_of_one_shape_share_compiled_code(study):
    """vLLM finds it by a hash in which the text of the path is."""
    from vllm.config import ModelConfig

    hashes, named = set(), set()
    for model in ("expert", "generalist"):
        folder = str(study / "results/toy/models" / model)
        with constant_path(folder) as path:
            hashes.add(ModelConfig(model=path, skip_tokenizer_init=True, dtype="float32").compute_hash())
        named.add(ModelConfig(model=folder, skip_tokenizer_init=True, dtype="float32").compute_hash())
    assert (len(hashes), len(named)) == (1, 2)


def test_the_workflow_writes_the_same_rows_with_either(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "lexmerge", symlinks=True)
    models = ["expert", "generalist", "slerp"]
    ours = {model: read_jsonl(folder / f"results/toy/definitions/{model}.jsonl") for model in models}
    theirs = definitions(folder, models, "vllm")
    for model in models:
        assert {row["engine"].split(",")[0] for row in theirs[model]} == {"vllm 0.32.0"}
        assert [plain(row) for row in theirs[model]] == [plain(row) for row in ours[model]]


def test_one_engine_for_all_merges_writes_the_same_rows(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "lexmerge", symlinks=True)
    ours = {model: read_jsonl(folder / f"results/toy/definitions/{model}.jsonl") for model in MERGES}
    theirs = definitions(folder, MERGES, "vllm", "true")
    log = (folder / "results/toy/logs/definitions_of_merges.log").read_text()
    assert log.count("Initializing a V1 LLM engine") == 1
    for model in MERGES:
        assert [plain(row) for row in theirs[model]] == [plain(row) for row in ours[model]]


def test_benchmarks_that_generate_are_answered_alike_by_either(study, tmp_path):
    """Exact match and ROUGE from vLLM, likelihoods from transformers, in one job."""
    folder = shutil.copytree(study, tmp_path / "lexmerge", symlinks=True)
    found = {}
    for backend in ("hf", "vllm"):
        (folder / "back_end.yaml").write_text(
            "study: {name: toy, merges: [slerp], benchmarks: [japanese_leaderboard]}\n"
            f"benchmarking: {{backend: {backend}, max_length: 512}}\n"
        )
        target = "results/toy/benchmarks/japanese_leaderboard/generalist.samples.jsonl"
        snakemake(folder, "--cores", "2", target, "--configfile", "back_end.yaml")
        found[backend] = read_jsonl(folder / target)
    assert len(found["hf"]) == 150
    assert found["vllm"] == found["hf"]
    log = (folder / "results/toy/logs/benchmarks/japanese_leaderboard/generalist.log").read_text()
    assert log.count("Initializing a V1 LLM engine") == 1


def plain(row: dict) -> dict:
    """A row without what names its back end."""
    return {key: value for key, value in row.items() if key not in ("engine", "batch_rows")}
