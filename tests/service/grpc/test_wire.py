"""Our own server, frame by frame: what no gRPC client would send gets what the protocol says."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ekiben.load_tests.hostile.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame, head
from ekiben.service.connections.http2.frames import PREFACE
from ekiben.service.grpc.health import Request
from ekiben.service.grpc.native.head import is_grpc
from ekiben.service.grpc.notation import read_pairs, read_timeout_s
from ekiben.service.grpc.prefix import frame as message_frame
from ekiben.service.protocols.protocol import Call
from tests.grpc_server import ECHO, KIND, echo, open_server

MESSAGE = Request(service="abc").SerializeToString()
ASK = f"/{ECHO}/Ask"


async def exchange(address: str, path: str, pieces: list[bytes], **headers: str) -> bytes:
    """Make a call, each piece of it in a DATA frame of its own; return what comes until its end."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if "method" in given:
        given[":method"] = given.pop("method")
    frames = [frame(DATA, 0, 1, piece) for piece in pieces]
    if given.pop("ends", "yes") == "yes":
        frames.append(frame(DATA, END_STREAM, 1))
    reader, writer = await asyncio.open_unix_connection(address)
    writer.write(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, head(path, given)))
    for one in frames:
        writer.write(one)
        await asyncio.sleep(0)
    received = b""
    try:
        async with asyncio.timeout(5):
            while b"grpc-status" not in received and b'{"error"' not in received:
                received += await reader.read(65536) or pytest.fail(f"closed after {received!r}")
    finally:
        writer.close()
    return received


def ask(tmp_path: Path, *pieces: bytes, path: str = ASK, answer: Any = echo, **headers: str) -> bytes:
    async def main() -> bytes:
        token = KIND.set("native")
        try:
            async with open_server(answer, f"unix:{tmp_path}/grpc"):
                return await exchange(f"{tmp_path}/grpc", path, list(pieces), **headers)
        finally:
            KIND.reset(token)

    return asyncio.run(main())


@pytest.mark.parametrize("size", [1, 2, 4, 7, 100])
def test_a_message_may_come_in_pieces(tmp_path: Path, size: int) -> None:
    whole = message_frame(MESSAGE)
    received = ask(tmp_path, *(whole[at : at + size] for at in range(0, len(whole), size)))
    assert whole in received
    assert b"grpc-status\x010" in received


@pytest.mark.parametrize(
    ("piece", "headers", "status", "sentence"),
    [
        (b"", {}, b"3", b"the call has no message: send one"),
        (b"\0\0\0\0\x09abc", {}, b"3", b"the message ends too soon"),
        (b"\0\0", {}, b"3", b"the message ends too soon"),
        (b"\x07\0\0\0\0", {}, b"3", b"each begins with 0 or 1 and its length"),
        (b"\0\xff\xff\xff\xff", {}, b"8", b"is larger than max (1000)"),
        (b"\x01\0\0\0\0", {}, b"3", b"the header grpc-encoding is missing"),
        (b"\x01\0\0\0\0", {"grpc_encoding": "snappy"}, b"12", b"use gzip, deflate or none"),
        (b"\x01\0\0\0\x04nope", {"grpc_encoding": "gzip"}, b"3", b"is not compressed as its content encoding says"),
        (message_frame(MESSAGE), {"grpc_timeout": "soon"}, b"3", b"the header grpc-timeout is not a number"),
        (message_frame(MESSAGE), {"grpc_timeout": "123456789S"}, b"3", b"the header grpc-timeout is not a number"),
    ],
)
def test_what_is_malformed_gets_a_status(
    tmp_path: Path, piece: bytes, headers: dict[str, str], status: bytes, sentence: bytes
) -> None:
    received = ask(tmp_path, piece, **headers)
    assert b"grpc-status" + bytes([len(status)]) + status in received
    assert sentence in received


def test_a_probe_that_is_too_long_is_rejected_before_it_has_come(tmp_path: Path) -> None:
    announced = b"\0" + (4097).to_bytes(4, "big") + bytes(3)
    received = ask(tmp_path, announced, path="/grpc.health.v1.Health/Watch", ends="no")
    assert b"larger than max (4096): ask for one thing" in received


def test_who_sends_what_cant_be_unpacked_hears_what_can(tmp_path: Path) -> None:
    assert b"identity, deflate, gzip" in ask(tmp_path, b"\x01\0\0\0\0", grpc_encoding="br")


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"content_type": "application/json"}, b"this port speaks gRPC"),
        ({"content_type": "application/grpc+json"}, b"this port speaks gRPC"),
        ({"method": "PUT"}, b"gRPC's methods are called with POST"),
    ],
)
def test_what_is_no_call_is_answered_as_http_has_it(tmp_path: Path, headers: dict[str, str], sentence: bytes) -> None:
    received = ask(tmp_path, message_frame(MESSAGE), **headers)
    assert sentence in received
    assert b"grpc-status" not in received


def test_a_sentence_is_percent_encoded(tmp_path: Path) -> None:
    async def fail(request: Any, call: Call) -> Any:
        raise ValueError

    assert b"grpc-message" in ask(tmp_path, message_frame(MESSAGE), answer=fail)
    received = ask(tmp_path, message_frame(b""), path="/w%C3%A4rme/\xe4")
    assert b"is not served here" in received
    assert "\xe4".encode("latin-1") not in received.partition(b"grpc-message")[2]


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"1H", 3600), (b"2M", 120), (b"3S", 3), (b"4m", 4e-3), (b"5u", 5e-6), (b"6n", 6e-9)]
)
def test_a_timeout_has_a_unit(value: bytes, seconds: float) -> None:
    assert read_timeout_s(value) == pytest.approx(seconds)


def test_binary_metadata_is_base64() -> None:
    assert read_pairs(b"a-bin", b"AAEC,AAE") == [("a-bin", b"\0\1\2"), ("a-bin", b"\0\1")]
    assert read_pairs(b"a-bin", b"*") in ([], [("a-bin", b"")])
    assert read_pairs(b"a", b"\xe4") == [("a", "ä")]


@pytest.mark.parametrize(
    ("content_type", "grpc"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc; charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/grpc+json", False),
        (b"", False),
    ],
)
def test_a_call_is_told_by_its_type(content_type: bytes, grpc: bool) -> None:
    assert is_grpc(content_type) is grpc
