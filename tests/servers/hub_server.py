"""A stand-in for the Hugging Face hub, of folders on this machine: its API as far as a download needs it.

Models are folders of files; data sets may have subfolders.
"""

import json
from contextlib import AbstractContextManager
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

from servers.running_server import running

COMMIT = "c" * 40


class HubServer(ThreadingHTTPServer):
    """Serves `org/name` from a folder; notes what was asked for, and with which token."""

    daemon_threads = True

    def __init__(
        self, models: dict[str, Path], gated: set[str] = frozenset(), data_sets: dict[str, Path] | None = None
    ):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data_sets = data_sets or {}
        self.models, self.gated, self.asked, self.tokens, self.damaged = models, gated, [], set(), set()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def weights_asked(self) -> int:
        """The bytes of weights that were sent."""
        return sum(size for path, size in self.asked if path.endswith(".safetensors"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.server.tokens.add(self.headers.get("Authorization", "").removeprefix("Bearer "))
        parts = unquote(urlparse(self.path).path).strip("/").split("/")
        if "datasets" in parts[:2]:
            return self._data_set(parts)
        api = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if api else parts[:2])
        if name not in self.server.models:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if name in self.server.gated and not self.headers.get("Authorization"):
            return self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
        folder = self.server.models[name]
        files = sorted(f for f in folder.iterdir() if f.is_file() and f.name != "provenance.json")
        if not api:
            return self._file(folder / parts[-1])
        revision = parts[5] if len(parts) > 5 else "main"
        if revision not in ("main", COMMIT):
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        if parts[4:5] == ["tree"]:
            return self._send(200, json.dumps([self._entry(f) for f in files]).encode())
        siblings = [
            {"rfilename": f.name, **{k: v for k, v in self._entry(f).items() if k != "path"}} for f in files
        ]
        return self._send(200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode())

    def do_POST(self):
        body = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        parts = unquote(urlparse(self.path).path).strip("/").split("/")
        folder = self.server.data_sets["/".join(parts[2:4])]
        found = [folder / path for path in body.get("paths", []) if (folder / path).exists()]
        self._send(200, json.dumps([self._listed(file, folder) for file in found]).encode())

    def _data_set(self, parts: list[str]):
        """Answer for a data set: what it is, what a folder of it holds, or one file."""
        api = parts[0] == "api"
        name, rest = "/".join(parts[1 + api : 3 + api]), parts[3 + api :]
        if name not in self.server.data_sets:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        folder = self.server.data_sets[name]
        if not api:
            return self._file(folder.joinpath(*rest[2:]))
        if rest[:1] == ["tree"]:
            below = folder.joinpath(*rest[2:])
            if not below.is_dir():
                return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            deep = "recursive=true" in self.path.lower()
            listed = sorted(below.rglob("*") if deep else below.iterdir())
            return self._send(200, json.dumps([self._listed(path, folder) for path in listed]).encode())
        if rest and rest[0] != "revision":
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        siblings = [{"rfilename": path.relative_to(folder).as_posix()} for path in files]
        return self._send(200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode())

    def _listed(self, path: Path, folder: Path) -> dict:
        """A file or folder of a data set, as a listing has it."""
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            return {"type": "directory", "path": name, "size": 0, "oid": sha1(name.encode()).hexdigest()}
        return self._entry(path) | {"path": name}

    def _entry(self, file: Path) -> dict:
        data = file.read_bytes()
        entry = {"type": "file", "path": file.name, "size": len(data), "oid": sha1(data).hexdigest()}
        if file.suffix == ".safetensors":
            entry["lfs"] = {"oid": sha256(data).hexdigest(), "sha256": sha256(data).hexdigest()}
            entry["lfs"] |= {"size": len(data), "pointerSize": 134}
        return entry

    def _file(self, file: Path):
        if not file.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        data = file.read_bytes()
        headers = {"ETag": f'"{sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if file.name in self.server.damaged:
            data = data[:-4] + b"\0\0\0\0"
        if wanted := self.headers.get("Range"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            return self._send(206, data[start : end + 1], headers)
        return self._send(200, data, headers)

    def _send(self, status: int, body: bytes, headers: dict | None = None):
        if self.command == "GET":
            self.server.asked.append((self.path, len(body)))
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def hub(
    models: dict[str, Path], gated: set[str] = frozenset(), data_sets: dict[str, Path] | None = None
) -> AbstractContextManager[HubServer]:
    return running(HubServer(models, gated, data_sets))
