"""Floods of what needs no token, and paths that forge lines of the log."""

import asyncio
from collections.abc import Iterable
from functools import partial

from ekiben.load_tests.hostile.attack import Attack, AttackTarget, Run, Traffic
from ekiben.load_tests.hostile.wire import flood, get

CONNECTIONS = 32
FORGED = "forged-line"
LOGGED = {"ACCESS_LOG_SAMPLE": "1"}
ANSWERED = frozenset({"200", "400", "404", "405", "413", "414", "429", "431", "closed"})


def do_nothing(target: AttackTarget) -> Run:
    """Attack nobody: what good callers get on this machine anyway."""

    async def run(traffic: Traffic) -> None:
        await asyncio.sleep(target.seconds)

    return run


def flood_path(target: AttackTarget, path: str, count: int) -> Run:
    """Ask one path again and again."""
    return flood(target, [get(path)] * target.times(count), CONNECTIONS)


def flood_paths(target: AttackTarget, size: int, count: int) -> Run:
    """Ask a path of that length, another one each time."""
    return flood(target, [get(f"/{number:x}/{'a' * size}") for number in range(target.times(count))], CONNECTIONS)


def flood_heads(target: AttackTarget, name: str, count: int) -> Run:
    """Send a long value of a header, another one each time."""
    heads = (get("/livez", **{name: f"{number}{'a' * 20_000}"}) for number in range(target.times(count)))
    return flood(target, heads, CONNECTIONS)


def flood_methods(target: AttackTarget) -> Run:
    """Ask by methods that nobody has."""
    methods = ("OPTIONS", "TRACE", "DELETE", "PUT", "PATCH", "PROPFIND", "M-SEARCH", "FOO")
    requests = [get("/predict").replace(b"GET", method.encode(), 1) for method in methods]
    return flood(target, requests * target.times(500), CONNECTIONS)


def flood_garbage(target: AttackTarget) -> Run:
    """Send what is no HTTP."""
    garbage = (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
        b"GARBAGE\r\n\r\n",
        b"\0" * 100,
        b"GET\r\n\r\n",
    )
    return flood(target, garbage * target.times(500), CONNECTIONS)


def forge(target: AttackTarget) -> Run:
    """Ask for paths, and with headers, that write a line of their own into a log."""
    return flood(target, list(write_forged()) * target.times(20), 8)


def write_forged() -> Iterable[bytes]:
    """Yield requests that hold line breaks and escapes, plain and encoded."""
    breaks = ("%0a", "%0A", "%0d%0a", "%0d", "%1b[2K", "%c2%85", "%e2%80%a8", "%00", "%7f", "%0b", "%0c", "%1c", "%1e")
    for given in breaks:
        for path in (f"/a{given}{FORGED}", f"/v2/models/a{given}{FORGED}", f"/v1/models/a{given}{FORGED}:predict"):
            yield get(path)
            yield get(path).replace(b"GET", b"POST", 1)
    for raw in (b"\x1b[2K", b"\x85", b"\xe2\x80\xa8", b"\r", b"\n", b"\t\x1b"):
        for name in (
            b"X-Request-Id",
            b"traceparent",
            b"User-Agent",
            b"X-Request-Timeout-Ms",
            b"Content-Type",
            b"Accept",
        ):
            yield b"POST /invocations HTTP/1.1\r\nHost: a\r\n%b: a%b%b\r\nContent-Length: 2\r\n\r\n{}" % (
                name, raw, FORGED.encode()
            )  # fmt: skip
        yield b"GET /a%b%b HTTP/1.1\r\nHost: a\r\n\r\n" % (raw, FORGED.encode())
        yield b"GET / HTTP/1.1\r\nHost: a%b%b\r\n\r\n" % (raw, FORGED.encode())


PATHS = {
    "/metrics": 2000,
    "/livez": 10_000,
    "/readyz": 10_000,
    "/docs.json": 3000,
    "/": 5000,
    "/v2": 10_000,
}
HEADERS = ("Accept", "Content-Type", "X-Request-Id", "Host", "Connection", "Upgrade")
ATTACKS = (
    Attack("nothing", "no attack: how busy this machine is by itself", do_nothing, frozenset()),
    *(
        Attack(f"flood-{p.strip('/') or 'page'}", f"{n:,} × `GET {p}`", partial(flood_path, path=p, count=n), ANSWERED)
        for p, n in PATHS.items()
    ),
    Attack("flood-paths", "10,000 paths of some bytes", partial(flood_paths, size=10, count=10_000), ANSWERED),
    Attack("flood-paths-long", "3,000 paths of 20 KB", partial(flood_paths, size=20_000, count=3000), ANSWERED),
    *(
        Attack(f"flood-{n.lower()}", f"2,000 × a {n} of 20 KB", partial(flood_heads, name=n, count=2000), ANSWERED)
        for n in HEADERS
    ),
    Attack("flood-methods", "4,000 methods that nobody has", flood_methods, ANSWERED | {"501"}),
    Attack("flood-garbage", "2,000 requests that are none", flood_garbage, ANSWERED),
    Attack(
        "forge",
        "line breaks and escapes in paths and headers",
        forge,
        ANSWERED | {"406", "415"},
        LOGGED,
        forged=(FORGED,),
    ),
)
