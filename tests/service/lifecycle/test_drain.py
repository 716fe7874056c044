"""Leaving: SIGTERM loses no request and ends within the time platforms allow."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from ekiben.model.package import PackedModel
from ekiben.service.lifecycle.drain import FORCED_EXIT_S
from tests.conftest import PATIENCE_S, Server, serve, wait_until

pytestmark = pytest.mark.slow

ALLOWED_S = 9
DRAIN_DELAY_S = 1.0


def ask(client: httpx.Client, server: Server, body: bytes) -> int:
    return client.post(f"{server.url}/predict", content=body, headers={"content-type": "application/json"}).status_code


def body_of(model: PackedModel) -> bytes:
    return json.dumps({"rows": [model.schema.example]}).encode()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_drains_and_exits_cleanly(model: PackedModel, tmp_path: Path, workers: str) -> None:
    body = body_of(model)
    with serve(tmp_path, DRAIN_DELAY_S=str(DRAIN_DELAY_S), WORKERS=workers) as server, httpx.Client() as client:
        codes: list[int] = []
        rejected_at: list[float] = []

        def keep_asking() -> None:
            with httpx.Client(timeout=ALLOWED_S) as caller:
                while not rejected_at:
                    try:
                        codes.append(ask(caller, server, body))
                    except httpx.TransportError:
                        rejected_at.append(time.monotonic())

        caller = threading.Thread(target=keep_asking)
        caller.start()
        wait_until(lambda: len(codes) > 20)
        told_at = time.monotonic()
        server.process.terminate()
        wait_until(lambda: client.get(f"{server.url}/readyz").status_code == 503, within_s=DRAIN_DELAY_S)
        assert client.get(f"{server.url}/livez").status_code == 200
        answered = client.post(f"{server.url}/predict", content=body, headers={"content-type": "application/json"})
        assert answered.status_code == 200  # not ready, and still answering
        assert answered.headers["connection"] == "close"  # the next request goes to another replica
        assert server.process.wait(timeout=ALLOWED_S) == 0
        assert time.monotonic() - told_at < ALLOWED_S
        caller.join(timeout=ALLOWED_S)
        assert set(codes) == {200}
        assert rejected_at[0] - told_at >= DRAIN_DELAY_S * 0.9  # what came before the end was answered


def test_a_stalled_client_does_not_keep_the_service(model: PackedModel, tmp_path: Path) -> None:
    deadline_s = 3 * PATIENCE_S  # of the request, which it would otherwise wait for
    patient = {"REQUEST_TIMEOUT_S": str(deadline_s), "MAX_TIMEOUT_S": str(deadline_s)}
    with serve(tmp_path, DRAIN_DELAY_S="0", **patient) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as stalled:
            stalled.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
            time.sleep(0.2)  # until the request is being read; nothing tells when
            server.process.terminate()
            assert server.process.wait(timeout=PATIENCE_S) == 0  # nothing but the forced exit ends it so soon
    assert FORCED_EXIT_S < ALLOWED_S


def test_an_interrupt_stops_at_once(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path, DRAIN_DELAY_S="0") as server:
        os.kill(server.process.pid, signal.SIGINT)
        assert server.process.wait(timeout=ALLOWED_S) in (0, 130, -signal.SIGINT)
