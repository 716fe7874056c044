"""Requests that don't wait for answers, and requests that are hidden in others."""

import asyncio
from collections.abc import Sequence
from functools import partial

from ekiben.load_tests.hostile.attack import CLOSED, MARK, Attack, AttackTarget, Run, Traffic
from ekiben.load_tests.hostile.rows import ask, good_rows
from ekiben.load_tests.hostile.wire import Streams, connect, get, pour, read_all
from ekiben.load_tests.requests.http_dialects import PREDICT

MIB = 1 << 20
PIECE = 64 << 10
SHUT = {"MAX_WAIT_S": "0.001"}  # requests are rejected as soon as some twenty wait
NAME = b"_" * 20  # stands for the hider's, so that each is as long
HIDDEN = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nX-Request-Id: %b%b\r\n\r\n" % (MARK.encode(), NAME)
CROWD, CROWD_ROWS, HIDERS = 100, 8, 40
BETWEEN_S = 0.02  # packets
WAIT_S = 0.5
START = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
NONE = b"Content-Length: 0\r\n"
SIZE_LINE = b"%x\r\n" % len(HIDDEN)
SIZE_LINE_LENGTH = b"Content-Length: %d\r\n" % len(SIZE_LINE)
LAST_CHUNK = b"\r\n0\r\n\r\n"
CODINGS = {  # that only some parsers take for Transfer-Encoding: chunked
    "lf": b"X: a\nTransfer-Encoding: chunked\r\n",
    "cr": b"X: a\rTransfer-Encoding: chunked\r\n",
    "spaced": b"Transfer-Encoding : chunked\r\n",
    "tab": b"Transfer-Encoding:\tchunked\r\n",
    "upper": b"TRANSFER-ENCODING: CHUNKED\r\n",
    "twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "other": b"Transfer-Encoding: xchunked\r\n",
    "folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "identity": b"Transfer-Encoding: identity, chunked\r\n",
    "indented": b" Transfer-Encoding: chunked\r\n",
}
ANSWERED = frozenset({"200", "400", "404", "405", "408", "411", "413", "429", "431", "501", "505", CLOSED})


def pipeline(target: AttackTarget, request: bytes, listens: bool) -> Run:
    """Send 5 MB of one request on 20 connections."""
    block = request * (PIECE // len(request) + 1)
    return pour(target, [block] * max(1, target.times(5 * MIB) // 20 // len(block)), 20, listens)


def pipeline_rows(target: AttackTarget, listens: bool) -> Run:
    return pipeline(target, ask(target, PREDICT, good_rows(target, 1)), listens)


def pipeline_halves(target: AttackTarget) -> Run:
    """Send requests that end in the middle of a packet, so that the next ones begin there."""
    request = ask(target, PREDICT, good_rows(target, 1))
    whole = request * 400
    return pour(target, [whole[start : start + 1500] for start in range(0, len(whole), 1500)], 20)


def write_hiders() -> dict[str, tuple[bytes, bytes]]:
    """Return requests that one parser takes as one, and another as two; the second begins with the second part."""
    size = b"Content-Length: %d\r\n" % len(HIDDEN)
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
    bodies = {
        "two-lengths": NONE + size,
        "two-lengths-turned": size + NONE,
        "two-lengths-spelt": NONE + size.replace(b"C", b"c"),
        "length-list": b"Content-Length: 0, %d\r\n" % len(HIDDEN),
        "length-signed": b"Content-Length: +%d\r\n" % len(HIDDEN),
        "length-spaced": NONE + b"Content-Length : %d\r\n" % len(HIDDEN),
        "length-folded": b"Content-Length: 0\r\n %d\r\n" % len(HIDDEN),
        "length-vertical": b"Content-Length: \x0b0\r\n",
        "length-hidden": b"X: a\n" + size + NONE,
        "name-nul": b"X\0: a\r\n" + NONE,
        "name-space": b"X Y: a\r\n" + NONE,
        "value-nul": b"X: a\0b\r\n" + NONE,
        "value-cr": b"X: a\rb\r\n" + NONE,
        "no-colon": b"X\r\n" + NONE,
        "upgrade": upgrade + size,
        "upgrade-websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + size,
        "close": b"Connection:  Close\r\n" + NONE,
        "close-tab": b"Connection:\tclose\r\n" + NONE,
        "close-listed": b"Connection: x, close\r\n" + NONE,
        "close-second": b"Connection: keep-alive\r\nConnection: close\r\n" + NONE,
        "expect": b"Expect: 100-continue\r\n" + size,
    }
    hiders = {name: (START + lines + b"\r\n", HIDDEN) for name, lines in bodies.items()}
    hiders |= {
        f"chunked-{name}": (START + lines + SIZE_LINE_LENGTH + b"\r\n" + SIZE_LINE, HIDDEN + LAST_CHUNK)
        for name, lines in CODINGS.items()
    }
    versions = {"close-old": b"HTTP/1.0", "version-9": b"HTTP/9.9", "version-none": b"", "version-lower": b"http/1.1"}
    hiders |= {name: (START.replace(b"HTTP/1.1", given) + NONE + b"\r\n", HIDDEN) for name, given in versions.items()}
    return hiders


def hide_all(target: AttackTarget, parts: int) -> Run:
    """Send hiding requests of each kind on many connections at once, amid honest ones that shut the gate."""
    honest = ask(target, PREDICT, good_rows(target, CROWD_ROWS))

    async def run(traffic: Traffic) -> None:
        for name, (first, second) in write_hiders().items():
            marked = second.replace(NAME, name.ljust(len(NAME), "_").encode())
            await hide([first, marked] if parts == 2 else [first + marked], traffic)

    async def hide(packets: Sequence[bytes], traffic: Traffic) -> None:
        crowd = [await connect(target) for _ in range(CROWD)]
        hiders = [await connect(target) for _ in range(target.times(HIDERS))]
        for _ in range(2):
            write_to(crowd, honest, traffic)
        for packet in packets:
            write_to(hiders, packet, traffic)
            await asyncio.sleep(BETWEEN_S)
        listening = [read_all(reader, Traffic(), WAIT_S) for reader, _ in crowd]
        await asyncio.gather(*listening, *(read_all(reader, traffic, WAIT_S) for reader, _ in hiders))
        for _, writer in (*crowd, *hiders):
            writer.transport.abort()

    return run


def write_to(connections: Sequence[Streams], data: bytes, traffic: Traffic) -> None:
    """Send the same on each connection."""
    for _, writer in connections:
        if not writer.transport.is_closing():
            writer.write(data)
            traffic.sent += len(data)


ATTACKS = (
    *(
        Attack(
            f"pipeline-{name}{'' if listens else '-unread'}",
            f"5 MB of {about} on 20 connections" + ("" if listens else ", no answer read"),
            partial(prepare, listens=listens),
            ANSWERED,
        )
        for listens in (True, False)
        for name, about, prepare in (
            ("get", "`GET /`", partial(pipeline, request=get("/"))),
            ("missing", "`GET /a`", partial(pipeline, request=get("/a"))),
            ("probe", "`GET /livez`", partial(pipeline, request=get("/livez"))),
            ("rows", "requests of a row", pipeline_rows),
            ("empty", "POSTs without a body", partial(pipeline, request=b"POST /predict HTTP/1.1\r\nHost: a\r\n\r\n")),
        )
    ),
    Attack("pipeline-halves", "400 requests in packets of 1500 bytes on 20 connections", pipeline_halves, ANSWERED),
    *(
        Attack(
            f"smuggle-{name}",
            f"requests hidden in others{when}{how}",
            partial(hide_all, parts=parts),
            ANSWERED,
            settings,
            crowded=True,
        )
        for name, when, how, parts, settings in (
            ("shut", " while the gate is shut", "", 1, SHUT),
            ("shut-parts", " while the gate is shut", ", in two packets", 2, SHUT),
            ("open", "", "", 1, {}),
            ("open-parts", "", ", in two packets", 2, {}),
        )
    ),
)
