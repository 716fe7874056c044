"""Streams, metadata and resets that no gRPC client would send."""

import asyncio
from collections.abc import Sequence
from functools import partial

from ekiben.load_tests.hostile.attack import CLOSED, Attack, AttackTarget, Run, Traffic
from ekiben.load_tests.hostile.http2 import (
    ACK,
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    head,
)  # fmt: skip
from ekiben.load_tests.hostile.protobuf import field_of
from ekiben.load_tests.hostile.rows import good_rows
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW
from ekiben.service.connections.http2.frames import PREFACE

WATCH, REFLECT = "/grpc.health.v1.Health/Watch", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
EMPTY = b"\0\0\0\0\0"  # a message of no bytes
SEEN = {HEADERS: "answered", RST_STREAM: "reset", GOAWAY: "goaway"}
ANY = frozenset({*SEEN.values(), CLOSED})
WINDOW_SETTING = 4
NO_WINDOW = frame(SETTINGS, 0, 0, WINDOW_SETTING.to_bytes(2, "big") + bytes(4))
STREAMS = 50  # sent together


def pour_frames(target: AttackTarget, blocks: Sequence[bytes], connections: int, listens: bool = True) -> Run:
    """Send these frames on so many connections to the gRPC port."""

    async def run(traffic: Traffic) -> None:
        await asyncio.gather(*(pour_one(target, blocks, traffic, listens) for _ in range(connections)))

    return run


async def pour_one(target: AttackTarget, blocks: Sequence[bytes], traffic: Traffic, listens: bool) -> None:
    """Send frames on one connection, and count what comes."""
    writer = None
    try:
        async with asyncio.timeout(target.seconds):
            reader, writer = await asyncio.open_connection(target.address[0], target.grpc_port)
            reading = asyncio.ensure_future(count_frames(reader, traffic)) if listens else None
            writer.write(PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0))
            for block in blocks:
                writer.write(block)
                traffic.sent += len(block)
                await writer.drain()
            await (reading or asyncio.sleep(target.seconds))
    except (TimeoutError, OSError):
        pass
    if writer:
        writer.transport.abort()


async def count_frames(reader: asyncio.StreamReader, traffic: Traffic) -> None:
    """Count answers, resets and the end of a connection."""
    try:
        while True:
            start = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(start[:3], "big"))
            if start[3] in SEEN:
                traffic.answers[SEEN[start[3]]] += 1
    except (asyncio.IncompleteReadError, OSError):
        traffic.answers[CLOSED] += 1


def open_streams(path: str, count: int, message: bytes | None, ends: int = 0) -> list[bytes]:
    """Return the frames of calls that stay open."""
    block = head(path)
    data = b"" if message is None else message
    frames = [
        frame(HEADERS, END_HEADERS, 2 * number + 1, block) + (frame(DATA, ends, 2 * number + 1, data) if data else b"")
        for number in range(count)
    ]
    return [b"".join(frames[start : start + STREAMS]) for start in range(0, count, STREAMS)]


def watch(target: AttackTarget) -> Run:
    return pour_frames(target, open_streams(WATCH, target.times(1000), EMPTY, END_STREAM), 10)


def reset(target: AttackTarget, path: str) -> Run:
    """Begin calls and reset them at once."""
    block = head(path)
    pairs = [
        frame(HEADERS, END_HEADERS, 2 * number + 1, block) + frame(RST_STREAM, 0, 2 * number + 1, CANCEL)
        for number in range(target.times(2000))
    ]
    return pour_frames(target, [b"".join(pairs[start : start + STREAMS]) for start in range(0, len(pairs), STREAMS)], 4)


def send_nothing(target: AttackTarget) -> Run:
    return pour_frames(target, open_streams(OIP_RAW.path, target.times(1000), None), 10)


def continue_heads(target: AttackTarget) -> Run:
    """Begin a head and never end it."""
    first = frame(HEADERS, 0, 1, head(OIP_RAW.path))
    more = frame(CONTINUATION, 0, 1, (b"\0\1a\x7f\x81\x7f" + b"a" * 16_256)[:16_384])
    return pour_frames(target, [first, *[more] * target.times(2000)], 4)


def send_metadata(target: AttackTarget, size: int, names: int) -> Run:
    """Send calls with that much metadata."""
    block = head(OIP_RAW.path, {f"x-{number}": "a" * size for number in range(names)})
    pieces = [block[start : start + 16_000] for start in range(0, len(block), 16_000)]

    def write(stream: int) -> bytes:
        kinds = [HEADERS, *[CONTINUATION] * (len(pieces) - 1)]
        last = len(pieces) - 1
        return b"".join(
            frame(kind, END_HEADERS if number == last else 0, stream, piece)
            for number, (kind, piece) in enumerate(zip(kinds, pieces, strict=True))
        )

    return pour_frames(target, [write(2 * number + 1) for number in range(target.times(200))], 8)


def repeat(target: AttackTarget, one: bytes, count: int) -> Run:
    """Begin a call, and send one frame again and again."""
    begun = frame(HEADERS, END_HEADERS, 1, head(OIP_RAW.path))
    return pour_frames(target, [begun, *[one * 100] * (target.times(count) // 100 + 1)], 4)


def leave_answers(target: AttackTarget) -> Run:
    """Ask for large answers, and let the window for them shut."""
    _, body = OIP_RAW.encode(target.source.schema, good_rows(target, 5000))
    message = b"\0" + len(body).to_bytes(4, "big") + body
    pieces = [message[start : start + 16_000] for start in range(0, len(message), 16_000)]
    blocks = [NO_WINDOW]
    for number in range(20):
        stream = 2 * number + 1
        blocks.append(frame(HEADERS, END_HEADERS, stream, head(OIP_RAW.path)))
        blocks += [frame(DATA, 0, stream, piece) for piece in pieces[:-1]]
        blocks.append(frame(DATA, END_STREAM, stream, pieces[-1]))
    return pour_frames(target, blocks, target.times(10))


def reflect(target: AttackTarget) -> Run:
    """Ask for the descriptors again and again, in streams that stay."""
    asked = field_of(4, b"inference.GRPCInferenceService")
    message = b"\0" + len(asked).to_bytes(4, "big") + asked
    return pour_frames(target, open_streams(REFLECT, target.times(100), message * 50), 10)


FRAMES = {
    "pings": frame(PING, 0, 0, bytes(8)),
    "settings": frame(SETTINGS, 0, 0, b"\0\4\0\1\0\0"),
    "windows": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
    "empty-data": frame(DATA, 0, 1),
    "unknown": frame(99, 0, 0),
}
ATTACKS = (
    Attack("grpc-watch", "10,000 Watch on 10 connections", watch, ANY),
    *(
        Attack(
            f"grpc-reset-{name}",
            f"2,000 {name} calls reset at once on each of 4 connections",
            partial(reset, path=path),
            ANY,
        )
        for name, path in (("infer", OIP_RAW.path), ("watch", WATCH), ("unknown", "/a/b"))
    ),
    Attack("grpc-nothing", "10,000 calls whose message never comes", send_nothing, ANY),
    Attack("grpc-continuation", "heads that never end, 32 MB each on 4 connections", continue_heads, ANY),
    *(
        Attack(
            f"grpc-metadata-{size}x{names}",
            f"1,600 calls with {names} headers of {size} bytes",
            partial(send_metadata, size=size, names=names),
            ANY,
        )
        for size, names in ((7000, 1), (60_000, 1), (1, 1500), (1_000_000, 1))
    ),
    *(
        Attack(f"grpc-{name}", f"400,000 frames: {name}", partial(repeat, one=one, count=100_000), ANY)
        for name, one in FRAMES.items()
    ),
    Attack("grpc-unread", "200 answers of 5,000 rows that nobody reads", leave_answers, ANY, crowded=True),
    Attack("grpc-reflection", "1,000 streams that ask 50 times for the descriptors", reflect, ANY),
)
