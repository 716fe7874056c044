"""Requests and calls, good and bad: what a client does that speaks HTTP/2 well, mostly."""

import gzip
import json
import zlib
from typing import Any

from tests.fuzz.script import Choices, Pairs, Script
from tests.fuzz.seeds import SEEDS
from tests.fuzz.service import ROW

CALLS = [(b"/" + seed.path.encode(), seed.body) for seed in SEEDS if seed.headers is None]
POSTS = [seed for seed in SEEDS if seed.headers is not None]
TYPE = (b"content-type", b"application/grpc")
STREAM = b"/inference.GRPCInferenceService/ModelStreamInfer"
WATCH = b"/grpc.health.v1.Health/Watch"
REFLECTION = b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
PATHS = (
    *[path for path, _ in CALLS],
    *(STREAM, WATCH, REFLECTION),
    b"/grpc.health.v1.Health/Check",
    b"/grpc.health.v1.Health/List",
    b"/inference.GRPCInferenceService/ServerLive",
    b"/inference.GRPCInferenceService/ModelMetadata",
    b"/inference.GRPCInferenceService/Nothing",
    b"/",
)
LIST_SERVICES = b"\x3a\0"
BOMB = gzip.compress(bytes(2**22))  # 4 KiB that are 4 MiB
ODD = (
    (b"grpc-timeout", b"1S"), (b"grpc-timeout", b"0n"), (b"grpc-timeout", b"99999999H"), (b"grpc-timeout", b"-1S"),
    (b"grpc-timeout", b"123456789m"), (b"grpc-timeout", b""), (b"grpc-timeout", b"1 S"), (b"grpc-timeout", b"50m"),
    (b"grpc-timeout", b"7777777S"), (b"grpc-timeout", b"20000000S"), (b"grpc-timeout", b"\xff\xb2S"),
    (b"grpc-encoding", b"gzip"), (b"grpc-encoding", b"deflate"), (b"grpc-encoding", b"snappy\xff"),
    (b"grpc-encoding", b"identity"), (b"grpc-accept-encoding", b"gzip,,br"), (b"te", b"trailers"),
    (b"content-type", b"application/grpc+proto"), (b"content-type", b"application/grpc+json"),
    (b"content-type", b"application/grpc-web"), (b"content-type", b"APPLICATION/GRPC; a=b"), (b"content-type", b""),
    (b"x-bin", b"AAAA"), (b"x-bin", b"A"), (b"x-bin", b"=,=,\xff"), (b"x-request-id", b"a\xffb"), (b"x-bin", b""),
    (b"authorization", b"Bearer x"), (b"cookie", b"a=b"), (b"cookie", b"c=d"), (b"user-agent", b"\xc3\x28" * 99),
    (b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"), (b"traceparent", b"00-\xff"),
    (b"origin", b"http://a"), (b"expect", b"100-continue"), (b"accept-encoding", b"gzip"), (b"x", b"a" * 20_000),
    (b"x-request-timeout-ms", b"1e999"), (b"content-encoding", b"gzip"), (b"content-encoding", b"br"),
    (b"connect-protocol-version", b"1"), (b"connect-timeout-ms", b"1"), (b"content-type", b"application/connect+json"),
    (b"content-length", b"5"), (b"content-length", b"0"), (b"content-length", b"99999999999"), (b"range", b"bytes=0-1"),
    (b"upgrade", b"h2c"), (b"x-forwarded-for", b"\xff"), (b"host", b"b"), (b"host", b""), (b"priority", b"u=9, i=?2"),
)  # fmt: skip
# What RFC 9113 8.2 and 8.3 call malformed, and who sends it can't expect anything.
MALFORMED = (
    (b"Upper", b"x"), (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"keep-alive", b"1"),
    (b"te", b"gzip"), (b"", b"x"), (b"a b", b"x"), (b"x", b"a\r\nb: c"), (b"x", b"a\0b"), (b"x", b" a "),
    (b":status", b"200"), (b":path", b"/b"), (b":unknown", b"x"), (b":method", b"GET"), (b"x:y", b"z"),
    (b"content-length", b"-1"), (b"content-length", b"5, 5"), (b"content-length", b"x"), (b":protocol", b"websocket"),
    (b"proxy-connection", b"x"), (b"\xff", b"x"), (b"x", b"\x7f"), (b":authority", b"c@d"), (b"upgrade", b""),
)  # fmt: skip
LINES = (
    (b"POST", b"/"), (b"GET", b"/"), (b"HEAD", b"/predict"), (b"OPTIONS", b"*"), (b"CONNECT", b"/"), (b"", b"/"),
    (b"GET", b""), (b"GET", b"x"), (b"POST", b"/%ff%zz?%"), (b"\xff\xfe", b"/"), (b"GET", b"http://a/b"),
    (b"GET", b"/\xff\0"), (b"PRI", b"*"), (b"DELETE", b"/predict"), (b"GET", b"//?#"), (b"G ET", b"/ a"),
    (b"POST", b"/v2/models/kinds/infer?x"), (b"GET", b"/" + b"a" * 9000), (b"TRACE", b"/predict/"),
)  # fmt: skip


def describe(method: bytes, path: bytes, *more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request."""
    return [(b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"a"), *more]


def pack(message: bytes, flag: int = 0, size: int | None = None) -> bytes:
    """Return a message as gRPC has it, or one that lies."""
    return bytes((flag,)) + (len(message) if size is None else size).to_bytes(4, "big") + message


def send(script: Script, choices: Choices, pairs: Pairs, body: bytes, whole: bool = True) -> int:
    """Send a request; return its stream."""
    stream = script.open()
    block = script.encode(pairs, table=choices.chance(2))
    script.add_head(choices, stream, block, end=whole and not body)
    if body:
        script.add_data(choices, stream, body, end=whole)
    if not whole:
        script.opened.append(stream)
    elif (b":path", WATCH) not in pairs:  # which has no end
        script.asked.append(stream)
    return stream


def call_well(script: Script, choices: Choices) -> None:
    path, message = choices.pick(CALLS)
    send(script, choices, describe(b"POST", path, TYPE, (b"te", b"trailers")), pack(message), not choices.chance(4))


def ask_over_http(script: Script, choices: Choices) -> None:
    seed = choices.pick(POSTS)
    headers = [(name.encode(), value.encode()) for name, value in (seed.headers or {}).items()]
    if choices.chance(4):
        headers.append(choices.pick(ODD))
    if choices.chance(2):
        headers.append((b"content-length", b"%d" % (len(seed.body) + choices.pick((0, 0, 0, 1, -1)))))
    send(script, choices, describe(b"POST", seed.path.encode(), *headers), seed.body, not choices.chance(4))


def ask_much(script: Script, choices: Choices) -> None:
    """Ask what has a large answer."""
    body = json.dumps({"rows": [ROW] * choices.pick((600, 100, 400))}).encode()
    send(script, choices, describe(b"POST", b"/predict", (b"content-type", b"application/json")), body)


def call_oddly(script: Script, choices: Choices) -> None:
    headers = [choices.pick(ODD) for _ in range(choices.number(4))]
    first = [TYPE] if not choices.chance(6) else []
    body = choose_body(choices)
    send(script, choices, describe(b"POST", choices.pick(PATHS), *first, *headers), body, not choices.chance(3))


def ask_oddly(script: Script, choices: Choices) -> None:
    method, path = choices.pick(LINES)
    headers = [choices.pick(ODD) for _ in range(choices.number(3))]
    send(script, choices, describe(method, path, *headers), choices.raw(30), not choices.chance(3))
    script.lives = script.lives and method.isalpha() and path.startswith(b"/") and b"\0" not in path


def ask_malformed(script: Script, choices: Choices) -> None:
    pairs: list[Any] = describe(b"POST", choices.pick(PATHS), TYPE)
    for _ in range(choices.number(3)):
        del pairs[choices.number(len(pairs) - 1)]
    for _ in range(choices.number(2) + 1):
        pairs.insert(choices.number(len(pairs)), choices.pick(MALFORMED + ODD))
    stream = script.open()
    script.add_head(choices, stream, script.encode(pairs), end=choices.chance(2))
    script.resets += 1


def stream_well(script: Script, choices: Choices) -> None:
    path = choices.pick((STREAM, STREAM, WATCH, REFLECTION))
    message = CALLS[0][1] if path is STREAM else LIST_SERVICES if path is REFLECTION else b""
    body = pack(message) * choices.number(5)
    send(script, choices, describe(b"POST", path, TYPE), body, not choices.chance(2))


def choose_body(choices: Choices) -> bytes:
    """Return messages that are no good, some of them."""
    damaged = bytearray(choices.pick(CALLS)[1])
    damaged[choices.number(len(damaged) - 1)] = choices.number(255)
    message = choices.pick((bytes(damaged), CALLS[0][1], CALLS[1][1], b"", b"\xff\xff", LIST_SERVICES, choices.raw(20)))
    flag = choices.pick((0, 0, 0, 1, 2, 255))
    size = choices.pick((None, None, None, 0, len(message) + 1, max(len(message) - 1, 0), 2**18, 2**18 + 1, 2**32 - 1))
    packed = (
        gzip.compress(message),
        BOMB,
        zlib.compress(message),
        BOMB[:-9],
        gzip.compress(b"") * 50,
        message,
        message,
    )
    body = pack(choices.pick(packed), flag, size)
    return choices.pick((body, body, body * 2, body + pack(CALLS[0][1]), body[:3], body[:-1], b""))


def add_message(script: Script, choices: Choices) -> None:
    """Send more of a body, or its end."""
    if script.opened:
        end = choices.chance(2)
        stream = choices.pick(script.opened[-8:])
        script.add_data(choices, stream, choices.pick((choose_body(choices), pack(CALLS[0][1]), b"")), end)
        if end:
            script.opened.remove(stream)
