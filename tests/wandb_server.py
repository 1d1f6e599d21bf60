"""A stand-in for the W&B server: what wandb-core asks when a run is logged, answered from memory on 127.0.0.1."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "0123456789" * 4  # what an API key looks like
MODEL = {"id": "P", "entity": {"id": "E", "name": "me"}}
ALWAYS = {
    "Viewer": {"viewer": {"id": "V", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}},
    "ServerFeaturesQuery": {"serverInfo": {"features": []}},
    "ArtifactType": {"project": None},
    "UpsertView2": {"upsertView": {"view": {"id": "W", "name": "nw-abcdefghijk-v"}, "inserted": True}},
    "CommitArtifact": {"commitArtifact": {"artifact": {"id": "A", "digest": ""}}},
}


class WandbServer:
    """What arrived.

    `runs`: by id, what was upserted, `lines` of its files by name (history, summary) and its `exit` code.
    `files`: what was uploaded, by path. `artifacts`: as created. `operations`: the names of the queries, in order.
    `given`: the variables of the last query of a name.
    """

    def __init__(self, url):
        self.url, self.runs, self.files, self.operations, self.artifacts = url, {}, {}, [], []
        self.given = {}

    def graphql(self, query, given):
        """The data of an answer: from `ALWAYS` or the method of the query's name; of any other query nothing."""
        name = re.search(r"(?:query|mutation)\s+(\w+)", query)[1]
        self.operations.append(name)
        self.given[name] = given
        method = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), None)
        return method(given) if method else ALWAYS.get(name, {})

    def upsert_bucket(self, given):
        new = given["name"] not in self.runs
        run = self.runs.setdefault(given["name"], {"lines": {}, "exit": None})
        run.update((key, value) for key, value in given.items() if value is not None)
        bucket = {"id": run["name"], "name": run["name"], "displayName": run.get("displayName"),
                  "historyLineCount": len(run["lines"].get("wandb-history.jsonl", [])),
                  "project": MODEL | {"name": run["project"]}}  # fmt: skip
        return {"upsertBucket": {"bucket": bucket, "inserted": new}}

    def run_resume_status(self, given):
        run = self.runs.get(given["name"])
        if run is None:
            return {"model": None}
        bucket = {"id": run["name"], "name": run["name"], "displayName": run["displayName"], "config": run["config"],
                  "summaryMetrics": run["lines"].get("wandb-summary.json", ["{}"])[-1], "logLineCount": 0,
                  "wandbConfig": '{"t": 1}'}  # fmt: skip
        for kind in ("history", "events"):
            lines = run["lines"].get(f"wandb-{kind}.jsonl", [])
            bucket |= {f"{kind}LineCount": len(lines), f"{kind}Tail": json.dumps(lines[-1:])}
        return {"model": MODEL | {"name": run["project"], "bucket": bucket}}

    def create_run_files(self, given):
        files = [{"name": name, "uploadUrl": f"{self.url}/{given['run']}/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def create_artifact(self, given):
        self.artifacts.append(given["input"])
        return {"createArtifact": {"artifact": {"id": "A", "state": "PENDING", "artifactSequence": {}}}}

    def artifact_by_i_d(self, _):
        made = self.artifacts[-1]
        project = {"id": "P", "internalId": "P", "name": "dgn", "entity": MODEL["entity"]}
        nothing = dict.fromkeys(["description", "historyStep", "updatedAt", "commitHash"])
        return {"artifact": nothing | {
            "id": "A", "state": "COMMITTED", "digest": made["digest"], "versionIndex": 0, "metadata": "{}", "size": 1,
            "fileCount": 1, "tags": [], "aliases": [], "ttlDurationSeconds": -1, "ttlIsInherited": True,
            "createdAt": "2026-01-01T00:00:00Z", "artifactType": {"name": made["artifactTypeName"]},
            "artifactSequence": {"id": "S", "__typename": "ArtifactSequence", "name": "small", "project": project},
        }}  # fmt: skip

    def create_artifact_manifest(self, given):
        file = {"id": "F", "uploadUrl": f"{self.url}/artifact/{given['name']}", "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": "M", "file": file}}}

    def create_artifact_files(self, given):
        nodes = [{"node": {"storagePath": file["name"], "uploadUrl": f"{self.url}/artifact/{file['name']}",
                           "uploadHeaders": [], "uploadMultipartUrls": None, "artifact": {"id": "A"}}}
                 for file in given["input"]["artifactFiles"]]  # fmt: skip
        return {"createArtifactFiles": {"files": {"edges": nodes}}}

    def stream(self, run, sent):
        """Take lines of a run's files, each at its place, and the run's end."""
        for name, part in sent.get("files", {}).items():
            self.runs[run]["lines"].setdefault(name, [])[part["offset"] :] = part["content"]
        if sent.get("complete"):
            self.runs[run]["exit"] = sent["exitcode"]


@contextmanager
def serve():
    """A `WandbServer` that listens until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            answer = {}
            if self.path == "/graphql":
                asked = json.loads(body)
                answer = {"data": server.graphql(asked["query"], asked.get("variables") or {})}
            elif self.path.endswith("/file_stream"):
                server.stream(self.path.split("/")[-2], json.loads(body))
            else:
                server.files[self.path] = body
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PUT = do_POST  # noqa: N815

        def log_message(self, *_):
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.handle_error = lambda *_: None  # a client that is gone
        server = WandbServer(f"http://127.0.0.1:{http.server_port}")
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield server
        http.shutdown()
