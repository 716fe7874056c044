"""What the ASGI app is told of a request over HTTP/2: what uvicorn says of one over HTTP/1.1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from uvicorn.config import Config
from uvicorn.server import ServerState

from ekiben.service.auth import UNCERTIFIED
from ekiben.service.connections.http2.stream import Stream
from ekiben.service.connections.http_state import HttpState

Pairs = Sequence[tuple[bytes, bytes]]


@dataclass
class Site:
    """The ASGI app, as uvicorn gives it to its connections."""

    shared: HttpState
    config: Config
    server_state: ServerState
    app_state: dict[str, Any]


def make_scope(site: Site, stream: Stream) -> dict[str, Any]:
    """Return the scope of a request."""
    connection = stream.connection
    raw = site.config.root_path.encode("ascii") + stream.path
    state = site.app_state.copy()
    if stream.uncertified:
        state[UNCERTIFIED] = True
    return {
        "type": "http",
        "asgi": {"version": site.config.asgi_version, "spec_version": "2.3"},
        "http_version": "2",
        "server": connection.server,
        "client": connection.client,
        "scheme": "https" if connection.secure else "http",
        "method": stream.method.decode("ascii"),
        "root_path": site.config.root_path,
        "path": site.config.root_path + decode_path(stream.path),
        "raw_path": raw,
        "query_string": stream.query,
        "headers": join_cookies(stream.headers),
        "state": state,
        "extensions": {},
    }


def decode_path(path: bytes) -> str:
    """Return a path as people read it."""
    return unquote(path.decode("latin-1")) if b"%" in path else path.decode("latin-1")


def join_cookies(headers: Pairs) -> list[tuple[bytes, bytes]]:
    """Return headers with one cookie at most: HTTP/2 lets clients send it in crumbs (RFC 9113 8.2.3)."""
    cookies = [value for name, value in headers if name == b"cookie"]
    if len(cookies) < 2:
        return list(headers)
    return [*(pair for pair in headers if pair[0] != b"cookie"), (b"cookie", b"; ".join(cookies))]
