"""Who connects while the service stops: is answered, or gets no connection."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from ekiben.model.package import PackedModel
from tests.conftest import ALONE, PATIENCE_S, SUPERVISED, Server, serve, wait_until

pytestmark = pytest.mark.slow

CALLERS, CONNECT_S = 4, 0.5  # how long a caller waits for a connection: one that is kept out hears nothing for a second
ASKED = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
HELD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"


def find_address(server: Server) -> tuple[str, int]:
    found = urlsplit(server.url)
    return found.hostname or "", found.port or 0


def call(address: tuple[str, int]) -> str:
    """Return what becomes of a call over a connection of its own."""
    try:
        client = socket.create_connection(address, timeout=CONNECT_S)
    except OSError:
        return "no connection"
    with client, contextlib.suppress(OSError):
        client.settimeout(PATIENCE_S)
        client.sendall(ASKED)
        answered = b""
        while part := client.recv(2**16):
            answered += part
        if answered.startswith(b"HTTP/1.1 200 "):
            return "answered"
    return "lost"


@contextmanager
def calling(address: tuple[str, int], seen: "Counter[str]") -> Iterator[None]:
    """Call over and over until the end, from several threads."""
    over = threading.Event()

    def keep_calling() -> None:
        while not over.is_set():
            seen[call(address)] += 1

    threads = [threading.Thread(target=keep_calling) for _ in range(CALLERS)]
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(("way", "workers"), [(SUPERVISED, "1"), (SUPERVISED, "2"), (ALONE, "1")])
def test_no_connection_is_lost_as_the_service_stops(
    model: PackedModel, tmp_path: Path, way: tuple[str, ...], workers: str
) -> None:
    seen: Counter[str] = Counter()
    with ExitStack() as stack:
        server = stack.enter_context(serve(tmp_path, way, DRAIN_DELAY_S="0.3", WORKERS=workers))
        address = find_address(server)
        held = stack.enter_context(socket.create_connection(address))
        held.sendall(HELD)  # which keeps the worker that has it for seconds after it has stopped listening
        with calling(address, seen):
            wait_until(lambda: seen["answered"] > 20)
            server.process.terminate()
            assert server.process.wait(timeout=PATIENCE_S) == 0
    assert seen["lost"] == 0, (seen, server.log.read_text())
    assert seen["no connection"]
    assert "error status" not in server.log.read_text()


def test_a_worker_that_is_stopped_alone_leaves_the_port_to_the_others(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path, WORKERS="2") as server:
        address = find_address(server)
        children = psutil.Process(server.process.pid).children()
        first = next(child for child in children if "--worker-id" in child.cmdline())
        seen: Counter[str] = Counter()
        with calling(address, seen):
            first.terminate()
            wait_until(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE)
            before = seen["answered"]
            wait_until(lambda: seen["answered"] > before + 20)
        assert set(seen) == {"answered"}
