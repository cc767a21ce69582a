"""Which files of a folder are the model: one answer for preflight, MergeKit, transformers and the links."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from lexmerge.common.errors import StudyError
from lexmerge.models.checkpoints import Weights, read_headers
from lexmerge.models.files import INDEX, SINGLE, folder_files, tensors_in, weight_files, weight_names
from mergekit.io.lazy_tensor_loader import ShardedTensorIndex
from safetensors.torch import load_file, save_file
from tiny_models import llama
from transformers import AutoModelForCausalLM


@pytest.fixture(scope="module")
def single(tmp_path_factory) -> Path:
    return llama(tmp_path_factory.mktemp("files") / "single", 1)


@pytest.fixture(scope="module")
def sharded(single, tmp_path_factory) -> Path:
    """The same model in several files with an index, as transformers writes them."""
    folder = tmp_path_factory.mktemp("files") / "sharded"
    AutoModelForCausalLM.from_pretrained(single, dtype="auto").save_pretrained(folder, max_shard_size="2KB")
    shutil.copy(single / "tokenizer.json", folder)
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


def copied(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target))


def other_weights(file: Path) -> None:
    save_file({"other": torch.ones(2)}, file)


def edit_index(folder: Path, change) -> None:
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    change(index["weight_map"])
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


@pytest.mark.parametrize("kind", ["single", "sharded"])
@pytest.mark.parametrize(
    "foreign",
    ["consolidated.safetensors", "model.fp16.safetensors", "optimizer.pt", "model.Q4_K_M.gguf", "README.md"],
)
def test_foreign_files_are_left_out_and_all_readers_agree(kind, foreign, tmp_path, request):
    folder = copied(request.getfixturevalue(kind), tmp_path / "model")
    other_weights(folder / foreign)
    before = read_headers(request.getfixturevalue(kind), "m").tensors
    assert read_headers(folder, "m").tensors == before
    with Weights(folder) as weights:
        assert set(weights) == set(before)
    assert foreign not in [file.name for file in folder_files(folder)]
    linked = tmp_path / "linked"
    linked.mkdir()
    for file in folder_files(folder):
        (linked / file.name).symlink_to(file)
    mergekit = ShardedTensorIndex.from_disk(str(linked))
    assert set(mergekit.tensor_paths) == set(before)
    assert {Path(path).name for path in mergekit.tensor_paths.values()} == {
        file.name for file in weight_files(folder)
    }
    state = AutoModelForCausalLM.from_pretrained(linked, dtype="auto").state_dict()
    original = {k: v for file in weight_files(folder) for k, v in load_file(file).items()}
    assert all(torch.equal(state[name], tensor) for name, tensor in original.items())


def test_two_sets_of_weights_are_refused_and_both_are_named(single, sharded, tmp_path):
    folder = copied(sharded, tmp_path / "model")
    shutil.copy(single / SINGLE, folder)
    with pytest.raises(StudyError) as raised:
        weight_files(folder)
    assert "two sets of weights, model.safetensors and the" in str(raised.value)
    assert "model-00001-of-" in str(raised.value)


def test_an_index_that_lists_the_single_file_is_one_set():
    assert weight_names("x", [SINGLE, INDEX], [SINGLE]) == [SINGLE]


def test_a_shard_that_is_missing_is_named(sharded, tmp_path):
    folder = copied(sharded, tmp_path / "model")
    gone = sorted(folder.glob("model-*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(StudyError, match=f"is incomplete: {gone.name} of {INDEX} is missing"):
        weight_files(folder)


def test_shards_without_an_index_are_not_taken_for_the_model(sharded, tmp_path):
    folder = copied(sharded, tmp_path / "model")
    (folder / INDEX).unlink()
    with pytest.raises(StudyError, match=f"neither {SINGLE} nor {INDEX}"):
        weight_files(folder)


def test_pickled_weights_are_refused_with_the_remedy(single, tmp_path):
    folder = copied(single, tmp_path / "model")
    (folder / SINGLE).rename(folder / "pytorch_model.bin")
    with pytest.raises(StudyError, match="convert the weights to safetensors"):
        weight_files(folder)


def test_a_tensor_in_two_shards_is_named(sharded, tmp_path):
    folder = copied(sharded, tmp_path / "model")
    first, second = sorted(folder.glob("model-*.safetensors"))[:2]
    name = next(iter(load_file(first)))
    save_file(load_file(second) | {name: load_file(first)[name]}, second)
    with pytest.raises(StudyError, match=f"the tensor {name} is in {first.name} and in {second.name}"):
        tensors_in(str(folder))


def test_an_index_and_files_that_disagree_are_named(sharded, tmp_path):
    folder = copied(sharded, tmp_path / "more")
    edit_index(folder, lambda where: where.update({"ghost": next(iter(where.values()))}))
    with pytest.raises(StudyError, match=r"has ghost in .*, but that file lacks it"):
        tensors_in(str(folder))
    folder = copied(sharded, tmp_path / "fewer")
    edit_index(folder, lambda where: where.pop("model.norm.weight"))
    with pytest.raises(StudyError, match=r"does not list model\.norm\.weight"):
        tensors_in(str(folder))


@pytest.mark.parametrize(("change", "said"), [(-1, "ends too early"), (1, "is longer than its header says")])
def test_a_file_of_the_wrong_size_is_named(single, tmp_path, change, said):
    folder = copied(single, tmp_path / f"model{change}")
    content = (folder / SINGLE).read_bytes()
    (folder / SINGLE).write_bytes(content[:-1] if change < 0 else content + b"0")
    with pytest.raises(StudyError, match=said):
        tensors_in(str(folder))


def test_a_hub_cache_of_links_is_a_folder_like_any_other(sharded, tmp_path):
    """In the hub's cache each file is a link to a blob that is named by its hash."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(sharded.iterdir())):
        shutil.copy(file, blobs / f"{number:064x}")
        (snapshot / file.name).symlink_to(Path("../../blobs", f"{number:064x}"))
    assert read_headers(snapshot, "m").tensors == read_headers(sharded, "m").tensors
    assert [file.name for file in folder_files(snapshot)] == [file.name for file in folder_files(sharded)]
