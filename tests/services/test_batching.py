"""Batches of both providers: every answer is found, kept and paid for once, whatever happens on the way."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from lexmerge.common.errors import StudyError
from lexmerge.common.journal import Journal
from lexmerge.services import batching
from lexmerge.services.batching import ask_in_batches
from lexmerge.services.gemini_chat import Gemini
from lexmerge.services.openai_chat import Chat
from lexmerge.services.replies import check_model
from lexmerge.services.requests import TryAgain
from servers import chat_server, gemini_server

KEY = "sk-secret-123"


def chat_request(text: str, model: str = "m") -> dict:
    return {
        "server": None,
        "body": {"model": model, "messages": [{"role": "user", "content": text}], "top_k": 5},
    }


def gemini_request(text: str, model: str = "m") -> dict:
    body = {"model": model, "system": "Judge.", "text": text, "config": {"temperature": 0}}
    return {"server": None, "body": body}


CHAT = SimpleNamespace(
    serving=chat_server.serving,
    client=Chat,
    request=chat_request,
    text_of=lambda body: body["messages"][0]["content"],
    reply=chat_server.Reply,
    error=lambda status: chat_server.error(status, "no", KEY),
    cut=chat_server.Reply("cut", finish_reason="length"),
    fails=chat_server.error(400, "bad_request", f"bad {KEY}"),
    blocked=chat_server.error(400, "content_filter"),
    ending=str.lower,
)
GEMINI = SimpleNamespace(
    serving=gemini_server.serving,
    client=Gemini,
    request=gemini_request,
    text_of=lambda body: body["contents"][0]["parts"][0]["text"],
    reply=gemini_server.Reply,
    error=lambda status: gemini_server.error(status, "no", KEY),
    cut=gemini_server.Reply(thoughts="hm", finish_reason="MAX_TOKENS"),
    fails=gemini_server.Reply(body="{}"),
    blocked=gemini_server.Reply(blocked="SAFETY"),
    ending=str.upper,
)


@pytest.fixture(params=[CHAT, GEMINI], ids=["openai", "gemini"])
def api(request):
    return request.param


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.setattr(batching, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(batching, "PATIENCE", 0.3)


@pytest.fixture
def place(tmp_path):
    """Where answers and batches are kept; nothing there may ever hold the key."""
    yield SimpleNamespace(journal=tmp_path / "answers.jsonl", state=tmp_path / "answers.batches.jsonl")
    assert not any(KEY in file.read_text() for file in tmp_path.iterdir())


def upper(api):
    return lambda body: api.reply(api.text_of(body).upper())


def ask(api, server, place, texts, **options):
    client = options.pop("client", None) or api.client(server.url, "SOME_KEY")
    requests = [api.request(t, **options) for t in texts]
    answers = ask_in_batches(requests, client, Journal(place.journal), place.state, 0.01, "text")
    return [answer["text"] for answer in answers]


def sent(api, server) -> list[list[str]]:
    return [[api.text_of(body) for body in batch] for batch in server.submitted()]


def test_answers_come_in_the_order_of_the_requests_and_are_asked_for_once(api, place):
    with api.serving(upper(api)) as server:
        assert ask(api, server, place, ["a", "b", "a", "c"]) == ["A", "B", "A", "C"]
        assert ask(api, server, place, ["c", "d", "a"]) == ["C", "D", "A"]
        assert ask(api, server, place, ["d"]) == ["D"]
    assert sent(api, server) == [["a", "b", "c"], ["d"]]
    assert server.keys == {KEY}
    records = [json.loads(line) for line in place.journal.read_text().splitlines()]
    assert {r["request"]["body"]["model"] for r in records} == {"m"}
    assert all(r["answer"]["text"] and r["answer"]["model"] == "m" for r in records)


def test_what_is_sent_in_a_batch_is_what_is_sent_by_itself(api, place):
    with api.serving(upper(api)) as server:
        ask(api, server, place, ["a"])
        asyncio.run(api.client(server.url, "SOME_KEY").send(api.request("a")["body"]))
    assert server.submitted() == [server.requests]


def test_answers_are_typed_as_by_themselves(api, place):
    replies = {"cut": api.cut, "blocked": api.blocked, "other": api.reply("x", model="another")}
    with api.serving(lambda body: replies[api.text_of(body)]) as server:
        ask(api, server, place, list(replies))
        journal = Journal(place.journal)
        for text in replies:
            request = api.request(text)
            kept = journal.get(batching.key_of(request))
            alone = asyncio.run(api.client(server.url, "SOME_KEY").send(request["body"]))
            assert {**kept, "model": ""} == {**alone, "model": ""}
            assert kept["model"] in (("another",) if text == "other" else ("m", None))


def test_what_expired_goes_into_one_more_batch(api, place):
    late = {"b", "d"}

    def answer(body):
        expires = api.text_of(body) in late and len(server.batches) == 1
        return None if expires else upper(api)(body)

    with api.serving(answer) as server:
        assert ask(api, server, place, list("abcde")) == list("ABCDE")
    assert sent(api, server) == [list("abcde"), ["b", "d"]]


@pytest.mark.parametrize("how", ["expires", "fails"])
def test_what_is_missing_twice_is_said_and_the_same_command_asks_for_it_alone(api, place, how):
    wrong = {"expires": None, "fails": api.fails}[how]
    with api.serving(lambda body: wrong if api.text_of(body) == "b" else upper(api)(body)) as server:
        with pytest.raises(
            StudyError, match=r"2 of 3 answers are kept in .*request only the other 1"
        ) as stop:
            ask(api, server, place, list("abc"))
        assert sent(api, server) == [list("abc"), ["b"]]
        assert KEY not in str(stop.value)
        server.answer = upper(api)
        assert ask(api, server, place, list("abc")) == list("ABC")
    assert sent(api, server) == [list("abc"), ["b"], ["b"]]


def test_what_was_done_before_a_batch_was_cancelled_is_kept(api, place):
    with api.serving(lambda body: None if api.text_of(body) == "b" else upper(api)(body)) as server:
        server.ending = api.ending("cancelled")
        with pytest.raises(StudyError, match="2 of 3 answers are kept"):
            ask(api, server, place, list("abc"))
    assert len(place.journal.read_text().splitlines()) == 2


def test_a_batch_that_failed_says_why(api, place):
    with api.serving(upper(api)) as server:
        server.ending = api.ending("failed")
        with pytest.raises(StudyError, match=r"the (file|batch) is bad\. 0 of 2 answers are kept"):
            ask(api, server, place, list("ab"))
    assert len(server.batches) == 2


class Killed(BaseException):
    """As a kill ends a process: no handler of errors sees it."""


def killed(*_):
    raise Killed


@pytest.mark.parametrize("method", ["progress", "results"])
def test_a_run_that_is_killed_goes_on_with_its_batch(api, place, method):
    with api.serving(upper(api)) as server:
        client = api.client(server.url, "SOME_KEY")
        setattr(client, method, killed)
        with pytest.raises(Killed):
            ask(api, server, place, list("abc"), client=client)
        assert ask(api, server, place, list("abcd")) == list("ABCD")
    assert sent(api, server) == [list("abc"), ["d"]]


def test_a_run_that_is_killed_while_it_keeps_answers_pays_for_none_twice(api, place, monkeypatch):
    with api.serving(upper(api)) as server:
        add = Journal.add
        monkeypatch.setattr(
            Journal, "add", lambda self, *record: killed() if self._answers else add(self, *record)
        )
        with pytest.raises(Killed):
            ask(api, server, place, list("abc"))
        monkeypatch.undo()
        monkeypatch.setenv("SOME_KEY", KEY)
        assert ask(api, server, place, list("abc")) == list("ABC")
    assert sent(api, server) == [list("abc")]


def test_a_run_that_is_killed_before_it_learns_the_id_finds_the_batch(api, place):
    with api.serving(upper(api)) as server:
        client = api.client(server.url, "SOME_KEY")
        submit = client.submit

        async def submit_and_die(*given):
            await submit(*given)
            raise Killed

        client.submit = submit_and_die
        with pytest.raises(Killed):
            ask(api, server, place, list("ab"), client=client)
        assert ask(api, server, place, list("ab")) == list("AB")
    assert sent(api, server) == [list("ab")]


def test_a_run_that_is_killed_before_anything_is_sent_sends_it(api, place):
    with api.serving(upper(api)) as server:
        client = api.client(server.url, "SOME_KEY")
        client.submit = killed
        with pytest.raises(Killed):
            ask(api, server, place, list("ab"), client=client)
        assert ask(api, server, place, list("ab")) == list("AB")
    assert sent(api, server) == [list("ab")]


def test_a_batch_whose_answer_was_lost_is_not_sent_again(api, place):
    lost = iter([api.error(503)])
    made = "/batches" if api is CHAT else "/models/m:batchGenerateContent"
    with api.serving(upper(api)) as server:
        server.fault = lambda method, path: next(lost, None) if (method, path) == ("POST", made) else None
        assert ask(api, server, place, list("ab")) == list("AB")
    assert next(lost, "used up") == "used up"
    assert sent(api, server) == [list("ab")]


def test_a_torn_last_line_of_the_state_is_cut_off(api, place):
    with api.serving(upper(api)) as server:
        client = api.client(server.url, "SOME_KEY")
        client.progress = killed
        with pytest.raises(Killed):
            ask(api, server, place, list("ab"), client=client)
        place.state.write_bytes(place.state.read_bytes()[:-9])
        assert ask(api, server, place, list("ab")) == list("AB")
    assert sent(api, server) == [list("ab")]
    assert all(json.loads(line) for line in place.state.read_text().splitlines())


def test_a_batch_that_is_gone_is_sent_again(api, place, capsys):
    with api.serving(upper(api)) as server:
        client = api.client(server.url, "SOME_KEY")
        client.progress = killed
        with pytest.raises(Killed):
            ask(api, server, place, list("ab"), client=client)
        (name,) = server.batches
        del server.batches[name]
        assert ask(api, server, place, list("ab")) == list("AB")
        assert ask(api, server, place, list("ba")) == list("BA")
    assert sent(api, server) == [list("ab")], "of the batches that are left"
    assert f"has no {name}" in capsys.readouterr().out


def test_a_batch_of_which_another_study_wants_a_part_is_left_for_the_rest(api, place):
    with api.serving(upper(api)) as server:
        client = api.client(server.url, "SOME_KEY")
        client.progress = killed
        with pytest.raises(Killed):
            ask(api, server, place, list("abc"), client=client)
        assert ask(api, server, place, ["b", "d"]) == ["B", "D"]
        assert ask(api, server, place, list("abc")) == list("ABC")
    assert sent(api, server) == [list("abc"), ["d"]]


def test_what_may_pass_while_a_batch_is_polled_is_waited_out(api, place):
    faults = iter([api.error(500), api.reply(body="<html>"), api.error(429), api.reply(body="[]")])
    with api.serving(upper(api)) as server:
        server.fault = lambda method, path: next(faults, None) if method == "GET" else None
        assert ask(api, server, place, list("ab")) == list("AB")
    assert next(faults, "used up") == "used up"
    assert len(server.batches) == 1


def test_a_provider_that_stays_away_ends_the_run_but_not_the_batch(api, place):
    with api.serving(upper(api)) as server:
        server.fault = lambda method, path: api.error(500) if method == "GET" else None
        with pytest.raises(StudyError, match="run the same command again to wait for the batches under way"):
            ask(api, server, place, list("ab"))
        server.fault = lambda method, path: None
        assert ask(api, server, place, list("ab")) == list("AB")
    assert len(server.batches) == 1


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_refused_key_stops_at_once_and_is_not_shown(api, place, method, capsys):
    with api.serving(upper(api)) as server:
        refused = []

        def fault(verb, path):
            if verb == method:
                refused.append(path)
                return api.error(401)
            return None

        server.fault = fault
        with pytest.raises(
            StudyError, match=r"refused the key .401..*set .*SOME_KEY.*0 of 2 answers"
        ) as stop:
            ask(api, server, place, list("ab"))
    assert len(refused) == 1
    out = capsys.readouterr()
    assert KEY not in str(stop.value) + out.out + out.err


def test_a_batch_is_of_one_model_and_no_larger_than_the_provider_takes(api, place):
    with api.serving(upper(api)) as server:
        client = api.client(server.url, "SOME_KEY")
        client.batch_requests = 3
        assert ask(api, server, place, list("abcdefg"), client=client) == list("ABCDEFG")
        client = api.client(server.url, "SOME_KEY")
        client.batch_bytes = 12_000
        texts = [letter * 5000 for letter in "hijkl"]
        ask(api, server, place, texts, client=client)
        journal = Journal(place.journal)
        mixed = [api.request("x", "m"), api.request("y", "n"), api.request("z", "m")]
        ask_in_batches(mixed, api.client(server.url, "SOME_KEY"), journal, place.state, 0.01, "text")
    assert [len(batch) for batch in server.submitted()] == [3, 3, 1, 2, 2, 1, 2, 1]
    assert [[t[0] for t in batch] for batch in sent(api, server)][3:] == [
        *(["h", "i"], ["j", "k"], ["l"]),
        *(["x", "z"], ["y"]),
    ]


def test_gemini_leaves_the_keys_out_and_the_order_tells(place):
    with gemini_server.serving(upper(GEMINI)) as server:
        server.metadata = False
        assert ask(GEMINI, server, place, list("abc")) == list("ABC")


def test_gemini_results_that_cannot_be_told_apart_are_none(place):
    with gemini_server.serving(upper(GEMINI)) as server:
        server.metadata = False
        client = Gemini(server.url, "SOME_KEY")

        async def results():
            name = await client.submit({key: GEMINI.request(key)["body"] for key in "ab"}, "n")
            while (await client.progress(name)).state == "running":
                pass
            return await client.results(name, list("abc"))

        assert asyncio.run(results()) == {}


def test_gemini_results_of_an_error_name_it(place):
    expires = gemini_server.serving(lambda body: None)
    with expires as server, pytest.raises(StudyError, match="This request expired"):
        ask(GEMINI, server, place, ["a"])


def test_progress_is_what_the_provider_counts(api):
    with api.serving(lambda body: None if api.text_of(body) == "b" else upper(api)(body)) as server:
        client = api.client(server.url, "SOME_KEY")

        async def looks():
            name = await client.submit({key: api.request(key)["body"] for key in "abc"}, "n")
            assert await client.find("n") == name
            assert await client.find("another") is None
            return [(await client.progress(name)) for _ in range(2)]

        first, second = asyncio.run(looks())
    assert (first.state, second.state) == ("running", "ended")
    assert first.total in (0, 3)


def test_a_server_without_batches_is_named(place):
    with chat_server.serving(upper(CHAT)) as server:
        server.fault = lambda method, path: chat_server.error(404, "not_found")
        with pytest.raises(StudyError, match=r"has no batch API .404.: set `mode: now`"):
            ask(CHAT, server, place, ["a"])


def test_a_result_that_cannot_be_read_is_not_paid_for_again(place):
    garbled = iter([chat_server.Reply(body='{"custom_id": "'), chat_server.Reply(body="<html>")])
    with chat_server.serving(upper(CHAT)) as server:
        server.fault = lambda method, path: next(garbled, None) if path.endswith("/content") else None
        assert ask(CHAT, server, place, list("ab")) == list("AB")
    assert len(server.batches) == 1


def test_the_caller_looks_at_the_model_that_answered():
    with chat_server.serving(lambda body: chat_server.Reply("x", model="another")) as server:
        body = chat_request("a")["body"]
        answer = asyncio.run(Chat(server.url, "SOME_KEY").send(body))
    assert answer["model"] == "another"
    with pytest.raises(StudyError, match="asked for the model 'm', but 'another' answered"):
        check_model("m", answer, server.url)


def test_the_services_delay_is_kept_to():
    state = SimpleNamespace(outcome=SimpleNamespace(exception=lambda: TryAgain("x", 45.8)), attempt_number=1)
    assert batching._wait(state) == 45.8
