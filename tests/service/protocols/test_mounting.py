"""What is logged of requests: nothing that a caller sends can forge a line."""

import asyncio
import logging
from typing import Any

import pytest

from ekiben.service.http.messages import Request
from ekiben.service.protocols.endpoint import Endpoint
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.settings import Settings


def ask(path: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Ask for a path whose every request is logged."""

    async def answer(request: Request) -> bytes:
        return b"{}"

    async def receive() -> Any:
        raise AssertionError("there is no body")

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": "/decoded\n", "raw_path": path, "headers": list(headers)}
    asyncio.run(Endpoint(Protocol("d"), Settings(access_log_sample=1), answer)(scope, receive, send))


@pytest.mark.parametrize(
    ("path", "headers", "logged"),
    [
        (b"/v2%0aforged", [], "GET /v2%0aforged 200"),
        (b"/v2%1b[31m", [], "GET /v2%1b[31m 200"),
        (b"/\x1b\n\xff", [], "GET /\\x1b\\n\\xff 200"),
        (b"/", [(b"traceparent", b"00-ab\x9b31m\n")], "trace=00-ab\\x9b31m\\n"),
        (b"/", [(b"traceparent", b"a" * 10_000)], "trace=" + "a" * 256),
        (b"/", [(b"x-request-id", b"mine")], "id=mine "),
    ],
    ids=["line-break", "escape", "raw", "trace", "long", "id"],
)
def test_a_request_is_logged_in_one_line(
    path: bytes, headers: list[tuple[bytes, bytes]], logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "bentoml.service.access"):
        ask(path, *headers)
    (line,) = caplog.messages
    assert logged in line
    assert line.isprintable()
    assert len(line) < 400
