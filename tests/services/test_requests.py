"""Asking a paid service: each answer is paid for once, every failure is what it is, and no key is shown."""

import json
import os
import threading
import time
from email.utils import formatdate

import pytest
from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Journal, key_of
from lexmerge.services.limits import Limits
from lexmerge.services.openai_chat import Chat
from lexmerge.services.replies import server_delay
from lexmerge.services.requests import ask_all
from servers.chat_server import Reply, error, serving

QUICK = Limits(connections=4, requests_per_minute=60_000, attempts=3, first_wait=0.01)
KEY = "sk-secret-123"


def request(text: str, model: str = "m") -> dict:
    return {"model": model, "messages": [{"role": "user", "content": text}]}


def text_of(body: dict) -> str:
    return body["messages"][0]["content"]


def ask(server, journal, texts, limits=QUICK, model="m"):
    chat = Chat(server.url, "SOME_KEY")
    return ask_all([request(t, model) for t in texts], chat.send, Journal(journal), limits, "text")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("SOME_KEY", f"{KEY}\r\n")  # as a file from elsewhere has it


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal" / "answers.jsonl"


def test_answers_come_in_order_and_are_asked_for_once(journal):
    with serving(lambda body: Reply(text_of(body).upper())) as server:
        first = ask(server, journal, ["a", "b", "a"])
        again = ask(server, journal, ["b", "c", "a"])
    assert [a["text"] for a in first] == ["A", "B", "A"]
    assert [a["text"] for a in again] == ["B", "C", "A"]
    assert sorted(text_of(r) for r in server.requests) == ["a", "b", "c"]
    assert first[0]["usage"]["total_tokens"] == 72
    assert len(journal.read_text().splitlines()) == 3


def test_another_model_or_parameter_is_another_request():
    one = request("a")
    same = dict(reversed(one.items()))
    assert key_of(one) == key_of(same)
    assert len({key_of(r) for r in (one, request("a", "n"), one | {"seed": 1}, request("b"))}) == 4


def test_a_torn_last_line_is_asked_again_and_nothing_is_glued_to_it(journal):
    with serving(lambda body: Reply(text_of(body).upper())) as server:
        ask(server, journal, ["a", "b", "c"])
        whole = journal.read_bytes()
        journal.write_bytes(whole[:-9])
        lost = {"a", "b", "c"} - {
            r["messages"][0]["content"] for r in map(request_of, whole.splitlines()[:2])
        }
        server.requests.clear()
        assert [a["text"] for a in ask(server, journal, ["a", "b", "c"])] == ["A", "B", "C"]
    assert {text_of(r) for r in server.requests} == lost
    assert [json.loads(line)["answer"]["text"] for line in journal.read_text().splitlines()]


def request_of(line: bytes) -> dict:
    return json.loads(line)["request"]


def test_a_line_that_cannot_be_read_is_left_out_and_said(journal, capsys):
    Journal(journal).add(request("a"), {"text": "A"})
    with journal.open("a") as file:
        file.write("nonsense\n")
    Journal(journal).add(request("b"), {"text": "B"})
    assert Journal(journal).get(key_of(request("b"))) == {"text": "B"}
    assert "line 2 cannot be read and is skipped" in capsys.readouterr().out


@pytest.mark.parametrize(
    "passing",
    [
        error(500, "server_error"),
        error(503, "overloaded"),
        error(408, "timeout"),
        error(429, "rate_limit_exceeded"),
        Reply(body="<html>Bad gateway</html>", headers={"Content-Type": "text/html"}),
        Reply(body='{"choices": []}'),
        Reply(body='{"model": "m", "choices": [null]}'),
        Reply(body="[]"),
        Reply(body='{"model": "m", "choices": [{"message": {"content": [{"text": "x"}]}}]}'),
    ],
    ids=["500", "503", "408", "429", "html", "no-choice", "null", "list", "parts"],
)
def test_what_may_pass_is_tried_again(journal, passing):
    tries = iter([passing, passing, Reply("fine")])
    with serving(lambda body: next(tries)) as server:
        assert ask(server, journal, ["a"])[0]["text"] == "fine"
    assert len(server.requests) == 3


def test_a_connection_that_is_refused_is_tried_again_and_then_named(journal):
    with serving(lambda body: Reply("never")) as server:
        pass
    with pytest.raises(StudyError, match=rf"{server.url} did not answer: .*0 of 1 answers are kept"):
        ask(server, journal, ["a"])


def test_one_request_that_keeps_failing_does_not_stop_the_others(journal):
    with serving(lambda b: error(500, "x") if text_of(b) == "bad" else Reply("ok")) as server:
        with pytest.raises(StudyError, match=r"3 of 4 answers are kept in .*request only the other 1"):
            ask(server, journal, ["a", "bad", "b", "c"])
        assert len(server.requests) == 3 + QUICK.attempts
    with serving(lambda body: Reply("ok now")) as server:
        chat = Chat(server.url, "SOME_KEY")
        answers = ask_all([request(t) for t in ("a", "bad")], chat.send, Journal(journal), QUICK, "text")
    assert [a["text"] for a in answers] == ["ok", "ok now"]
    assert len(server.requests) == 1


def test_a_service_that_is_down_is_not_asked_a_thousand_times(journal):
    down = serving(lambda body: error(500, "down"))
    with down as server, pytest.raises(StudyError, match="5 failures in a row"):
        ask(server, journal, [str(n) for n in range(1000)])
    assert len(server.requests) < 40


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}"),
            "refused the key .401.; set the environment variable SOME_KEY",
        ),
        (error(429, "insufficient_quota"), "the account has no quota left"),
        (error(404, "model_not_found", "The model does not exist"), "has no model 'm' .404."),
        (error(403, "forbidden", f"not with {KEY}"), "does not accept the request .403.: .*not with"),
        (error(429, "rate_limit_exceeded", retry_after="3600"), "asks to wait 3600 s"),
    ],
    ids=["key", "quota", "model", "forbidden", "long-wait"],
)
def test_what_will_not_pass_stops_at_once_and_never_shows_the_key(journal, reply, said, capsys):
    with serving(lambda body: reply) as server, pytest.raises(StudyError, match=said) as stop:
        ask(server, journal, [str(n) for n in range(100)], Limits(connections=2, requests_per_minute=60_000))
    assert len(server.requests) <= 2
    assert server.keys == {KEY}
    assert KEY not in str(stop.value) + capsys.readouterr().out
    assert not journal.exists() or KEY not in journal.read_text()


def test_a_form_that_no_request_passes_with_stops_after_two(journal):
    bad = error(400, "invalid_request", f"bad schema {KEY}")
    with (
        serving(lambda body: bad) as server,
        pytest.raises(StudyError, match=r"does not accept the request .400.: .*bad schema") as stop,
    ):
        ask(server, journal, [str(n) for n in range(100)], Limits(connections=1, requests_per_minute=60_000))
    assert len(server.requests) == 2
    assert KEY not in str(stop.value)


def test_one_request_that_the_service_does_not_take_is_sent_once_and_stops_no_other(journal):
    with serving(
        lambda b: error(400, "context_length_exceeded") if text_of(b) == "long" else Reply("ok")
    ) as server:
        chat = Chat(server.url, "SOME_KEY")
        requests = [request(text) for text in ("a", "long", "b", "c")]
        answers = ask_all(requests, chat.send, Journal(journal), QUICK, "text", tolerant=True)
        assert [answer and answer["text"] for answer in answers] == ["ok", None, "ok", "ok"]
        assert len(server.requests) == 4


def test_answers_under_way_are_kept_when_another_stops_the_run(journal):
    arrived = threading.Event()

    def answer(body: dict) -> Reply:
        if text_of(body) == "stop":
            assert arrived.wait(10)
            return error(401, "invalid_api_key")
        arrived.set()
        time.sleep(0.5)
        return Reply("paid")

    with serving(answer) as server, pytest.raises(StudyError, match="1 of 3 answers are kept"):
        ask(server, journal, ["slow", "stop", "never"], Limits(connections=2, requests_per_minute=60_000))
    assert "paid" in journal.read_text()
    assert "never" not in [text_of(r) for r in server.requests]


def test_an_alias_may_answer_as_its_snapshot(journal):
    with serving(lambda body: Reply("x", model="m-2026-01-01")) as server:
        assert ask(server, journal, ["a"])[0]["model"] == "m-2026-01-01"


def test_what_the_server_asks_to_wait_is_waited_by_all(journal):
    seen = []

    def answer(body: dict) -> Reply:
        seen.append(time.monotonic())
        return error(429, "rate_limit_exceeded", retry_after="1") if len(seen) == 1 else Reply("ok")

    with serving(answer) as server:
        ask(server, journal, ["a", "b", "c"], Limits(connections=1, requests_per_minute=60_000))
    assert len(seen) == 4
    assert seen[1] - seen[0] >= 1


def test_neither_a_refusal_nor_a_crowd_is_met_with_requests_that_waited_for_their_turn(journal):
    slow = Limits(connections=8, requests_per_minute=120)
    with serving(lambda body: error(401, "invalid_api_key")) as server, pytest.raises(StudyError):
        ask(server, journal, list("abcdefgh"), slow)
    assert len(server.requests) <= 2, "at most one was under way when the first came back"
    seen = []

    def answer(body: dict) -> Reply:
        seen.append(time.monotonic())
        return error(429, "rate_limit_exceeded", retry_after="2") if len(seen) == 1 else Reply("ok")

    with serving(answer) as server:
        ask(server, journal, list("abcd"), slow)
    assert sum(moment - seen[0] < 1.95 for moment in seen[1:]) <= 1


def test_a_server_that_never_ends_its_answer_is_given_up(journal):
    def slowly(body: dict) -> Reply:
        time.sleep(3)
        return Reply("late")

    quick = Limits(connections=1, requests_per_minute=60_000, attempts=1, timeout=0.3)
    with serving(slowly) as server, pytest.raises(StudyError, match="no answer within 0 s"):
        ask(server, journal, ["a"], quick)


def test_a_parameter_that_the_sdk_does_not_know_is_handed_on(journal):
    with serving(lambda body: Reply("ok")) as server:
        asked = request("a") | {"top_k": 5, "chat_template_kwargs": {"enable_thinking": False}}
        ask_all([asked], Chat(server.url, None).send, Journal(journal), QUICK, "text")
    assert server.requests == [asked]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("  ", "no API key; set the environment variable SOME_KEY"),
        ("sk-“x”", "SOME_KEY is not a key: .* printable ASCII"),
    ],
)
def test_a_key_that_is_none_is_named_and_not_sent(monkeypatch, value, said):
    monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(StudyError, match=said) as stop:
        Chat("http://127.0.0.1:9/v1", "SOME_KEY")
    assert "sk-" not in str(stop.value)


def test_a_disk_that_is_full_loses_no_answer_that_was_kept(journal, monkeypatch):
    Journal(journal).add(request("a"), {"text": "A"})
    kept, write = Journal(journal), os.write
    monkeypatch.setattr("lexmerge.common.journal.os.write", lambda handle, line: write(handle, line[:20]))
    with pytest.raises(StudyError, match="the disk is full"):
        kept.add(request("b"), {"text": "B"})
    assert key_of(request("b")) not in kept
    monkeypatch.undo()
    kept.add(request("c"), {"text": "C"})
    again = Journal(journal)
    assert [key_of(request(t)) in again for t in "abc"] == [True, False, True]


def test_half_a_character_is_kept_as_it_came(journal):
    Journal(journal).add(request("a"), {"text": "x\ud800"})
    assert Journal(journal).get(key_of(request("a"))) == {"text": "x\ud800"}


def test_the_rate_is_kept(journal):
    seen = []
    with serving(lambda body: seen.append(time.monotonic()) or Reply("ok")) as server:
        ask(server, journal, list("abcdefgh"), Limits(connections=8, requests_per_minute=240))
    assert seen[-1] - seen[0] >= 1.7, (
        "one each quarter of a second: the last of 8 comes 1.75 s after the first"
    )


def test_the_servers_delay_is_read_in_each_of_its_forms():
    assert server_delay({"retry-after-ms": "1500"}) == 1.5
    assert server_delay({"retry-after": "2.5"}) == 2.5
    assert server_delay({"retry-after": "-3"}) == 0
    assert 8 < server_delay({"retry-after": formatdate(time.time() + 10, usegmt=True)}) <= 10
    assert server_delay({"retry-after": "soon"}) is None
    assert server_delay({}) is None


def test_a_filtered_prompt_is_an_answer_and_no_failure(journal):
    with serving(lambda body: error(400, "content_filter")) as server:
        assert ask(server, journal, ["a"])[0]["finish_reason"] == "content_filter"
        ask(server, journal, ["a"])
    assert len(server.requests) == 1
