"""General corpora and taggers: what a word is, where NLTK's data is looked for, and how it is fetched."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers import PROJECT
from lexmerge.common.errors import StudyError
from lexmerge.vocabulary import nltk_data
from lexmerge.vocabulary.corpus import (
    count_words,
    files_of,
    open_brown,
    open_tagged,
    plain_words,
    pretrained_tagger,
    tag_alone,
    tagged_words,
    train_tagger,
)
from vocabulary_corpus import frequency_table, notes, read_corpus
from vocabulary_nltk import fetch
from vocabulary_terms import tagger_of

TOY = {"format": "tagged", "path": str(PROJECT / "resources/toy/corpus"), "files": "c[a-z][0-9][0-9]"}
NLTK = {"corpus": {"format": "nltk"}, "tagger": "nltk"}


def write(folder: Path, **texts: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def test_the_toy_corpus_is_read_by_nltk_and_trains_a_tagger():
    files = files_of(TOY["path"], TOY["files"])
    counts = count_words(tagged_words(open_tagged(files)))
    assert (counts["malaria"], counts["Malaria"], counts["asthma"], counts["nephritis"]) == (2, 1, 1, 0)
    tag = tag_alone(train_tagger(open_tagged(files)))
    assert [tag(word) for word in ("nephritis", "orally")] == ["NN", "RB"]


def test_plain_text_of_any_script_is_counted_as_written(tmp_path):
    folder = write(
        tmp_path, one="Der Großbaum, der groß-artige; l’été 3 x2.\n", two="हिन्दी été e\u0301te\u0301"
    )
    counts = count_words(plain_words(files_of(str(folder), "**/*")))
    expected = {"Der": 1, "der": 1, "Großbaum": 1, "groß-artige": 1, "l’été": 1, "x": 1, "हिन्दी": 1, "été": 2}
    assert counts == expected


def test_a_single_file_is_a_corpus_too(tmp_path):
    file = write(tmp_path, one="a b a") / "one.txt"
    title, files, words = read_corpus({"format": "text", "path": str(file), "files": "**/*"}, None)
    counts = count_words(words)
    assert counts == {"a": 2, "b": 1}
    assert notes(title, files, counts) == [
        f"corpus: {file}, 3 words, 2 of them distinct",
        f"sha256 {hashlib.sha256(b'a b a').hexdigest()} {file}",
    ]


def test_a_corpus_that_is_not_what_it_is_said_to_be_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"no file in .* matches \*.pos"):
        files_of(str(tmp_path), "*.pos")
    with pytest.raises(StudyError, match="the corpus has no words; check `path`, `files` and `format`"):
        frequency_table(
            count_words(plain_words(files_of(str(write(tmp_path / "numbers", one="1 2 3")), "*")))
        )
    folder = write(tmp_path / "plain", one="The/at dog/nn barks loudly/rb")
    with pytest.raises(StudyError, match="'barks' has no tag"):
        count_words(tagged_words(open_tagged(files_of(str(folder), "*"))))
    (folder / "one.txt").write_bytes("Ménière/nn".encode("latin-1"))
    with pytest.raises(StudyError, match=r"one.txt is not UTF-8 text"):
        count_words(plain_words(files_of(str(folder), "*")))
    with pytest.raises(StudyError, match="the tagged corpus is not UTF-8 text"):
        count_words(tagged_words(open_tagged(files_of(str(folder), "*"))))


def test_nltk_data_that_is_damaged_is_named_with_the_remedy(tmp_path):
    put(tmp_path, "corpora/brown.zip")
    put(tmp_path, "other/corpora/brown/cats.txt")
    put(tmp_path, f"{nltk_data.TAGGER}.zip")
    for file, said in {
        "corpora/brown.zip": "brown.zip is not NLTK's Brown corpus .*; delete it and run again, to fetch it",
        "other/corpora/brown/cats.txt": "has no texts of the Brown corpus; delete the folder",
    }.items():
        with pytest.raises(StudyError, match=said):
            open_brown(tmp_path / file)
    with pytest.raises(StudyError, match=r"is not NLTK's English tagger .*; delete it"):
        pretrained_tagger(tmp_path / f"{nltk_data.TAGGER}.zip")


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """A machine without NLTK's data: an empty home, an empty folder to work in."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NLTK_DATA", raising=False)
    monkeypatch.setattr(nltk_data.sys, "prefix", str(tmp_path))
    monkeypatch.chdir(tmp_path / "work")
    if nltk_data.absent(NLTK) != [nltk_data.BROWN, nltk_data.TAGGER]:
        pytest.skip("NLTK's data is installed for the whole system")
    return tmp_path


def put(root: Path, file: str) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).touch()


@pytest.mark.parametrize("file", ["corpora/brown.zip", "corpora/brown/cats.txt"])
def test_nltks_data_is_looked_for_where_the_config_nltk_data_and_nltk_say(machine, monkeypatch, file):
    places = [
        machine / "named",
        machine / "elsewhere",
        machine / "home/nltk_data",
        machine / "share/nltk_data",
    ]
    vocabulary = NLTK | {"corpus": {"format": "nltk", "path": str(places[0])}}
    monkeypatch.setenv("NLTK_DATA", f"{machine}/nothing:{places[1]}")
    for place in reversed(places):
        put(place, file)
        assert nltk_data.files(vocabulary)[nltk_data.BROWN] == str(place / file)
        assert nltk_data.root_of(place / file, nltk_data.BROWN) == place
        assert nltk_data.absent(vocabulary) == [nltk_data.TAGGER]


def test_what_is_absent_is_fetched_to_the_configs_folder_or_our_own(machine):
    assert nltk_data.files(NLTK)[nltk_data.BROWN] == "data/nltk_data/corpora/brown.zip"
    named = NLTK | {"corpus": {"format": "nltk", "path": "here"}}
    assert nltk_data.files(named)[nltk_data.TAGGER].startswith("here/taggers/averaged_perceptron_tagger_eng/")
    assert nltk_data.absent({"terms": "t.tsv"}) == []
    assert nltk_data.absent({"corpus": {"format": "text"}, "tagger": "none"}) == []


def test_without_a_network_the_command_that_gets_the_data_is_named(machine, monkeypatch):
    monkeypatch.setattr(nltk_data, "HOST", "http://127.0.0.1:9")  # the port where nothing answers
    faults = nltk_data.unreachable(NLTK)
    assert len(faults) == 2
    assert "NLTK's corpora/brown was not found in" in faults[0]
    assert "python -m nltk.downloader -d data/nltk_data brown averaged_perceptron_tagger_eng" in faults[0]
    put(machine / "home/nltk_data", "corpora/brown.zip")
    put(machine / "home/nltk_data", f"{nltk_data.TAGGER}.zip")
    assert nltk_data.unreachable(NLTK) == [], "nothing to fetch, no network needed"


@pytest.fixture
def host(tmp_path) -> Iterator[tuple[str, Path]]:
    """A host of NLTK packages on this machine: its address and its folder."""
    folder = tmp_path / "host"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


def packed(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_a_package_is_fetched_and_checked_and_is_whole_or_absent(host, tmp_path, monkeypatch):
    address, folder = host
    good, bad = packed(**{"tool/a.json": b"A", "tool/b.json": b"B"}), packed(**{"tool/a.json": b"A"})
    pins = {f"taggers/tool/{name}.json": hashlib.sha256(name.upper().encode()).hexdigest() for name in "ab"}
    monkeypatch.setitem(nltk_data.PINNED, "taggers/tool", pins)
    monkeypatch.setitem(
        nltk_data.PINNED, "corpora/text", {"corpora/text.zip": hashlib.sha256(good).hexdigest()}
    )
    target = tmp_path / "nltk_data"
    with pytest.raises(StudyError, match=r"corpora/text.zip cannot be fetched .*404"):
        fetch("corpora/text", target, address)
    for place in ("corpora/text.zip", "taggers/tool.zip"):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(bad)
    with pytest.raises(StudyError, match="its sha256 differs"):
        fetch("corpora/text", target, address)
    with pytest.raises(StudyError, match="is not the expected package"):
        fetch("taggers/tool", target, address)
    assert not target.exists()
    for place in ("corpora/text.zip", "taggers/tool.zip"):
        (folder / place).write_bytes(good)
    fetch("corpora/text", target, address)
    fetch("taggers/tool", target, address)
    assert (target / "corpora/text.zip").read_bytes() == good
    assert (target / "taggers/tool/b.json").read_bytes() == b"B"


def test_the_real_brown_corpus_and_tagger_outside_the_project(shared_data, host, tmp_path):
    """Fetched by their real checksums, and read by NLTK, which trusts no folder that it was not told of."""
    address, folder = host
    (folder / "corpora").mkdir()
    (folder / "taggers").mkdir()
    (folder / "corpora/brown.zip").write_bytes((shared_data / "nltk_data/corpora/brown.zip").read_bytes())
    with zipfile.ZipFile(folder / f"{nltk_data.TAGGER}.zip", "w") as archive:
        for file in (shared_data / "nltk_data" / nltk_data.TAGGER).iterdir():
            archive.write(file, f"averaged_perceptron_tagger_eng/{file.name}")
    for package in nltk_data.PINNED:
        fetch(package, tmp_path / "got", address)
    _, _, words = read_corpus({"format": "nltk"}, str(tmp_path / "got/corpora/brown.zip"))
    counts = count_words(words)
    # as nltk.corpus.brown.words().count(...) has them
    assert (counts["the"], counts["The"], counts["edema"], counts["tumor"]) == (62713, 7258, 2, 13)
    found = nltk_data.files({"corpus": {"format": "nltk", "path": str(tmp_path / "got")}, "tagger": "nltk"})
    tag, name = tagger_of(NLTK, None, found[nltk_data.TAGGER])
    assert (tag("nephritis"), tag("orally"), name) == ("NN", "RB", "NLTK's English averaged perceptron")
