"""What becomes of the service when one of its processes is killed or its terminal hangs up."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from ekiben.model.package import PackedModel
from tests.conftest import PATIENCE_S, Server, is_ready, serve, wait_until
from tests.http_client import HTTP

pytestmark = pytest.mark.slow

HANG_S = 15  # longer than a worker takes to start: a request that gets no answer by then has hung


def workers(server: Server) -> list[psutil.Process]:
    return [child for child in psutil.Process(server.process.pid).children() if child.status() != psutil.STATUS_ZOMBIE]


def kill(process: psutil.Process) -> None:
    process.kill()
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def http_address(server: Server) -> str:
    return urlsplit(server.url).netloc


def body_of(model: PackedModel) -> bytes:
    return json.dumps({"rows": [model.schema.example]}).encode()


@contextmanager
def asking(server: Server, body: bytes, size: int) -> Iterator[socket.socket]:
    """Begin a prediction over a connection of its own: its head and the first bytes of its body."""
    host, _, port = http_address(server).rpartition(":")
    head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=HANG_S) as client:
        client.sendall(head.encode() + body[:size])
        yield client


def ends_unanswered(client: socket.socket) -> bool:
    """Return whether the connection is closed or reset; raise TimeoutError if nothing comes."""
    try:
        return not client.recv(100)
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("count", ["1", "2"])
def test_workers_end_with_their_supervisor(model: PackedModel, tmp_path: Path, count: str) -> None:
    body = body_of(model)
    home = tmp_path / "metrics"
    with serve(tmp_path, WORKERS=count, PROMETHEUS_MULTIPROC_DIR=str(home)) as server:
        wait_until(lambda: server.log.read_text().count("is ready") == int(count))
        left = workers(server)
        assert len(left) == int(count)
        assert list(home.iterdir())
        with asking(server, body, 10) as client:
            HTTP.get(f"{server.url}/readyz")  # which is read after the other
            server.process.kill()
            wait_until(lambda: not listens(http_address(server)))
            client.sendall(body[10:])
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")  # what was begun is answered
        wait_until(lambda: not any(worker.is_running() for worker in left))
        assert not listens(server.grpc)
        assert not list(home.iterdir())
        log = server.log.read_text()
        assert log.count("the supervisor of this worker is gone") == int(count)
        assert "Traceback" not in log


def test_a_hangup_without_a_new_version_changes_nothing(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path) as server, httpx.Client() as client:
        (worker,) = workers(server)
        for told, process in enumerate((server.process.pid, worker.pid), 1):
            os.kill(process, signal.SIGHUP)
            wait_until(lambda told=told: server.log.read_text().count("version 1 is served already") == told)  # type: ignore[misc]
            assert client.get(f"{server.url}/readyz").status_code == 200  # on the connection there was before
        assert workers(server) == [worker]
        assert "Traceback" not in server.log.read_text()


def test_callers_are_refused_until_a_dead_worker_is_replaced(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        body = body_of(model)
        headers = {"content-type": "application/json"}
        counted = 'ekiben_inference_requests_total{code="200",protocol="predict"}'
        assert HTTP.post(f"{server.url}/predict", content=body, headers=headers).status_code == 200
        wait_until(lambda: server.metric(counted) == 1)
        (worker,) = workers(server)
        with asking(server, body, 10) as client:
            kill(worker)
            assert ends_unanswered(client)
        wait_until(lambda: not listens(http_address(server)))
        wait_until(lambda: is_ready(server), server.log.read_text)
        assert HTTP.post(f"{server.url}/predict", content=body, headers=headers).status_code == 200
        wait_until(lambda: server.metric(counted) == 2)  # the new worker went on counting
        assert f"worker {worker.pid} was killed by signal 9 (SIGKILL), " in server.log.read_text()
        assert "Traceback" not in server.log.read_text()


def test_a_worker_that_dies_again_and_again_is_replaced_in_the_end(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        for _ in range(4):  # one more than are replaced at once
            wait_until(lambda: bool(workers(server)))
            kill(workers(server)[0])
        wait_until(lambda: is_ready(server), server.log.read_text)


def test_one_of_two_workers_goes_on_alone(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path, WORKERS="2") as server:
        wait_until(lambda: server.log.read_text().count("is ready") == 2)
        dead, living = workers(server)
        kill(dead)
        while len(workers(server)) < 2 or server.log.read_text().count("is ready") < 3:
            assert HTTP.get(f"{server.url}/readyz", timeout=HANG_S).status_code == 200
        assert living in workers(server)


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_container_ends_with_its_first_worker_that_does(model: PackedModel, tmp_path: Path, count: str) -> None:
    with serve(tmp_path, BENTOML_CONTAINERIZED="true", WORKERS=count) as server:
        wait_until(lambda: server.log.read_text().count(" is ready") == int(count))
        worker = workers(server)[0]
        kill(worker)
        assert server.process.wait(timeout=PATIENCE_S) == 1
        log = server.log.read_text()
        assert f"worker {worker.pid} was killed by signal 9 (SIGKILL), " in log
        assert log.count(": the service stops") == 1
        assert "a worker ended: the log has how" in log
        assert "Traceback" not in log


def test_no_tcp_port_but_the_services_own(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        processes = [psutil.Process(server.process.pid), *workers(server)]
        ports = {
            connection.laddr.port
            for process in processes
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert ports == {int(address.rpartition(":")[2]) for address in (http_address(server), server.grpc)}


def test_a_hangup_while_a_worker_starts_ends_nobody(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path, WORKERS="2") as server:
        wait_until(lambda: server.log.read_text().count(" is ready") == 2)
        (first, second) = workers(server)
        first.kill()
        wait_until(lambda: len({one.pid for one in workers(server)} - {first.pid, second.pid}) == 1)
        (fresh,) = {one.pid for one in workers(server)} - {first.pid, second.pid}
        for _ in range(20):
            os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: server.log.read_text().count(" is ready") == 3, server.log.read_text)
        assert {one.pid for one in workers(server)} == {second.pid, fresh}
        assert "SIGHUP" not in server.log.read_text()
