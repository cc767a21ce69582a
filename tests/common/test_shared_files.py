"""Two hosts on one file system: neither spoils what the other writes."""

import json

import pytest
from lexmerge.common import files, journal
from lexmerge.common.errors import StudyError
from lexmerge.common.files import fresh_file, fresh_folder
from lexmerge.common.journal import Journal, key_of
from lexmerge.search.evaluations import Evaluations
from lexmerge.services.batching import _Ledger


@pytest.fixture
def on(monkeypatch):
    """Go to a host of this name; the process has the same number on each."""

    def go(host: str) -> None:
        monkeypatch.setattr(journal, "HOST", host)
        monkeypatch.setattr(files.socket, "gethostname", lambda: host)

    return go


def test_two_hosts_never_append_to_one_journal(tmp_path, on):
    path = tmp_path / "answers.jsonl"
    on("n1")
    lost = Journal(path)
    lost.add({"ask": 1}, {"text": "one"})
    on("n2")
    again = Journal(path)
    again.add({"ask": 2}, {"text": "two"})
    on("n1")
    lost.add({"ask": 3}, {"text": "three"})
    assert (tmp_path / "answers@n2.jsonl").read_text().count("\n") == 1
    assert path.read_text().count("\n") == 2
    for host in ("n1", "n2", "n3"):
        on(host)
        texts = [Journal(path).get(key_of({"ask": n}))["text"] for n in (1, 2, 3)]
        assert texts == ["one", "two", "three"]


def test_hosts_that_begin_at_the_same_time_do_not_share_a_file(tmp_path, on):
    path = tmp_path / "answers.jsonl"
    on("n1")
    one = Journal(path)
    on("n2")
    other = Journal(path)
    other.add({"ask": 1}, {"text": "one"})
    on("n1")
    one.add({"ask": 2}, {"text": "two"})
    assert (one.path.name, other.path.name) == ("answers@n1.jsonl", "answers.jsonl")
    assert len(Journal(path)) == 2


def test_a_host_leaves_the_torn_line_of_another_alone(tmp_path, on):
    """It may be a line that is being written."""
    path = tmp_path / "answers.jsonl"
    on("n1")
    Journal(path).add({"ask": 1}, {"text": "one"})
    with path.open("ab") as file:
        file.write(b'{"key": "half')
    on("n2")
    Journal(path).add({"ask": 2}, {"text": "two"})
    assert path.read_bytes().endswith(b'{"key": "half')
    on("n1")
    assert len(Journal(path)) == 2
    assert path.read_bytes().endswith(b"}\n")


def test_a_batch_that_one_host_began_is_settled_by_another(tmp_path, on):
    path = tmp_path / "answers.batches.jsonl"
    on("n1")
    ledger = _Ledger(path)
    ledger.submitted(ledger.begin(["a", "b"]), "batch-1")
    on("n0")  # its file is before the other in the order of names
    (batch,) = (other := _Ledger(path)).open(["a", "b"])
    assert batch.id == "batch-1"
    other.settle(batch, ["a", "b"])
    assert _Ledger(path).open(["a", "b"]) == []
    assert path.read_text().count("\n") == 2


def test_a_searcher_that_goes_on_at_another_host_knows_what_it_had_found(tmp_path, on):
    on("n1")
    first = Evaluations(tmp_path, 0)
    first.all([{"recipe": 1}], lambda request: {"score": 1}, lambda: None)
    on("n2")
    moved = Evaluations(tmp_path, 0)
    moved.all([{"recipe": 1}, {"recipe": 2}], lambda request: {"score": 10 + request["recipe"]}, lambda: None)
    on("n3")
    other = Evaluations(tmp_path, 1)
    found = other.all(
        [{"recipe": n} for n in (1, 2)], lambda request: pytest.fail("asked again"), lambda: None
    )
    assert found == [{"score": 1}, {"score": 12}]
    assert sorted(file.name for file in tmp_path.glob("*.jsonl")) == ["0.jsonl", "0@n2.jsonl"]


def test_two_hosts_that_write_one_file_both_write_it_whole(tmp_path, on):
    target = tmp_path / "table.json"
    on("n1")
    with fresh_file(target) as one:
        one.write_text(json.dumps({"by": "n1"}))
        on("n2")
        with fresh_file(target) as other:
            other.write_text(json.dumps({"by": "n2"}))
        assert json.loads(target.read_text()) == {"by": "n2"}
    assert json.loads(target.read_text()) == {"by": "n1"}


def test_the_folder_of_a_job_that_runs_again_elsewhere_is_not_mixed_with_the_first_ones(tmp_path, on):
    target = tmp_path / "merges" / "slerp"
    on("n1")
    with pytest.raises(StudyError, match="slerp: not written"), fresh_folder(target) as lost:
        (lost / "shard-1").write_text("n1")
        on("n2")
        with fresh_folder(target) as part:
            (part / "shard-2").write_text("n2")
            with pytest.raises(FileNotFoundError):
                (lost / "shard-3").write_text("n1")
    assert [file.name for file in target.iterdir()] == ["shard-2"]
    assert [file.name for file in target.parent.iterdir()] == ["slerp"]
