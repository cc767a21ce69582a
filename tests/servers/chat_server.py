"""A stand-in for a paid API: it speaks the Chat Completions protocol, with files and batches, and says what
it is told to.

It can also be run: `PYTHONPATH=tests python -m servers.chat_server PORT TABLE.tsv` translates terms by
a table.
"""

import csv
import json
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from servers.running_server import running


@dataclass
class Reply:
    """What a request is answered with: a body as it stands, or a chat completion around `text`."""

    text: str | None = None
    status: int = 200
    body: str | None = None
    headers: dict = field(default_factory=dict)
    model: str | None = None
    finish_reason: str = "stop"
    refusal: str | None = None

    def completion(self, request: dict) -> str:
        message = {"role": "assistant", "content": self.text, "refusal": self.refusal}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return json.dumps(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 0,
                "model": self.model or request["model"],
                "choices": [choice],
                "usage": {"prompt_tokens": 60, "completion_tokens": 12, "total_tokens": 72},
            }
        )


class ChatServer(ThreadingHTTPServer):
    """Answers every request with `answer(request)`; keeps the requests and the keys that they came with.

    A batch is in progress for `polls` looks at it, then it is over; its results are in the reverse order. A
    request in it that `answer` has None for expires, and the batch with it; `ending` is another end.
    `fault(method, path)`, where it has a Reply, stands in for the reply to a request about files and batches
    that was carried out.
    """

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, answer: Callable[[dict], Reply], port: int = 0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer, self.requests, self.keys = answer, [], set()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}
        self.polls, self.ending, self.fault = 1, None, lambda method, path: None
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def terms(self) -> list[str]:
        """The terms that translations were asked of, in order of arrival."""
        return [term_of(request) for request in self.requests]

    def submitted(self) -> list[list[dict]]:
        """The bodies in each batch."""
        files = [self.files[batch["input_file_id"]] for batch in self.batches.values()]
        return [[json.loads(line)["body"] for line in file.splitlines()] for file in files]

    def upload(self, form: bytes) -> dict:
        """Keep the file in a form, which is all of it that is JSON."""
        lines = [line for line in form.splitlines() if line.startswith(b"{")]
        return {"id": self.keep(lines), "object": "file", "purpose": "batch"}

    def keep(self, lines: list[bytes]) -> str | None:
        name = f"file-{len(self.files) + 1}"
        self.files[name] = b"\n".join(lines)
        return name if lines else None

    def make(self, asked: dict) -> dict:
        assert asked["input_file_id"] in self.files
        assert (asked["endpoint"], asked["completion_window"]) == ("/v1/chat/completions", "24h")
        name = f"batch_{len(self.batches) + 1}"
        self.batches[name] = {**asked, "id": name, "object": "batch", "created_at": 0, "looks": 0}
        return self.look(name)

    def look(self, name: str) -> dict:
        batch = self.batches[name]
        batch["looks"] += 1
        if batch["looks"] <= self.polls + 1:  # its making is a look too
            return batch | {"status": "in_progress"}
        if "status" not in batch:
            lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
            batch |= self.end(lines[::-1])
        return batch

    def end(self, lines: list[dict]) -> dict:
        if self.ending == "failed":
            return {"status": "failed", "errors": {"data": [{"code": "bad", "message": "the file is bad"}]}}
        fine, wrong = [], []
        for line in lines:
            assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
            reply = self.answer(line["body"])
            result = {"custom_id": line["custom_id"], "response": None, "error": None}
            if reply is None:
                result["error"] = {"code": "batch_expired", "message": "This request expired"}
            else:
                body = json.loads(reply.completion(line["body"]) if reply.body is None else reply.body)
                result["response"] = {"status_code": reply.status, "request_id": "r", "body": body}
            (fine if reply and reply.status == 200 else wrong).append(json.dumps(result).encode())
        expired = any(b"batch_expired" in line for line in wrong)
        return {
            "status": self.ending or ("expired" if expired else "completed"),
            "output_file_id": self.keep(fine),
            "error_file_id": self.keep(wrong),
            "request_counts": {"completed": len(fine), "failed": len(wrong), "total": len(lines)},
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.add(self.headers.get("Authorization", "").removeprefix("Bearer "))
        match self.path.removeprefix("/v1"):
            case "/files":
                self.about_batches("POST", self.server.upload(body))
            case "/batches":
                self.about_batches("POST", self.server.make(json.loads(body)))
            case _:
                request = json.loads(body)
                self.server.requests.append(request)
                reply = self.server.answer(request)
                self.send(reply, (reply.completion(request) if reply.body is None else reply.body).encode())

    def do_GET(self):
        match self.path.removeprefix("/v1").partition("?")[0].split("/")[1:]:
            case ["files", name, "content"] if name in self.server.files:
                self.about_batches("GET", self.server.files[name])
            case ["batches", name] if name in self.server.batches:
                self.about_batches("GET", self.server.look(name))
            case ["batches"]:
                made = [batch | {"status": "in_progress"} for batch in self.server.batches.values()]
                self.about_batches("GET", {"object": "list", "data": made, "has_more": False})
            case _:
                missing = error(404, "not_found")
                self.send(missing, missing.body.encode())

    def about_batches(self, method: str, said: dict | bytes):
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        fault = self.server.fault(method, self.path.removeprefix("/v1"))
        self.send(fault or Reply(), fault.body.encode() if fault else body)

    def send(self, reply: Reply, body: bytes):
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def term_of(request: dict) -> str:
    return re.search(r"^Term: (.*)$", request["messages"][0]["content"], re.M)[1]


def translation(text: str, *alternatives: str) -> str:
    return json.dumps({"translation": text, "alternatives": list(alternatives)}, ensure_ascii=False)


def error(status: int, code: str, message: str = "no", **headers: str) -> Reply:
    body = json.dumps({"error": {"message": message, "type": code, "code": code}})
    return Reply(status=status, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def serving(answer: Callable[[dict], Reply]) -> AbstractContextManager[ChatServer]:
    return running(ChatServer(answer))


if __name__ == "__main__":
    with Path(sys.argv[2]).open(encoding="utf-8", newline="") as lines:
        table = {row["term"]: row["translation"] for row in csv.DictReader(lines, delimiter="\t")}
    ChatServer(lambda r: Reply(translation(table.get(term_of(r), "？"))), int(sys.argv[1])).serve_forever()
