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
from ekiben.service.lifecycle.drain import find_exit_s, find_grace_s
from tests.conftest import ALONE, PATIENCE_S, SUPERVISED, Server, serve, wait_until

pytestmark = pytest.mark.slow

ALLOWED_S = 9
DRAIN_DELAY_S = 1.0


def ask(client: httpx.Client, server: Server, body: bytes) -> int:
    return client.post(f"{server.url}/predict", content=body, headers={"content-type": "application/json"}).status_code


def body_of(model: PackedModel) -> bytes:
    return json.dumps({"rows": [model.schema.example]}).encode()


EACH_WAY = pytest.mark.parametrize("way", [SUPERVISED, ALONE], ids=["supervised", "alone"])


@pytest.mark.parametrize(("way", "workers"), [(SUPERVISED, "1"), (SUPERVISED, "2"), (ALONE, "1")])
def test_sigterm_drains_and_exits_cleanly(
    model: PackedModel, tmp_path: Path, way: tuple[str, ...], workers: str
) -> None:
    body = body_of(model)
    settings = {"DRAIN_DELAY_S": str(DRAIN_DELAY_S), "WORKERS": workers}
    with serve(tmp_path, way, **settings) as server, httpx.Client() as client:
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


@EACH_WAY
@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_stalled_client_does_not_keep_the_service(
    model: PackedModel, tmp_path: Path, way: tuple[str, ...], asked: signal.Signals
) -> None:
    deadline_s = 3 * PATIENCE_S  # of the request, which it would otherwise wait for
    patient = {"REQUEST_TIMEOUT_S": str(deadline_s), "MAX_TIMEOUT_S": str(deadline_s)}
    with serve(tmp_path, way, DRAIN_DELAY_S="0", **patient) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as stalled:
            stalled.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
            time.sleep(0.2)  # until the request is being read; nothing tells when
            server.process.send_signal(asked)
            assert server.process.wait(timeout=PATIENCE_S) == 0  # nothing but the forced exit ends it so soon
    assert find_exit_s(0) < ALLOWED_S


@EACH_WAY
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_long_drain(
    model: PackedModel, tmp_path: Path, second: signal.Signals, way: tuple[str, ...]
) -> None:
    with serve(tmp_path, way, DRAIN_DELAY_S="300") as server:
        server.process.terminate()
        wait_until(lambda: httpx.get(f"{server.url}/readyz").status_code == 503)
        assert httpx.get(f"{server.url}/livez").status_code == 200
        server.process.send_signal(second)
        assert server.process.wait(timeout=PATIENCE_S) == 0
        assert "asked to stop a second time" in server.log.read_text()
        assert "is gone within 306 s" in server.log.read_text()


@pytest.mark.parametrize(("delay_s", "exit_s", "grace_s"), [(0, 8, 9), (3, 8, 9), (3.5, 8.5, 10), (30, 35, 36)])
def test_requests_have_time_after_the_delay(delay_s: float, exit_s: float, grace_s: int) -> None:
    assert (find_exit_s(delay_s), find_grace_s(delay_s)) == (exit_s, grace_s)


@EACH_WAY
def test_an_interrupt_stops_at_once(model: PackedModel, tmp_path: Path, way: tuple[str, ...]) -> None:
    with serve(tmp_path, way, DRAIN_DELAY_S="0") as server:
        os.kill(server.process.pid, signal.SIGINT)
        assert server.process.wait(timeout=ALLOWED_S) in (0, 130, -signal.SIGINT)
