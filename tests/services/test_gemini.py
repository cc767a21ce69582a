"""Gemini: what each of its answers and each of its failures is, and the key is shown nowhere."""

import asyncio
import time

import pytest
from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Journal
from lexmerge.services.gemini_chat import Gemini
from lexmerge.services.limits import Limits
from lexmerge.services.requests import TryAgain, ask_all
from servers.gemini_server import INVALID_KEY, Reply, error, quota, retry_info, serving

KEY = "AIza-secret-123"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("SOME_KEY", f"{KEY}\n")
    monkeypatch.setenv("GOOGLE_API_KEY", "another")  # which the SDK would take by itself


def request(text: str = "a", **config) -> dict:
    return {"model": "gemini-x", "system": "Judge.", "text": text, "config": config}


def send(reply: Reply, **options) -> dict:
    with serving(lambda body: reply) as server:
        return asyncio.run(Gemini(server.url, "SOME_KEY", **options).send(request()))


def test_a_request_goes_out_whole_and_its_answer_comes_back_typed():
    schema = {"type": "object", "properties": {"score": {"type": "integer", "maximum": 10}}}
    safety = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}
    asked = request(
        "Term: 腎",
        temperature=0,
        seed=7,
        max_output_tokens=99,
        response_mime_type="application/json",
        response_json_schema=schema,
        safety_settings=[safety],
    )
    with serving(lambda body: Reply('{"score": 11}', thoughts="hm")) as server:
        answer = asyncio.run(Gemini(server.url, "SOME_KEY").send(asked))
    assert answer == {
        "model": "gemini-x",
        "text": '{"score": 11}',
        "refusal": None,
        "finish_reason": "stop",
        "block": None,
        "usage": {"prompt_tokens": 60, "completion_tokens": 112, "total_tokens": 172},
        "id": "r-1",
    }
    sent = server.requests[0]
    assert sent["contents"][0]["parts"] == [{"text": "Term: 腎"}]
    assert sent["systemInstruction"]["parts"] == [{"text": "Judge."}]
    assert sent["safetySettings"] == [safety]
    assert sent["generationConfig"] == {
        "temperature": 0,
        "seed": 7,
        "maxOutputTokens": 99,
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
    }
    assert server.keys == {KEY}


@pytest.mark.parametrize(
    ("reply", "text", "finish_reason", "block"),
    [
        (Reply("cut", finish_reason="MAX_TOKENS"), "cut", "length", None),
        (Reply(thoughts="long", finish_reason="MAX_TOKENS"), "", "length", None),
        (Reply(finish_reason="MAX_TOKENS"), "", "length", None),
        (Reply(finish_reason="SAFETY"), "", "content_filter", "SAFETY"),
        (Reply("part", finish_reason="RECITATION"), "part", "content_filter", "RECITATION"),
        (Reply(finish_reason="PROHIBITED_CONTENT"), "", "content_filter", "PROHIBITED_CONTENT"),
        (Reply(finish_reason="BLOCKLIST"), "", "content_filter", "BLOCKLIST"),
        (Reply(finish_reason="SPII"), "", "content_filter", "SPII"),
        (Reply(finish_reason="OTHER"), "", "content_filter", "OTHER"),
        (Reply(blocked="PROHIBITED_CONTENT"), "", "content_filter", "PROHIBITED_CONTENT"),
        (Reply(blocked="NEW_REASON"), "", "content_filter", "NEW_REASON"),
        (Reply("x", finish_reason="MALFORMED_RESPONSE"), "x", "malformed_response", None),
        (Reply("x", finish_reason="NEW_REASON"), "x", "new_reason", None),
    ],
)
def test_an_answer_says_how_it_ended(reply, text, finish_reason, block):
    answer = send(reply)
    assert (answer["text"], answer["finish_reason"], answer["block"]) == (text, finish_reason, block)


def test_another_model_is_returned_as_it_is():
    assert send(Reply("x", model="gemini-y"))["model"] == "gemini-y"


@pytest.mark.parametrize(
    ("reply", "after", "rate_limited", "said"),
    [
        (error(429, "RESOURCE_EXHAUSTED", details=[retry_info("45.8s")]), 45.8, True, "too many requests"),
        (error(429, "RESOURCE_EXHAUSTED", retry_after="7"), 7, True, "too many requests"),
        (error(429, "X", details=[quota("RequestsPerMinutePerProject")]), None, True, "too many requests"),
        (
            Reply(status=429, body="<html>busy</html>", headers={"Content-Type": "text/html"}),
            None,
            True,
            "busy",
        ),
        (error(503, "UNAVAILABLE"), None, False, "failed .503."),
        (error(500, "INTERNAL", retry_after="3"), 3, False, "failed .500."),
        (error(408, "DEADLINE"), None, False, "failed .408."),
        (Reply(status=502, body="[[1], 2]"), None, False, "failed .502."),
        (
            Reply(body="<html>welcome</html>", headers={"Content-Type": "text/html"}),
            None,
            False,
            "is not an answer of",
        ),
        (Reply(body="{}"), None, False, "is not an answer of a model"),
        (Reply(body="[]"), None, False, "is not an answer of a model"),
        (Reply(body='{"candidates": [null]}'), None, False, "is not an answer of a model"),
        (Reply(body='{"candidates": [{"content": "x"}]}'), None, False, "is not an answer of a model"),
        (Reply("a long text", cut=True), None, False, "did not answer"),
    ],
)
def test_what_may_pass_is_to_be_tried_again(reply, after, rate_limited, said):
    with pytest.raises(TryAgain, match=said) as failure:
        send(reply)
    assert (failure.value.after, failure.value.rate_limited) == (after, rate_limited)


def test_a_server_that_hangs_or_is_not_there_is_to_be_tried_again():
    began = time.monotonic()
    with pytest.raises(TryAgain, match="did not answer: ReadTimeout"):
        send(Reply("late", hang=3), timeout=0.3)
    with serving(lambda body: Reply("never")) as server:
        pass
    with pytest.raises(TryAgain, match=f"{server.url} did not answer: ConnectError"):
        asyncio.run(Gemini(server.url, "SOME_KEY").send(request()))
    assert time.monotonic() - began < 2.5, "the SDK tried by itself"


def test_the_sdk_sends_nothing_twice():
    for failing in (error(503, "UNAVAILABLE"), Reply("a long text", cut=True)):
        with serving(lambda body, reply=failing: reply) as server, pytest.raises(TryAgain):
            asyncio.run(Gemini(server.url, "SOME_KEY").send(request()))
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            error(400, "INVALID_ARGUMENT", f"API key {KEY} not valid", [INVALID_KEY]),
            "refused the key .400.: set SOME",
        ),
        (error(401, "UNAUTHENTICATED", KEY), "refused the key .401.: set SOME_KEY"),
        (
            error(403, "PERMISSION_DENIED", f"not with {KEY}"),
            "refused the key .403.: set SOME_KEY .*not with",
        ),
        (
            error(
                429,
                "X",
                details=[retry_info("0.1s"), quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")],
            ),
            "the daily quota is used up .GenerateRequestsPerDay",
        ),
        (error(404, "NOT_FOUND", KEY), "has no model 'gemini-x' .404.*set another `model`"),
        (
            error(400, "INVALID_ARGUMENT", f"bad schema {KEY}"),
            "does not accept the request .400.: bad schema",
        ),
        (Reply(status=302, body="", headers={"Location": "http://127.0.0.1:9/"}), "does not accept .*302"),
    ],
)
def test_what_will_not_pass_stops_at_once_and_never_shows_the_key(reply, said, tmp_path, capsys, caplog):
    caplog.set_level("DEBUG")
    journal = tmp_path / "answers.jsonl"
    asked = [request(str(n)) for n in range(20)]
    with serving(lambda body: reply) as server, pytest.raises(StudyError, match=said) as stop:
        limits = Limits(connections=1, requests_per_minute=60_000)
        ask_all(asked, Gemini(server.url, "SOME_KEY").send, Journal(journal), limits, "text")
    assert len(server.requests) == (
        2 if "request .400" in said else 1
    )  # two, since it may have been the one request
    assert server.keys == {KEY}
    out = capsys.readouterr()
    kept = "".join(file.read_text() for file in journal.parent.iterdir() if file.is_file())
    assert KEY not in str(stop.value) + out.out + out.err + kept
    assert KEY not in caplog.text


def test_the_key_is_not_in_what_passes_either():
    for reply in (error(429, "X", KEY), Reply(status=500, body=KEY), Reply(body=KEY)):
        with pytest.raises(TryAgain) as failure:
            send(reply)
        assert KEY not in str(failure.value)


def test_a_key_that_is_missing_is_named(monkeypatch):
    monkeypatch.delenv("SOME_KEY")
    with pytest.raises(StudyError, match="set the environment variable SOME_KEY"):
        Gemini(None, "SOME_KEY")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"temprature": 0}, "does not accept these parameters: temprature"),
        ({"max_output_tokens": "many"}, "does not accept these parameters: max_output_tokens"),
        ({"audio_timestamp": True}, "the SDK does not accept the request: audio_timestamp"),
    ],
)
def test_a_parameter_that_gemini_does_not_have_is_named_and_nothing_is_sent(config, said):
    with serving(lambda body: Reply("x")) as server, pytest.raises(StudyError, match=said):
        asyncio.run(Gemini(server.url, "SOME_KEY").send(request(**config)))
    assert server.requests == []


def test_one_client_serves_several_runs_and_many_requests_at_a_time(tmp_path):
    with serving(lambda body: Reply(body["contents"][0]["parts"][0]["text"].upper())) as server:
        client, journal = Gemini(f"{server.url}/", "SOME_KEY"), Journal(tmp_path / "answers.jsonl")
        limits = Limits(connections=16, requests_per_minute=60_000)
        for texts in (list("abcdefgh"), list("hgfedcbaxyz"), ["last"]):
            answers = ask_all([request(t) for t in texts], client.send, journal, limits, "text")
            assert [answer["text"] for answer in answers] == [t.upper() for t in texts]
    assert len(server.requests) == 12


def test_the_real_server_is_the_default():
    assert Gemini(None, "SOME_KEY").base_url == "https://generativelanguage.googleapis.com"
