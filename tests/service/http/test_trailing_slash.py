"""A slash too many at a path's end changes nothing, and an Upgrade that isn't taken doesn't either: on every path."""

import socket
from typing import Any

import pytest

from tests.conftest import PATIENCE_S, Server
from tests.http_client import HTTP

PREDICT = {"rows": [{}]}
PATHS: list[tuple[str, str, Any]] = [
    ("GET", "/v2", None),
    ("GET", "/v2/health/ready", None),
    ("GET", "/v2/models", None),
    ("GET", "/v2/models/flight_delay", None),
    ("POST", "/v2/models/flight_delay/infer", {"inputs": []}),
    ("GET", "/v2/nothing", None),
    ("GET", "/v1/models/flight_delay", None),
    ("GET", "/v1/models/flight_delay/metadata", None),
    ("POST", "/v1/models/flight_delay:predict", {"instances": [{}]}),
    ("POST", "/predict", PREDICT),
    ("POST", "/predict/flight_delay", PREDICT),
    ("POST", "/invocations", {"dataframe_records": [{}]}),
    ("GET", "/ping", None),
    ("GET", "/health", None),
    ("GET", "/version", None),
    ("GET", "/livez", None),
    ("GET", "/readyz", None),
    ("GET", "/schema.json", None),
    ("GET", "/docs.json", None),
    ("GET", "/nothing", None),
    ("POST", "/inference.GRPCInferenceService/ServerLive", {}),
]
UPGRADES = {
    "h2c": {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQCAAAAAAIAAAAA"},
    "websocket": {
        "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    },
    "tls": {"connection": "upgrade", "upgrade": "TLS/1.0"},
}  # fmt: skip


def ask(server: Server, method: str, path: str, body: Any, **headers: str) -> tuple[int, bytes]:
    answered = HTTP.request(method, server.url + path, json=body, headers=headers)
    return answered.status_code, answered.content.replace(b"/nothing/", b"/nothing")


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path", "body"), PATHS)
def test_a_slash_at_the_end_changes_nothing(server: Server, method: str, path: str, body: Any) -> None:
    plain, slashed = ask(server, method, path, body), ask(server, method, f"{path}/", body)
    assert plain[0] in (200, 400, 404)
    assert slashed == plain


@pytest.mark.slow
def test_who_opens_a_page_is_sent_to_the_path_without_the_slash(server: Server) -> None:
    for path, location in (("/docs.html/", "../docs.html"), ("/monitoring/page/?a=b", "../page?a=b")):
        answered = HTTP.get(server.url + path, headers={"accept": "text/html"})
        assert (answered.status_code, answered.headers["location"]) == (308, location)
        assert HTTP.get(answered.url.join(location), headers={"accept": "text/html"}).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", UPGRADES)
@pytest.mark.parametrize(("method", "path", "body"), PATHS)
def test_an_upgrade_that_is_not_taken_is_ignored(server: Server, kind: str, method: str, path: str, body: Any) -> None:
    assert ask(server, method, path, body, **UPGRADES[kind]) == ask(server, method, path, body)


@pytest.mark.slow
def test_a_connection_goes_on_as_it_was_after_an_upgrade(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    lines = [f"{name}: {value}" for name, value in UPGRADES["h2c"].items()]
    asked = "\r\n".join(["GET /ping HTTP/1.1", "host: a", *lines, "", ""])
    last = "GET /version HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        connection.sendall((asked * 3 + last).encode())
        answered = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answered.count(b"HTTP/1.1 200 OK") == 4
    assert b" 101 " not in answered
