"""Hub models have an id that the hub takes and a revision that stays what it is; servers have an address."""

import itertools
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from lexmerge.study.address_faults import fault_of
from lexmerge.study.faults import faults_of
from lexmerge.study.source_faults import HUB_ID

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch):
    monkeypatch.chdir(PROJECT)


@pytest.fixture
def toy() -> dict:
    toy = yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8"))
    toy["study"] |= {"merges": ["slerp"], "judges": ["chrf"]}
    return toy


def expert(toy: dict, source: str = "org/model", **more) -> list[str]:
    """The faults of the toy study with another expert."""
    toy["models"]["expert"] = {"source": source, "language": "en"} | more
    return faults_of(toy)


@pytest.mark.parametrize(
    "revision", [COMMIT, "0123abc", "ABCDEF0", "v1.0", "2024", "step-1000", "refs/tags/v1", "release/1.2"]
)
def test_a_commit_or_a_tag_is_a_revision(toy, revision):
    assert expert(toy, revision=revision) == []


@pytest.mark.parametrize(
    "revision",
    [
        *("main", "Main", "master", "HEAD", "dev", "develop", "latest", "trunk"),
        *("refs/heads/main", "refs/heads/v1", "heads/x", "refs/pr/3", "origin/main"),
    ],
)
def test_a_branch_moves_and_has_to_be_allowed(toy, revision):
    faults = expert(toy, revision=revision)
    assert faults == [
        f"models.expert.revision: '{revision}' moves when the authors upload something; name the commit, "
        "which the hub shows under `Files and versions`, or set `allow_moving: true` for this model"
    ]
    assert len(expert(toy, revision=revision, allow_moving=False)) == 1
    assert expert(toy, revision=revision, allow_moving=True) == []


@pytest.mark.parametrize(
    "revision", ["../../x", "a b", "v1\n", "-x", "a..b", "v1/", "a:b", COMMIT + "0", "a~1"]
)
def test_anything_else_is_no_revision(toy, revision):
    for allowed in (False, True):
        faults = expert(toy, revision=revision, allow_moving=allowed)
        assert len(faults) == 1
        assert "is neither a commit (7 to 40 hexadecimal digits) nor a tag" in faults[0]


@pytest.mark.parametrize(
    "source", ["a b/c;d", "a--b/c", "org/..", "org/name.git", "-org/name", "org/n\u00e4me", "x" * 97 + "/y"]
)
def test_an_id_that_the_hub_does_not_take_is_a_fault(toy, source):
    faults = expert(toy, source, revision=COMMIT)
    assert len(faults) == 1
    assert faults[0].startswith("models.expert.source: ")
    assert "is not a hub id" in faults[0]
    assert str(PROJECT) in faults[0], "where a folder was looked for"


def test_ids_are_the_hubs_own():
    def taken(name: str) -> bool:
        try:
            validate_repo_id(name)
        except HFValidationError:
            return False
        return True

    parts = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product("aB9._-", repeat=n)]
    parts += ["a.git", "x" * 96, "x" * 97, "", "\u00e9", "a b", "a\n"]
    for name in [f"org/{part}" for part in parts] + [f"{part}/name" for part in parts]:
        assert bool(HUB_ID.fullmatch(name)) == taken(name), name


@pytest.mark.parametrize(
    "address",
    [
        *(
            "https://api.openai.com/v1",
            "http://localhost:8000/v1",
            "http://127.0.0.1:1",
            "http://[::1]:65535/v1/",
        ),
        *("http://gpu-node_3.cluster:8000/v1", "https://host/a%20b", "HTTP://host/v1"),
    ],
)
def test_an_address_of_a_server_is_taken(address):
    assert fault_of(address) is None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:99999/v1", "the host or the port (1 to 65535) is wrong"),
        ("http://127.0.0.1:-1/v1", "the host or the port (1 to 65535) is wrong"),
        ("http://127.0.0.1:8o/v1", "the host or the port (1 to 65535) is wrong"),
        ("http://127.0.0.1:0/v1", "ports go from 1 to 65535"),
        ("http://local host/v1", "a space, a line end"),
        ("http://localhost/v1\n", "a space, a line end"),
        ("http://localhost\t/v1", "a space, a line end"),
        ("http://localhost\\v1", "a backslash"),
        ("http://me:secret@host/v1", "a user or password does not belong in an address"),
        ("http://secret@host/v1", "a user or password does not belong in an address"),
        ("http://host/v1?key=secret", "an address ends before `?` or `#`"),
        ("http://host/v1#secret", "an address ends before `?` or `#`"),
        ("localhost:8000/v1", "does not begin with http:// or https://"),
        ("ftp://host/v1", "does not begin with http:// or https://"),
        ("sk-secret", "does not begin with http:// or https://"),
        ("", "does not begin with http:// or https://"),
        ("http://", "names no host"),
        ("http:///v1", "names no host"),
        ("http://:8000/v1", "names no host"),
        ("http://a..b/v1", "names no host"),
        ("http://1.2.3.400/v1", "names no host"),
        ("http://[::1/v1", "the host or the port"),
    ],
)
def test_anything_else_is_a_fault_that_repeats_no_secret(address, said):
    fault = fault_of(address)
    assert said in fault
    assert "secret" not in fault


def test_addresses_of_judges_and_translators_are_checked(toy):
    wrong = {"provider": "openai", "model": "m", "base_url": "http://h:99999"}
    toy["judges"]["j"] = wrong
    toy["study"]["judges"] = ["j"]
    toy["translations"] = wrong
    assert [fault.split(":")[0] for fault in faults_of(toy)] == ["judges.j.base_url", "translations.base_url"]
