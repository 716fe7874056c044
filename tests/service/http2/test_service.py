"""The real service over HTTP/2: the bodies of HTTP/1.1, and a stop that loses nothing."""

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekiben.model.package import PackedModel
from tests.conftest import PATIENCE_S, Server, serve, wait_until

pytestmark = pytest.mark.slow


def connect(server: Server, http2: bool) -> httpx.Client:
    return httpx.Client(base_url=server.url, http1=not http2, http2=http2, timeout=PATIENCE_S)


def test_bodies_are_those_of_http1(server: Server, model: PackedModel) -> None:
    rows = [dict(model.schema.example)]
    late = {"x-request-timeout-ms": "0"}
    cases: list[tuple[str, str, int, dict[str, Any]]] = [
        ("POST", "/predict", 200, {"json": {"rows": rows}}),
        ("POST", "/predict", 200, {"json": {"rows": rows * 500}}),
        ("POST", "/predict", 400, {"json": {"rows": rows}, "headers": late}),
        ("POST", "/predict", 400, {"content": b"{"}),
        ("POST", "/predict", 413, {"content": bytes(9_000_000)}),
        ("GET", "/predict", 405, {}),
        ("GET", "/nowhere", 404, {}),
        ("HEAD", "/livez", 200, {}),
        ("GET", "/docs.json", 200, {}),
        ("GET", "/v2", 200, {}),
    ]
    with connect(server, http2=False) as old, connect(server, http2=True) as new:
        for method, path, status, given in cases:
            answers = [client.request(method, path, **given) for client in (old, new)]
            assert [one.status_code for one in answers] == [status] * 2, answers[0].text
            assert answers[0].content == answers[1].content
            assert [one.http_version for one in answers] == ["HTTP/1.1", "HTTP/2"]


def test_a_drain_loses_no_request(model: PackedModel, tmp_path: Path) -> None:
    rows = {"rows": [dict(model.schema.example)]}
    with serve(tmp_path, DRAIN_DELAY_S="5") as server:
        statuses: list[int] = []
        stopped = threading.Event()

        def ask() -> None:
            with connect(server, http2=True) as client:
                while not stopped.is_set():
                    statuses.append(client.post("/predict", json=rows).status_code)

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for one in asking:
            one.start()
        wait_until(lambda: len(statuses) > 50)
        server.process.terminate()
        wait_until(lambda: "SIGTERM" in server.log.read_text())
        before = len(statuses)
        wait_until(lambda: len(statuses) > before + 40)  # each over a connection of its own: GOAWAY ends it
        stopped.set()
        for one in asking:
            one.join(timeout=PATIENCE_S)
        assert server.process.wait(timeout=PATIENCE_S) == 0
    assert set(statuses) == {200}
    assert "nothing lost" in server.log.read_text()
