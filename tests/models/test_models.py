"""A local checkpoint becomes the study's without a copy, and a change of its weights is seen."""

import json

import pytest
from helpers import snakemake
from lexmerge.common.errors import StudyError
from lexmerge.common.files import hashes
from lexmerge.common.shipped import workflow_version
from models import link


def test_a_local_checkpoint_is_linked_with_its_hashes(toy, tmp_path):
    source = toy / "models/expert"
    link(str(source), str(tmp_path / "m"))
    assert (tmp_path / "m/model.safetensors").resolve() == (source / "model.safetensors").resolve()
    found = json.loads((tmp_path / "m/provenance.json").read_text(encoding="utf-8"))
    assert found == {"source": str(source), "lexmerge": workflow_version(), "files": hashes(source)}


def test_a_folder_that_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match=r"empty has no config\.json; name the folder of a Hugging Face"):
        link(str(tmp_path / "empty"), str(tmp_path / "m"))


def test_changed_weights_in_a_local_folder_are_noticed(toy_copy, tmp_path):
    """The toy expert, from a folder of the user's: new weights there remake what came of them."""
    import shutil

    mine = shutil.copytree(toy_copy / "results/toy/models/expert", tmp_path / "mine")
    config = tmp_path / "study.yaml"
    config.write_text(
        "study: {name: local, models: [expert, generalist]}\n"
        f"models:\n  expert: {{source: {mine}, language: en}}\n"
    )
    made = "results/local/models/expert/provenance.json"
    snakemake(toy_copy, made, "--cores", "1", "--configfile", str(config))
    before = (toy_copy / made).read_text(encoding="utf-8")
    shutil.copy(toy_copy / "results/toy/models/generalist/model.safetensors", mine / "model.safetensors")
    snakemake(toy_copy, made, "--cores", "1", "--configfile", str(config))
    after = (toy_copy / made).read_text(encoding="utf-8")
    assert json.loads(after)["files"] != json.loads(before)["files"]
