"""Bodies that never end, and honest ones that come all at once."""

import json
from functools import partial

from ekiben.load_tests.hostile.attack import CLOSED, REJECTED, Attack, AttackTarget, Run
from ekiben.load_tests.hostile.rows import MAX_BYTES, good_rows
from ekiben.load_tests.hostile.wire import flood, post, post_packed, pour

NEVER = REJECTED | {"200", "408", CLOSED}
MIB = 1 << 20
HOUR_MS = 3_600_000
HONEST_ROWS, HONEST_CALLERS = 19_500, 70


def stay(target: AttackTarget, size: int, connections: int, headers: bytes) -> Run:
    """Send most of a body, and never its end."""
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + headers + b"\r\n"
    return pour(target, [head, *[b" " * (64 << 10)] * (size // (64 << 10))], target.times(connections))


def stay_chunked(target: AttackTarget, connections: int) -> Run:
    """The same in chunks, of which there may be any number."""
    chunk = b"10000\r\n" + b" " * (64 << 10) + b"\r\n"
    head = (
        b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Request-Timeout-Ms: %d\r\n\r\n" % HOUR_MS
    )
    return pour(target, [head, *[chunk] * 120], target.times(connections))


def pour_body(target: AttackTarget, mib: int) -> Run:
    """Send a body that is far too large."""
    head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return pour(target, [head % (mib * MIB), *[b" " * MIB] * mib], target.times(8))


def ask_honestly(target: AttackTarget, packed: bool) -> Run:
    """Ask what is within every limit, all at once."""
    names = target.source.schema.names
    size = len(json.dumps(target.source.rows[0], separators=(",", ":")))
    rows = [{name: row[name] for name in names} for row in good_rows(target, min(HONEST_ROWS, MAX_BYTES // size - 500))]
    body = json.dumps({"rows": rows}, separators=(",", ":")).encode()
    request = post_packed("/predict", body) if packed else post("/predict", body)
    callers = target.times(HONEST_CALLERS)
    return flood(target, [request] * callers, callers)


BEGUN = b"Content-Length: 8000000\r\nX-Request-Timeout-Ms: %d\r\n" % HOUR_MS
FEW_BEGUN = b"Content-Length: 1100000\r\n"
WELCOME = frozenset({"200", "429"})


ATTACKS = (
    Attack(
        "body-slow",
        "20 bodies that stop before their end, with an hour's time",
        partial(stay, size=15 * MIB // 2, connections=20, headers=BEGUN),
        NEVER,
    ),
    Attack(
        "body-slow-many",
        "300 bodies of 1 MB that stop before their end",
        partial(stay, size=MIB, connections=300, headers=FEW_BEGUN),
        NEVER,
    ),
    Attack(
        "body-slow-chunked",
        "60 bodies in chunks that stop before their end",
        partial(stay_chunked, connections=60),
        NEVER,
    ),
    Attack("body-too-large", "8 bodies of 100 MB", partial(pour_body, mib=100), NEVER),
    Attack(
        "honest",
        f"{HONEST_CALLERS} POSTs of 8 MB at once, within every limit",
        partial(ask_honestly, packed=False),
        WELCOME,
        crowded=True,
    ),
    Attack(
        "honest-gzip",
        f"the same {HONEST_CALLERS}, compressed",
        partial(ask_honestly, packed=True),
        WELCOME,
        crowded=True,
    ),
)
