"""A stand-in for the Gemini API: it speaks `generateContent` and batches, and says what it is told to."""

import json
import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servers.running_server import running

INVALID_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


@dataclass
class Reply:
    """What a request is answered with: a body as it stands, or a candidate of `thoughts` and `text`, or a
    block of the prompt. `cut`: the connection is reset in the middle of it."""

    text: str | None = None
    status: int = 200
    body: str | None = None
    headers: dict = field(default_factory=dict)
    model: str | None = None
    finish_reason: str = "STOP"
    thoughts: str | None = None
    blocked: str | None = None
    cut: bool = False
    hang: float = 0

    def content(self, model: str) -> dict:
        parts = [{"text": self.thoughts, "thought": True}] if self.thoughts else []
        parts += [{"text": self.text}] if self.text is not None else []
        usage = {"promptTokenCount": 60, "candidatesTokenCount": 12, "totalTokenCount": 72}
        if self.thoughts:
            usage |= {"thoughtsTokenCount": 100, "totalTokenCount": 172}
        candidate = {"index": 0, "finishReason": self.finish_reason}
        candidate |= {"content": {"role": "model", "parts": parts}} if parts else {}
        said = (
            {"promptFeedback": {"blockReason": self.blocked}} if self.blocked else {"candidates": [candidate]}
        )
        return said | {"usageMetadata": usage, "modelVersion": self.model or model, "responseId": "r-1"}


class GeminiServer(ThreadingHTTPServer):
    """Answers every request with `answer(request)`; keeps the requests and the keys that they came with.

    A batch runs for `polls` looks at it, then it is over. A request in it that `answer` has None for expires,
    and the batch with it; `ending` is another end. `metadata`: does what went along with a request come back
    with its result, in any order? `fault(method, path)`, where it has a Reply, stands in for the reply to a
    request about batches that was carried out.
    """

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, answer: Callable[[dict], Reply]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.requests, self.keys = answer, [], set()
        self.batches: dict[str, dict] = {}
        self.polls, self.ending, self.metadata, self.fault = 1, None, True, lambda method, path: None
        self.url = f"http://127.0.0.1:{self.server_port}"

    def submitted(self) -> list[list[dict]]:
        """The requests in each batch."""
        return [[item["request"] for item in batch["items"]] for batch in self.batches.values()]

    def make(self, model: str, asked: dict) -> dict:
        name = f"batches/b{len(self.batches) + 1}"
        items = asked["batch"]["inputConfig"]["requests"]["requests"]
        about = {"displayName": asked["batch"]["displayName"], "model": f"models/{model}"}
        self.batches[name] = {"items": items, "about": about, "looks": 0, "model": model}
        return self.look(name)

    def look(self, name: str) -> dict:
        batch = self.batches[name]
        batch["looks"] += 1
        stats = {"requestCount": str(len(batch["items"]))}
        operation = {"name": name, "metadata": {**batch["about"], "state": "BATCH_STATE_RUNNING"}}
        operation["metadata"]["batchStats"] = stats
        if batch["looks"] <= self.polls + 1:  # its making is a look too
            return operation
        if "end" not in batch:
            batch["end"] = self.end(batch)
        operation["metadata"] |= batch["end"]
        if operation["metadata"]["state"] == "BATCH_STATE_FAILED":
            operation["error"] = {"code": 3, "message": "the batch is bad"}
        return operation | {"done": True}

    def end(self, batch: dict) -> dict:
        if self.ending == "FAILED":
            return {"state": "BATCH_STATE_FAILED"}
        found, expired = [], False
        for item in batch["items"]:
            reply = self.answer(item["request"])
            result = {"metadata": item["metadata"]} if self.metadata else {}
            if reply is None:
                expired = True
                details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "EXPIRED"}]
                result["error"] = {"code": 4, "message": "This request expired", "details": details}
            else:
                result["response"] = (
                    reply.content(batch["model"]) if reply.body is None else json.loads(reply.body)
                )
            found.append(result)
        state = self.ending or ("EXPIRED" if expired else "SUCCEEDED")
        responses = found[::-1] if self.metadata else found
        return {
            "state": f"BATCH_STATE_{state}",
            "output": {"inlinedResponses": {"inlinedResponses": responses}},
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.add(self.headers.get("x-goog-api-key"))
        model, verb = re.fullmatch(r"/v1/models/([^/:]+):(\w+)", self.path).groups()
        if verb == "batchGenerateContent":
            self.about_batches("POST", self.server.make(model, request))
        else:
            self.server.requests.append(request)
            reply = self.server.answer(request)
            self.send(reply, json.dumps(reply.content(model)) if reply.body is None else reply.body)

    def do_GET(self):
        self.server.keys.add(self.headers.get("x-goog-api-key"))
        name = self.path.partition("?")[0].removeprefix("/v1/")
        if name == "batches":
            made = [{"name": name, "metadata": b["about"]} for name, b in self.server.batches.items()]
            self.about_batches("GET", {"operations": made})
        elif name in self.server.batches:
            self.about_batches("GET", self.server.look(name))
        else:
            missing = error(404, "NOT_FOUND")
            self.send(missing, missing.body)

    def about_batches(self, method: str, said: dict):
        fault = self.server.fault(method, self.path.removeprefix("/v1"))
        self.send(fault or Reply(), fault.body if fault else json.dumps(said))

    def send(self, reply: Reply, text: str):
        time.sleep(reply.hang)
        body = text.encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if reply.cut else body)
        if reply.cut:
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

    def log_message(self, *_):
        pass


def error(
    status: int, name: str, message: str = "no", details: list[dict] | None = None, **headers: str
) -> Reply:
    said = {"code": status, "message": message, "status": name, "details": details or []}
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    return Reply(status=status, body=json.dumps({"error": said}), headers=headers)


def retry_info(delay: str) -> dict:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def quota(name: str) -> dict:
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/requests",
        "quotaId": name,
        "quotaValue": "50",
    }
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


def serving(answer: Callable[[dict], Reply]) -> AbstractContextManager[GeminiServer]:
    return running(GeminiServer(answer))
