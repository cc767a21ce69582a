"""Generated folders of checkpoints: all readers see the same weights, or a check refuses the folder."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import torch
from lexmerge.common.errors import StudyError
from lexmerge.models.checkpoints import Weights, read_headers
from lexmerge.models.files import INDEX, SINGLE, folder_files, tensors_in
from lexmerge.study.checkpoint_faults import folder_faults
from mergekit.io.lazy_tensor_loader import LazyTensorLoader, ShardedTensorIndex
from models import link
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_models import llama
from transformers import AutoModelForCausalLM, AutoTokenizer

CASES = 64
Tensors = dict[str, torch.Tensor]
HEAD, EMBEDDINGS = "lm_head.weight", "model.embed_tokens.weight"
READABLE = ("single", "single with an index", "shards", "one shard")
REFUSED = (
    *("both, of different values", "both, of equal values", "shards without an index", "a shard is missing"),
    *("an index lists too much", "an index lists too little", "a tensor twice", "pickle alone", "cut off"),
)
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
FOREIGN = (
    *("consolidated.safetensors", "model.fp16.safetensors", "adapter_model.safetensors"),
    *(
        "model-00001-of-00009.safetensors",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "optimizer.pt",
    ),
    *("training_args.bin", "model.Q4_K_M.gguf", "tf_model.h5", "README.md", "trainer_state.json"),
    *("original/consolidated.00.pth", "original/params.json", "checkpoint-500/model.safetensors"),
    *("onnx/model.onnx", ".cache/huggingface/download/model.safetensors.metadata"),
)


@dataclass(frozen=True)
class Case:
    """What a folder holds."""

    weights: str
    head: str
    dtype: torch.dtype
    tokenizer: tuple[str, ...]
    foreign: tuple[str, ...]
    seed: int


def drawn(number: int) -> Case:
    """Draw a folder; each arrangement of the weights has its turn, and the readable ones every other time."""
    random = Random(number)
    turn = number // 2
    return Case(
        weights=READABLE[turn % len(READABLE)] if number % 2 else REFUSED[turn % len(REFUSED)],
        head=random.choice(["untied", "tied", "tied, on file", "tied, on file, other"]),
        dtype=random.choice([torch.float32, torch.float16, torch.bfloat16]),
        tokenizer=tuple(name for name in TOKENIZER if random.random() < 0.7),
        foreign=tuple(random.sample(FOREIGN, random.randint(0, 6))),
        seed=number,
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[bool, Path]:
    """An untied model and a tied one."""
    folder = tmp_path_factory.mktemp("models")
    return {tied: llama(folder / str(tied), 1, tie_word_embeddings=tied) for tied in (False, True)}


def made(case: Case, model: Path, folder: Path) -> Tensors:
    """Write the folder of a case, and return the weights that its model has."""
    folder.mkdir()
    tensors = {name: value.to(case.dtype) for name, value in load_file(model / SINGLE).items()}
    if "on file" in case.head:
        tensors[HEAD] = tensors[EMBEDDINGS] + (1 if "other" in case.head else 0)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    text = json.dumps(config | {"dtype": str(case.dtype).removeprefix("torch.")})
    (folder / "config.json").write_text(text, encoding="utf-8")
    for name in case.tokenizer:
        there = (model / name).is_file()
        (folder / name).write_bytes((model / name).read_bytes() if there else b"{}")
    write_weights(case, tensors, folder)
    for name in case.foreign:
        if not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_foreign(folder / name, tensors)
    return tensors


def write_foreign(file: Path, tensors: Tensors) -> None:
    """Write a file beside the model; one of weights has other values under the model's names."""
    others = {name: value + 1 for name, value in tensors.items()}
    if file.suffix == ".safetensors":
        save_file(others, file, {"format": "pt"})
    elif file.suffix in (".bin", ".pt", ".pth"):
        torch.save(others, file)
    elif file.name == "pytorch_model.bin.index.json":
        listed = dict.fromkeys(tensors, "pytorch_model.bin")
        file.write_text(json.dumps({"metadata": {}, "weight_map": listed}), encoding="utf-8")
    else:
        file.write_text("{}", encoding="utf-8")


def write_weights(case: Case, tensors: Tensors, folder: Path) -> None:
    """Write the weights of a case."""
    kind, random = case.weights, Random(case.seed)
    number = 1 if kind == "one shard" else random.randint(2, 4)
    files = [f"model-{n:05}-of-{number:05}.safetensors" for n in range(1, number + 1)]
    where = {name: files[n % number] for n, name in enumerate(random.sample(sorted(tensors), len(tensors)))}
    in_shards = {f: {n: v for n, v in tensors.items() if where[n] == f} for f in files}
    if kind == "a tensor twice":
        in_shards[files[0]] |= dict(list(in_shards[files[1]].items())[:1])
    if kind.startswith(("single", "both", "cut off")):
        other = 1 if kind == "both, of different values" else 0
        save_file({n: v + other for n, v in tensors.items()}, folder / SINGLE, {"format": "pt"})
    if kind == "single with an index":
        where = dict.fromkeys(tensors, SINGLE)
    if kind == "pickle alone":
        torch.save(tensors, folder / "pytorch_model.bin")
    if not kind.startswith(("single", "pickle", "cut off")):
        for name, content in in_shards.items():
            save_file(content, folder / name, {"format": "pt"})
    if kind == "an index lists too much":
        where["model.ghost.weight"] = files[0]
    if kind == "an index lists too little":
        del where[EMBEDDINGS]
    if kind not in ("single", "shards without an index", "pickle alone", "cut off"):
        index = {"metadata": {"total_size": 1}, "weight_map": where}
        (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    if kind == "a shard is missing":
        (folder / files[-1]).unlink()
    if kind == "cut off":
        (folder / SINGLE).write_bytes((folder / SINGLE).read_bytes()[:-1])


def by_weights(folder: Path) -> Tensors:
    with Weights(folder) as weights:
        return {name: weights[name] for name in weights}


def by_mergekit(folder: Path) -> Tensors:
    loader = LazyTensorLoader(ShardedTensorIndex.from_disk(str(folder)), lazy_unpickle=False)
    return {name: loader.get_tensor(name) for name in loader.index.tensor_paths}


def by_safetensors(folder: Path) -> Tensors:
    found: Tensors = {}
    for file in folder_files(folder):
        if file.suffix == ".safetensors":
            with safe_open(file, "pt") as opened:
                found |= {name: opened.get_tensor(name) for name in opened.keys()}
    return found


def by_transformers(folder: Path) -> Tensors:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    return {name: value.detach() for name, value in model.state_dict().items()}


def digests(tensors: Tensors) -> dict[str, str]:
    """A hash of each tensor's dtype, shape and bits."""
    return {
        name: hashlib.sha256(
            f"{value.dtype} {list(value.shape)}".encode()
            + value.contiguous().view(torch.uint8).numpy().tobytes()
        ).hexdigest()
        for name, value in tensors.items()
    }


@pytest.mark.parametrize("number", range(CASES))
def test_all_readers_of_a_folder_see_the_same_weights_or_it_is_refused(number, models, tmp_path):
    case, source, linked = drawn(number), tmp_path / "source", tmp_path / "linked"
    truth = made(case, models[case.head != "untied"], source)
    faults = folder_faults(str(source), merged=True)
    try:
        link(str(source), str(linked))
        headers = read_headers(linked, "it")
    except StudyError:
        assert faults, f"{case}: refused by a job alone"
        assert case.weights in REFUSED, case
        return
    assert case.weights in READABLE, f"{case}: not refused"
    assert not faults, case
    expected = digests(truth)
    assert digests(by_weights(linked)) == expected, case
    assert digests(by_mergekit(linked)) == expected, case
    assert digests(by_safetensors(linked)) == expected, case
    shapes = {name: tuple(value.shape) for name, value in truth.items()}
    assert {name: shape for name, (shape, _) in tensors_in(str(linked)).items()} == shapes
    assert {name: shape for name, (shape, _) in headers.tensors.items()} == shapes
    loaded = digests(by_transformers(linked))
    if case.head == "tied":
        assert loaded.pop(HEAD) == loaded[EMBEDDINGS]
    assert loaded == expected, case
    kept = {file.name for file in linked.iterdir()}
    assert kept & set(TOKENIZER) == set(case.tokenizer), "all files of the tokenizer, and no others"
    assert not kept & set(FOREIGN)
    if {"tokenizer.json", "tokenizer_config.json"} <= kept:
        assert AutoTokenizer.from_pretrained(linked).get_vocab() == headers.tokens


def test_every_arrangement_and_every_foreign_file_is_drawn():
    cases = [drawn(number) for number in range(CASES)]
    assert {case.weights for case in cases} == {*READABLE, *REFUSED}
    assert {name for case in cases for name in case.foreign} == set(FOREIGN)
    assert len({(case.head, case.dtype) for case in cases if case.weights in READABLE}) == 12
