"""A registry of the tests' own: it serves one packed folder as MLflow's server does, or lies about it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ekiben.model.package import MANIFEST_FILE, PACKAGE
from tests.service.sources.packed import RUN


@dataclass
class LyingRegistry:
    """What it says; a test changes it while it runs."""

    folder: Path  # of the package
    digest: str
    url: str = ""
    name: str = ""  # of the version that it names, if not what was asked for
    status: int = 200
    body: bytes | None = None  # of the answer about the alias
    headers: dict[str, str] = field(default_factory=dict)  # of files
    files: dict[str, bytes] = field(default_factory=dict)  # in place of the package's
    endless: str = ""  # the file that has no end
    hang: threading.Event | None = None  # set: it answers
    asked: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    @property
    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / MANIFEST_FILE).read_bytes())
        return content

    def describe(self, name: str) -> bytes:
        if self.body is not None:
            return self.body
        tags = [{"key": "manifest_digest", "value": self.digest}]
        version = {"version": self.manifest["version"], "run_id": RUN, "tags": tags}
        return json.dumps({"model_version": {"name": self.name or name, **version}}).encode()

    def read(self, path: str) -> bytes | None:
        name = path.removeprefix(f"{PACKAGE}/")
        if name in self.files:
            return self.files[name]
        file = self.folder / name
        return file.read_bytes() if file.is_file() else None


class Handler(BaseHTTPRequestHandler):
    registry: LyingRegistry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        registry = self.registry
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        registry.asked.append(parts.path)
        registry.authorizations.append(self.headers.get("Authorization", ""))
        if registry.hang:
            registry.hang.wait(30)
        if registry.status != 200:
            self.answer(registry.status, b"{}", {"Location": "http://127.0.0.1:9/elsewhere"})
        elif parts.path == "/api/2.0/mlflow/registered-models/alias":
            self.answer(200, registry.describe(query["name"]), {})
        elif parts.path == "/get-artifact" and query["path"] == f"{PACKAGE}/{registry.endless}":
            self.send_for_ever()
        else:
            content = registry.read(query.get("path", ""))
            self.answer(404 if content is None else 200, content or b"", registry.headers)

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_for_ever(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(bytes(2**16))
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def running(folder: Path, digest: str) -> Iterator[LyingRegistry]:
    registry = LyingRegistry(folder, digest)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"registry": registry}))
    registry.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        if registry.hang:
            registry.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()
