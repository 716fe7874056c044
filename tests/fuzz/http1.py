"""What one client does on one connection over HTTP/1.1: good requests, cut anywhere and sent ahead, and bad ones.

Heads that were seen before are answered past the parser, others are not: what a request is answered must not depend on
what came before it, nor on how its bytes came.
"""

import json
from typing import Any

from tests.fuzz.script import Choices, Script
from tests.fuzz.seeds import SEEDS
from tests.fuzz.service import ROW, Unexpected

MAX_REQUESTS = 20
COMMON = ("host: a", "user-agent: b/1", "accept: */*", "x-request-id: one", "x-request-timeout-ms: 5000")
BAD = (
    b"POST /predict HTTP/1.1\r\n\r\n", b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}}", b"\0", b"\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n1\r\n{\r\n0\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
    b"GET / HTTP/9.9\r\n\r\n", b"POST /predict HTTP/1.1\r\nhost : a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n", b"PR",
    b"POST /predict HTTP/1.0\r\ncontent-Length: 2\r\n\r\n{}", b"GET /" + b"a" * 40_000, b"\x16\3\1\2\0\1\0",
    b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", b"GET /%ff?%zz HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nhost: a\r\nx: " + b"b" * 5 + b"\0\r\ncontent-length: 2\r\n\r\n{}",
    b"POST /predict HTTP/1.1\r\nhost: a\r\nX-Content-Length: 9\r\ncontent-length: 2\r\n\r\n{}",
    b"POST /predict HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}GET / HTTP/1.1\r\n\r\n",
)  # fmt: skip


def list_bodies() -> list[tuple[str, dict[str, str], bytes]]:
    """Return requests by path, headers and body."""
    bodies = [(seed.path, seed.headers, seed.body) for seed in SEEDS if seed.headers is not None]
    kind = {"content-type": "application/json"}
    bodies += [("/predict", kind, json.dumps({"rows": [{**ROW, "x": x}]}).encode()) for x in (1, 22, 333, "far")]
    return [*bodies, ("/nothing", kind, b"{}"), ("/predict", kind, b"{"), ("/predict/", kind, b"[]")]


BODIES = list_bodies()


def write_request(number: int, common: int = 1) -> bytes:
    """Return a good request; `common`: how many of the common headers it has."""
    path, headers, body = BODIES[number]
    lines = [f"POST {path} HTTP/1.1", *COMMON[:common], *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}"]).encode() + b"\r\n\r\n" + body


def write_http1(data: bytes) -> tuple[Script, list[int]]:
    """Return the script that these bytes are, and which good requests are in it."""
    choices, wanted = Choices(data), []
    script = Script(pieces=choices.pick((0, 0, 0, 1, 10, 100)))
    mean, fewest = choices.chance(2), choices.number(1) + 1
    for _ in range(MAX_REQUESTS):
        if choices.over:
            break
        if mean and choices.chance(5):
            script.lives = False
            request = bytearray(write_request(choices.number(len(BODIES) - 1), fewest))
            at = choices.number(len(request) - 1)
            changed = choices.pick((request[:at], request[:at] + choices.raw(9) + request[at:], b""))
            script.add(changed or choices.pick(BAD))
        else:
            wanted.append(choices.number(len(BODIES) - 1))
            script.add(write_request(wanted[-1], choices.pick((fewest, fewest, fewest, choices.number(4) + 1))))
        if choices.chance(2):
            script.act(*choices.pick((("turns", 1), ("turns", 3), ("settle", None), ("wait", 0.5), ("wait", 3.0))))
        elif mean and choices.chance(9):
            script.lives = False
            script.act(choices.pick(("stop_reading", "read_on", "half_close", "shutdown", "drop")))
    script.flush()
    return script, wanted


class Http1Peer:
    """The client's end: cuts what comes into answers."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self._unread = b""
        self._found: list[str] = []

    def read(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            lines = self._unread[:end].split(b"\r\n")
            headers: dict[bytes, bytes] = dict(line.lower().split(b": ", 1) for line in lines[1:])
            status, size = int(lines[0].split()[1]), int(headers.get(b"content-length", b"0"))
            if len(self._unread) < end + 4 + size:
                return
            body, self._unread = self._unread[end + 4 : end + 4 + size], self._unread[end + 4 + size :]
            if status >= 500 and status not in (501, 503, 504, 505):
                self._found.append(f"the server blames itself: {lines} {body[:200]!r}")
            if status != 100:
                self.answers.append((status, body))

    def check(self) -> None:
        """Raise Unexpected if there was anything."""
        if self._found:
            raise Unexpected(self._found[0])

    def check_answers(self, wanted: list[tuple[int, bytes]]) -> None:
        """Raise Unexpected unless all requests got their own answers in their order."""
        if self.answers != wanted:
            pairs: list[Any] = list(zip(self.answers, wanted, strict=False))
            wrong = next((pair for pair in pairs if pair[0] != pair[1]), None)
            raise Unexpected(f"of {len(wanted)} answers came {len(self.answers)}; the first that is wrong: {wrong}")
