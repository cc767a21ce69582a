"""A stand-in for a paid API: it speaks the Chat Completions protocol and says what it is told to.

It can also be run: `python tests/chat_server.py PORT TABLE.tsv` translates terms by a table.
"""

import csv
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


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
    """Answers every request with `answer(request)`; keeps the requests and the keys that they came with."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, answer: Callable[[dict], Reply], port: int = 0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer, self.requests, self.keys = answer, [], set()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def terms(self) -> list[str]:
        """The terms that translations were asked of, in order of arrival."""
        return [term_of(request) for request in self.requests]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        self.server.keys.add(self.headers.get("Authorization", "").removeprefix("Bearer "))
        reply = self.server.answer(request)
        body = (reply.completion(request) if reply.body is None else reply.body).encode()
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


@contextmanager
def serving(answer: Callable[[dict], Reply]) -> Iterator[ChatServer]:
    with ChatServer(answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


if __name__ == "__main__":
    with Path(sys.argv[2]).open(encoding="utf-8", newline="") as lines:
        table = {row["term"]: row["translation"] for row in csv.DictReader(lines, delimiter="\t")}
    ChatServer(lambda r: Reply(translation(table.get(term_of(r), "？"))), int(sys.argv[1])).serve_forever()
