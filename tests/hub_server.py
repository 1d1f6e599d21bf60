"""A stand-in of the hub's HTTP interface: what huggingface_hub asks for to download files and to make a commit.

Requests were read from huggingface_hub 2.4.0: HEAD and GET of /OWNER/NAME/resolve/REVISION/FILE; POST of
/api/repos/create, /api/validate-yaml (of a README), /api/models/OWNER/NAME/preupload/REVISION and
/OWNER/NAME.git/info/lfs/objects/batch; PUT to the place that this names, in chunks; POST of
/api/models/OWNER/NAME/commit/REVISION.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

TOKEN = "hf_of_a_test"


class Hub(ThreadingHTTPServer):
    """Repositories by name: revision to files. A name in `private` needs the token; `asked` has the requests so far."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.private: set[str] = set()
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.created: list[dict] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, value: object) -> None:
        self.answer(200, json.dumps(value).encode(), Content_Type="application/json")

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        repository = self.server.repositories.get(match[1]) if match else None
        authorised = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if match is None or repository is None or (match[1] in self.server.private and not authorised):
            return self.answer(401, X_Error_Code="RepoNotFound")
        if match[2] not in repository:
            return self.answer(404, X_Error_Code="RevisionNotFound")
        content = repository[match[2]].get(match[3])
        commit = hashlib.sha1(f"{match[1]} {match[2]} {sorted(repository[match[2]])}".encode()).hexdigest()
        if content is None:
            return self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        return self.answer(200, content, X_Repo_Commit=commit, ETag=f'"{hashlib.sha256(content).hexdigest()}"')

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while count := int(self.rfile.readline(), 16):
                content += self.rfile.read(count)
                self.rfile.readline()
            self.rfile.readline()
        else:
            content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.blobs[self.path.rpartition("/")[2]] = content
        self.answer(200)

    def do_POST(self) -> None:
        self.server.asked.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(403, b"{}")
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.server.created.append(asked)
            self.server.repositories.setdefault(name, {"main": {}})
            return self.json({"url": f"{self.server.url}/{name}"})
        if self.path == "/api/validate-yaml":
            return self.json({"warnings": [], "errors": []})
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = {file["path"]: "lfs" if file["path"].endswith(".safetensors") else "regular" for file in files}
            return self.json({"files": [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes.items()]})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            for one in objects:
                one["actions"] = {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}
            return self.json({"transfer": "basic", "objects": objects})
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path)
        lines = [json.loads(line) for line in body.splitlines()]
        files = self.server.repositories[match[1]]["main"]
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "lfsFile":
                files[line["value"]["path"]] = self.server.blobs[line["value"]["oid"]]
        return self.json({"commitUrl": f"{self.server.url}/{match[1]}/commit/abc", "commitOid": "abc", "success": True})


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """A hub in a thread of its own."""
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


def point(monkeypatch, url):
    """Let huggingface_hub take `url` for the hub's."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that huggingface_hub takes for the hub, with an empty cache and no token."""
    constants = pytest.importorskip("huggingface_hub.constants")
    from dgn.base import hub as ours

    ours._fetched.cache_clear()
    ours._failed.clear()
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serving() as server:
        point(monkeypatch, server.url)
        for key, value in {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_TOKEN_PATH": str(tmp_path / "token"),
                           "HF_HUB_DISABLE_XET": True, "HF_HUB_OFFLINE": False,
                           "HF_HUB_DISABLE_TELEMETRY": True}.items():  # fmt: skip
            monkeypatch.setattr(constants, key, value)
        yield server
    ours._fetched.cache_clear()
    ours._failed.clear()
