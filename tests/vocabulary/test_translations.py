"""Translations: checked, overridden by people, never dropped without a word, and paid for once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT, clone, pending, snakemake
from lexmerge.common import languages
from lexmerge.common.errors import StudyError
from lexmerge.common.files import read_jsonl, read_numbers, read_tsv
from lexmerge.services.limits import Limits
from lexmerge.vocabulary.model_translator import SCHEMA, TranslatedTerm, row_of
from lexmerge.vocabulary.translation_checks import flag_shared
from lexmerge.vocabulary.translation_table import read_translations
from lexmerge.vocabulary.translator import TRANSLATORS
from lexmerge.vocabulary.translator import translation as row
from servers.chat_server import Reply, error, serving, term_of, translation
from vocabulary_translations import translate

EN_JA, EN_DE = {"source": "en", "target": "ja"}, {"source": "en", "target": "de"}
COLUMNS = ["term", "translation", "source", "status", "reason", "alternatives"]
KEY = "-".join(["sk", "secret", "456"])  # in no file as a whole, not even in this one


def answered(text: str | None, **more) -> dict:
    return {"model": "m", "text": text, "finish_reason": "stop", "refusal": None} | more


@pytest.mark.parametrize(
    ("languages", "said", "status", "kept"),
    [
        (EN_JA, "腎炎", "ok", "腎炎"),
        (EN_JA, "  腎炎\n", "ok", "腎炎"),
        (EN_JA, "X線", "ok", "X線"),
        (EN_JA, "腎炎（じんえん）", "odd", "腎炎（じんえん）"),
        (EN_JA, "nephritis", "wrong_script", ""),
        (EN_JA, "DNA", "wrong_script", ""),
        (EN_JA, "신장염", "wrong_script", ""),
        (EN_JA, "腎臓に炎症が起こる病気です。", "sentence", ""),
        (EN_JA, "腎炎\n腎臓の病気", "sentence", ""),
        (EN_JA, "腎" * 61, "sentence", ""),
        (EN_JA, "腎\t炎", "sentence", ""),
        (EN_JA, "", "empty", ""),
        ({"source": "en", "target": "xx"}, "nefrito", "ok", "nefrito"),
        ({"source": "en", "target": "xx"}, "Nephritis", "untranslated", ""),
        ({"source": "en", "target": "deu"}, "Nephritis", "odd", "Nephritis"),
        ({"source": "en", "target": "sr"}, "Bubreg", "ok", "Bubreg"),
        ({"source": "en", "target": "hi"}, "nephritis", "wrong_script", ""),
        (EN_DE, "Nierenentzündung", "ok", "Nierenentzündung"),
        (EN_DE, "Nephritis", "odd", "Nephritis"),
        (EN_DE, "腎炎", "wrong_script", ""),
        ({"source": "en", "target": "ko"}, "신장염", "ok", "신장염"),
        ({"source": "en", "target": "ru"}, "нефрит", "ok", "нефрит"),
        ({"source": "ja", "target": "zh"}, "肾炎", "ok", "肾炎"),
    ],
)
def test_an_answer_is_a_term_of_the_target_language_or_a_reason(languages, said, status, kept):
    found = row_of("nephritis", answered(translation(said, "腎臓炎", "b")), languages)
    assert list(found) == COLUMNS
    assert (found["status"], found["translation"]) == (status, kept)
    assert bool(found["reason"]) == (status != "ok")
    assert found["alternatives"] == "腎臓炎 | b"
    assert found["source"] == "m"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (answered(None, refusal="I cannot help with that"), "refused"),
        (answered("", finish_reason="content_filter"), "blocked"),
        (answered('{"translation": "腎', finish_reason="length"), "truncated"),
        (answered("腎炎"), "unparsable"),
        (answered('{"translation": 3, "alternatives": []}'), "unparsable"),
        (answered('{"translation": "腎炎", "alternatives": [], "more": 1}'), "unparsable"),
        (answered(""), "unparsable"),
    ],
)
def test_what_is_no_answer_has_a_status_of_its_own_and_no_translation(answer, status):
    found = row_of("nephritis", answer, EN_JA)
    assert (found["status"], found["translation"]) == (status, "")


def test_the_schema_that_is_sent_is_the_one_that_answers_are_held_to():
    schema = SCHEMA
    ours = TranslatedTerm.model_json_schema()
    assert schema["required"] == ours["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is ours["additionalProperties"] is False
    for name, kind in schema["properties"].items():
        assert kind == {key: value for key, value in ours["properties"][name].items() if key != "title"}


def test_scripts_and_names_are_those_of_the_cldr():
    assert languages.name("ja") == "Japanese"
    assert languages.scripts("ja") == ("Hira", "Kana", "Hani")
    assert languages.scripts("de") == ("Latn",)
    assert languages.scripts("sr") == ("Cyrl", "Latn")
    assert languages.has_script("腎", "zh")
    assert not languages.has_script("じん", "zh")


def test_terms_with_one_translation_between_them_are_flagged():
    rows = [row("anemia", "貧血", "m", "ok"), row("x", "", "m", "refused"), row("y", "", "m", "refused")]
    rows += [row("anaemia", "貧血", "m", "odd", "has brackets"), row("asthma", "喘息", "m", "ok")]
    found = {r["term"]: (r["status"], r["reason"]) for r in flag_shared(rows)}
    assert found == {
        "anemia": ("odd", "the same translation as anaemia"),
        "anaemia": ("odd", "has brackets; the same translation as anemia"),
        "asthma": ("ok", ""),
        "x": ("refused", ""),
        "y": ("refused", ""),
    }


def table(path: Path, *rows: tuple[str, str]) -> str:
    path.write_text("term\ttranslation\n" + "".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    return str(path)


def test_a_table_is_believed_and_what_is_odd_is_flagged(tmp_path):
    path = table(
        tmp_path / "t.tsv", ("Nephritis", "腎炎"), ("DNA", "DNA"), ("Me\u0301nie\u0300re ", "メニエール")
    )

    def looked_up(*terms: str) -> list:
        asked = [{"term": term} for term in terms]
        return TRANSLATORS["table"].translate(asked, {"path": path}, EN_JA, "", Limits())

    assert read_translations(path)["dna"] == "DNA"
    assert looked_up("ménière")[0]["status"] == "ok", "however it was typed"
    rows = looked_up("nephritis", "dna")
    assert [(r["translation"], r["status"]) for r in rows] == [("腎炎", "ok"), ("DNA", "odd")]
    assert rows[1]["reason"] == "'DNA' has no letter in the script of Japanese"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("nephritis", "腎炎")], "no translation for 1 of 2 terms, such as asthma; add them to the table"),
        ([("nephritis", "腎炎"), ("asthma", "")], "no translation for 1 of 2 terms, such as asthma"),
        (
            [("asthma", "喘息"), ("Asthma", "ぜんそく")],
            "'asthma' has two translations, '喘息' and 'ぜんそく'",
        ),
    ],
)
def test_a_table_with_a_gap_or_a_contradiction_is_named(tmp_path, rows, said):
    path = table(tmp_path / "t.tsv", *rows)
    terms = [{"term": "nephritis", "semantic_tag": ""}, {"term": "asthma", "semantic_tag": ""}]
    with pytest.raises(StudyError, match=said):
        translate(terms, {"provider": "table", "path": path}, EN_JA, "", Limits())
    (tmp_path / "t.tsv").write_text("term\tword\n")
    with pytest.raises(StudyError, match=r"t.tsv: the table has no column translation; it has term, word"):
        translate(terms, {"provider": "table", "path": path}, EN_JA, "", Limits())


def test_what_a_person_wrote_wins_and_is_not_asked(tmp_path):
    terms = [{"term": "nephritis", "semantic_tag": "disorder"}, {"term": "asthma", "semantic_tag": ""}]
    overrides = table(tmp_path / "mine.tsv", ("Asthma", "ぜんそく"), ("not in the study", "無"))
    with serving(lambda r: Reply(translation("腎炎"))) as server:
        settings = {
            "provider": "openai",
            "model": "m",
            "base_url": server.url,
            "prompt": "resources/prompts/translation.txt",
            "parameters": {"temperature": 0},
            "overrides": overrides,
        }
        limits = Limits(2, 60_000)
        rows = translate(terms, settings, EN_JA, str(tmp_path / "journal.jsonl"), limits)
    assert [(r["translation"], r["source"]) for r in rows] == [("腎炎", "m"), ("ぜんそく", overrides)]
    assert server.terms() == ["nephritis"]
    request = server.requests[0]
    assert "from English into Japanese" in request["messages"][0]["content"]
    assert "Kind of thing: disorder" in request["messages"][0]["content"]
    assert request["response_format"]["json_schema"]["strict"] is True
    assert request["temperature"] == 0
    rows = translate(terms, {"provider": "none", "overrides": overrides}, EN_JA, "", Limits())
    assert [(r["translation"], r["source"]) for r in rows] == [
        ("nephritis", "untranslated"),
        ("ぜんそく", overrides),
    ]


def test_another_model_than_the_one_asked_for_stops_the_translations(tmp_path):
    terms = [{"term": f"term {n}", "semantic_tag": ""} for n in range(100)]
    with serving(lambda r: Reply(translation("腎炎"), model="another")) as server:
        settings = {
            "provider": "openai",
            "model": "m",
            "base_url": server.url,
            "prompt": "resources/prompts/translation.txt",
            "parameters": {},
        }
        with pytest.raises(StudyError, match="asked for the model 'm', but 'another' answered"):
            translate(terms, settings, EN_JA, str(tmp_path / "journal.jsonl"), Limits(2, 60_000))
    assert len(server.requests) <= 2
    assert not (tmp_path / "journal.jsonl").exists()


@pytest.fixture(scope="module")
def glossary() -> dict[str, str]:
    rows = read_tsv(PROJECT / "resources/toy/glossary.tsv").to_dict("records")
    return {row["term"]: row["translation"] for row in rows}


def study(folder: Path, url: str, **more) -> list[str]:
    """The arguments for the toy study translated by a model."""
    asked = {"provider": "openai", "model": "m", "base_url": url, "requests_per_minute": 60_000} | more
    (folder / "asked.yaml").write_text(yaml.safe_dump({"study": {"name": "toy"}, "translations": asked}))
    return ["--configfile", "asked.yaml", "--cores", "1"]


def test_a_killed_run_goes_on_and_pays_for_nothing_twice(tmp_path, glossary):
    folder = clone(tmp_path / "lexmerge")
    made, journal = (
        "results/toy/vocabulary/translations.tsv",
        folder / "results/toy/journal/translations.jsonl",
    )

    def slowly(request: dict) -> Reply:
        time.sleep(0.1)
        return Reply(translation(glossary[term_of(request)]))

    with serving(slowly) as server:
        arguments = study(folder, server.url, connections=2)
        snakemake(folder, "results/toy/vocabulary/terms.tsv", *arguments)
        running = subprocess.Popen(
            [sys.executable, "-m", "snakemake", made, *arguments],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(600):
            if journal.exists() and journal.read_bytes().count(b"\n") >= 10:
                break
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        assert not (folder / made).exists()
        lines = journal.read_bytes().split(b"\n")[:-1]
        paid = [term_of(json.loads(line)["request"]["body"]) for line in lines]
        assert 10 <= len(paid) < 66
        snakemake(folder, "--unlock")
        snakemake(folder, made, *arguments)
    assert all(server.terms().count(term) == 1 for term in paid)
    assert len(server.requests) <= 66 + 2, "at most what was under way is asked for again"
    rows = read_tsv(folder / made)
    assert list(rows) == COLUMNS
    assert dict(zip(rows.term, rows.translation, strict=True)).items() <= glossary.items()
    assert len(rows) == 66


def test_a_failed_run_says_how_much_is_left_and_the_key_is_written_nowhere(tmp_path, glossary, monkeypatch):
    folder = clone(tmp_path / "lexmerge")
    monkeypatch.setenv("MY_KEY", KEY)
    asked: list[str] = []

    def until_the_money_is_gone(request: dict) -> Reply:
        asked.append(term_of(request))
        if len(asked) > 20:
            return error(429, "insufficient_quota", f"{KEY} has no money")
        return Reply(translation(glossary[term_of(request)]))

    made = "results/toy/vocabulary/translations.tsv"
    with serving(until_the_money_is_gone) as server:
        arguments = study(folder, server.url, key_variable="MY_KEY")
        done = snakemake(folder, made, *arguments, check=False)
    said = done.stdout + done.stderr
    assert "the account has no quota left (429); add credit. 20 of 66 answers are kept" in said
    assert "run the same command again to request only the other 46" in said
    assert not (folder / made).exists()
    assert server.keys == {KEY}
    files = [f for f in folder.rglob("*") if f.is_file()]
    assert any("journal" in f.parts for f in files)
    assert [f for f in files if KEY.encode() in f.read_bytes()] == []
    assert KEY not in said


def test_without_its_key_a_study_does_not_start(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    folder = clone(tmp_path / "lexmerge")
    (folder / "asked.yaml").write_text("study: {name: toy}\ntranslations: {provider: openai}")
    done = snakemake(folder, "--configfile", "asked.yaml", "--cores", "1", check=False)
    assert "translations: no API key; put it into the environment variable OPENAI_API_KEY" in done.stderr
    assert "nothing was run" in done.stderr
    assert not (folder / "results/toy").exists()


def test_a_term_without_translation_is_counted_and_not_dropped(toy_copy, glossary):
    """The others' definitions are made of the same translations, and so are the same as before."""
    bad = {"asthma": "asthma", "biopsy": "生検をする処置です。"}
    before = read_jsonl(toy_copy / "results/toy/definitions/slerp.jsonl")
    with serving(lambda r: Reply(translation(bad.get(term_of(r), glossary[term_of(r)])))) as server:
        arguments = study(toy_copy, server.url)
        snakemake(toy_copy, "results/toy/judgements/chrf/slerp.jsonl", *arguments)
    rows = read_tsv(toy_copy / "results/toy/vocabulary/translations.tsv")
    rejected = rows[rows.translation == ""]
    assert dict(zip(rejected.term, rejected.status, strict=True)) == {
        "asthma": "wrong_script",
        "biopsy": "sentence",
    }
    assert "'生検をする処置です。' is a sentence" in rejected.reason.iloc[1]
    definitions = read_jsonl(toy_copy / "results/toy/definitions/slerp.jsonl")
    assert [r["term"] for r in definitions] == [r["term"] for r in before]
    for new, old in zip(definitions, before, strict=True):
        if new["term"] in bad:
            assert (new["definition"], new["finish_reason"], new["tokens"]) == ("", "not_asked", 0)
        else:
            assert {**new, "batch_rows": 0} == {**old, "batch_rows": 0}
    judged = {r["term"]: r for r in read_jsonl(toy_copy / "results/toy/judgements/chrf/slerp.jsonl")}
    assert (judged["asthma"]["score"], judged["asthma"]["status"]) == (None, "no_translation")


def test_what_was_paid_for_needs_no_key_and_is_not_asked_again(toy_copy, glossary):
    made = "results/toy/vocabulary/translations.tsv"
    with serving(lambda r: Reply(translation(glossary[term_of(r)]))) as server:
        snakemake(toy_copy, made, *study(toy_copy, server.url))
        assert len(server.requests) == 66
        arguments = study(toy_copy, server.url, connections=3, requests_per_minute=50)
        assert "vocabulary/translations.tsv" not in pending(toy_copy, *arguments[:2])
        arguments = study(toy_copy, server.url, model="another")
        assert "vocabulary/translations.tsv" in pending(toy_copy, *arguments[:2])
        (toy_copy / made).unlink()
        snakemake(toy_copy, made, *study(toy_copy, server.url))
        assert len(server.requests) == 66, "a deleted table is made again from the journal"
        slash = study(toy_copy, f"{server.url}/")
        (toy_copy / made).unlink()
        snakemake(toy_copy, made, *slash)
        assert len(server.requests) == 66, "with a slash at its end it is the same server"
    paid = study(toy_copy, server.url, key_variable="NO_SUCH_KEY")
    snakemake(toy_copy, "results/toy/recipes/slerp.yaml", *paid)
    shutil.rmtree(toy_copy / "results/toy/journal")
    assert read_numbers(toy_copy / made).status.eq("ok").sum() > 60
