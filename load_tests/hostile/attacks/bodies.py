"""Small bodies that grow, and bodies that are dear to read."""

import gzip
import json
import zlib
from collections.abc import Sequence
from functools import partial

from ekiben.load_tests.hostile.attack import REJECTED, Attack, AttackTarget, Run
from ekiben.load_tests.hostile.rows import MAX_BYTES, good_rows
from ekiben.load_tests.hostile.wire import flood, post
from ekiben.load_tests.requests.http_dialects import OIP_JSON, PREDICT, TFS_REST

CONNECTIONS = 8
ANSWERED = REJECTED | {"200"}
OIP, TFS = "/v2/models/{model}/infer", "/v1/models/{model}:predict"
MIB = 1 << 20


def send_body(
    target: AttackTarget, body: bytes, times: int, path: str = "/predict", kind: str = "application/json"
) -> Run:
    """Send one body again and again."""
    where = path.format(model=target.source.schema.name)
    return flood(target, [post(where, body, kind)] * target.times(times), CONNECTIONS)


def send_packed(
    target: AttackTarget, packed: bytes, times: int = 32, path: str = "/predict", kind: str = "application/json"
) -> Run:
    """Send one compressed body again and again, on as many connections at once."""
    where = path.format(model=target.source.schema.name)
    request = post(where, packed, kind, {"Content-Encoding": "gzip"})
    return flood(target, [request] * target.times(times), target.times(times))


def fill(piece: bytes, begin: bytes = b"", end: bytes = b"", size: int = MAX_BYTES - 100) -> bytes:
    """Return a piece repeated up to the largest body."""
    return begin + piece * ((size - len(begin) - len(end)) // len(piece)) + end


def empty_blocks() -> bytes:
    """Return 4 MB of deflate that hold nothing: a block of no bytes, again and again."""
    packer = zlib.compressobj(wbits=31)
    head = packer.compress(b"") + packer.flush(zlib.Z_NO_FLUSH)
    return (head or gzip.compress(b"")[:10]) + b"\0\0\0\xff\xff" * (4 * MIB // 5)


def send_constant(target: AttackTarget, path: str, constant: bytes) -> Run:
    """Send good rows, and a constant that is not JSON at their end."""
    request_format = {"/predict": PREDICT, OIP: OIP_JSON, TFS: TFS_REST}[path]
    size = len(json.dumps(target.source.rows[0]))
    _, body = request_format.encode(target.source.schema, good_rows(target, MAX_BYTES // size // 2))
    return send_body(target, body.rstrip()[:-1] + b', "x": ' + constant + b"}", 16, path)


def send_names(target: AttackTarget, count: int, size: int, path: str = "/predict") -> Run:
    """Send a row of names that are nearly a feature's, or begin like one and are long."""
    names = target.source.schema.names
    row = {f"{names[number % len(names)]}_{number}".ljust(size, "a"): 1 for number in range(count)}
    return send_body(
        target, json.dumps({"rows": [row]} if path == "/predict" else {"instances": [row]}).encode(), 8, path
    )


def send_tensors(target: AttackTarget, count: int) -> Run:
    """Send as many tensors as a body holds, none of which the model has."""
    inputs = [{"name": f"carrier{number}", "shape": [1], "datatype": "FP32", "data": [1]} for number in range(count)]
    return send_body(target, json.dumps({"inputs": inputs}).encode(), 8, OIP)


def send_shape(target: AttackTarget, shape: Sequence[int]) -> Run:
    """Send a tensor that claims a shape and holds one value."""
    names = target.source.schema.names
    inputs = [{"name": name, "shape": list(shape), "datatype": "FP32", "data": [1]} for name in names]
    return send_body(target, json.dumps({"inputs": inputs}).encode(), 40, OIP)


Parts = tuple[bytes, bytes, bytes]  # what 8 MB are made of, what begins them and what ends them
GROWN: dict[str, Parts] = {
    "blanks": (b" ", b"", b""),
    "newlines": (b"\n", b"", b""),
    "lists": (b"[", b"", b""),
    "objects": (b'{"a":', b"", b""),
    "empty-rows": (b"{},", b'{"rows":[', b"{}]}"),
    "empty-lists": (b"[],", b'{"rows":[', b"[]]}"),
    "empty-instances": (b"{},", b'{"instances":[', b"{}]}"),
    "empty-inputs": (b"{},", b'{"inputs":[', b"{}]}"),
    "numbers": (b"0,", b'{"rows":[', b"0]}"),
    "floats": (b"0.1,", b'{"rows":[', b"0]}"),
    "same-keys": (b'"a":1,', b'{"rows":[{', b'"a":1}]}'),
    "rows-again": (b'"rows":[],', b"{", b'"rows":[]}'),
    "escapes": (b"\\u0041", b'{"rows":"', b'"}'),
    "surrogates": (b"\\ud800", b'{"rows":["', b'"]}'),
    "not-utf8": (b"\xff", b"", b""),
    "digits": (b"9", b'{"rows":[', b"]}"),
    "integers": (b"9" * 4300 + b",", b'{"rows":[', b"NaN]}"),
    "fraction": (b"1", b'{"rows":[0.', b"]}"),
    "string": (b"a", b'{"rows":[{"carrier":"', b'"}]}'),
    "key": (b"a", b'{"rows":[{"', b'":1}]}'),
    "top-key": (b"rows", b'{"', b'":1}'),
    "lists-nan": (b"[", b'{"rows":', b"NaN"),
}
CSV: dict[str, Parts] = {
    "cell": (b"a", b"", b""),
    "cells": (b",", b"", b""),
    "quote": (b"\n", b'"', b""),
    "quotes": (b'""', b"", b""),
    "blank-lines": (b"\n", b"", b""),
    "lines": (b"1\n", b"", b""),
    "nul": (b"1\n", b"", b"\0"),
}


def send_json(target: AttackTarget, name: str) -> Run:
    return send_body(target, fill(*GROWN[name]), 16)


def send_packed_json(target: AttackTarget, name: str) -> Run:
    return send_packed(target, gzip.compress(fill(*GROWN[name])))


def send_packed_blanks(target: AttackTarget, size: int) -> Run:
    return send_packed(target, gzip.compress(b" " * size))


def send_members(target: AttackTarget) -> Run:
    return send_packed(target, gzip.compress(b" ") * 100_000)


def send_empty_blocks(target: AttackTarget) -> Run:
    return send_packed(target, empty_blocks())


def send_csv(target: AttackTarget, name: str) -> Run:
    return send_body(target, fill(*CSV[name]), 8, "/invocations", "text/csv")


KNOWN = {"predict": "/predict", "oip": OIP, "tfs": TFS}
ATTACKS = (
    *(
        Attack(f"gzip-{n}", f"32 bodies that unpack to 8 MB: {n}", partial(send_packed_json, name=n), REJECTED)
        for n in GROWN
    ),
    Attack(
        "gzip-too-large",
        "32 bodies of 100 KB that unpack to 100 MB",
        partial(send_packed_blanks, size=100 * MIB),
        REJECTED,
    ),
    Attack("gzip-members", "32 bodies of 100,000 compressed pieces", send_members, REJECTED),
    Attack("gzip-nothing", "32 bodies of 4 MB that unpack to nothing", send_empty_blocks, REJECTED),
    *(Attack(f"json-{n}", f"16 bodies of 8 MB: {n}", partial(send_json, name=n), REJECTED) for n in GROWN),
    *(
        Attack(
            f"constant-{n}", "4 MB of good rows and a NaN", partial(send_constant, path=p, constant=b"NaN"), ANSWERED
        )
        for n, p in KNOWN.items()
    ),
    Attack(
        "constant-b64",
        "4 MB of good rows and a b64",
        partial(send_constant, path=TFS, constant=b'{"b64":"YQ=="}'),
        ANSWERED,
    ),
    Attack("names-many", "a row of 100,000 unknown fields", partial(send_names, count=100_000, size=0), REJECTED),
    Attack(
        "names-tfs", "the same for TensorFlow Serving", partial(send_names, count=100_000, size=0, path=TFS), REJECTED
    ),
    Attack("names-long", "a row of 7 unknown fields of 1 MB", partial(send_names, count=7, size=MIB), REJECTED),
    Attack("tensors-many", "80,000 unknown tensors", partial(send_tensors, count=80_000), REJECTED),
    Attack("tensors-shape", "tensors of a value that claim a billion", partial(send_shape, shape=(10**9, 1)), REJECTED),
    Attack("tensors-dimensions", "tensors of 1,000 dimensions", partial(send_shape, shape=(1,) * 1000), REJECTED),
    *(Attack(f"csv-{n}", f"8 MB of CSV: {n}", partial(send_csv, name=n), REJECTED) for n in CSV),
)
