"""Reads a request's body: all of it or a clear no, unpacked if it came compressed, as JSON if it is that."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import orjson

from service.errors import BadRequest
from service.http import Request

# zlib's window bits: gzip and zlib headers are told apart by themselves.
AUTOMATIC = 32 + zlib.MAX_WBITS
CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})


async def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """Return the body; raise BadRequest if it is too large, too slow or not compressed as it says."""
    coding = request.headers.get(b"content-encoding")
    body = await request.read_body(max_bytes, timeout_s)
    if coding is None or coding == b"identity":
        return body
    if coding.strip().lower() not in CODINGS:
        shown = coding.decode("latin-1")
        raise BadRequest(415, f"content encoding {shown!r} is not supported: send gzip, deflate or none")
    return decompress(body, max_bytes)


def decompress(body: bytes, max_bytes: int) -> bytes:
    """Return what a gzip or deflate body holds; raise BadRequest if that is too much or damaged."""
    unpacker = zlib.decompressobj(AUTOMATIC)
    try:
        content = unpacker.decompress(body, max_bytes + 1)
        if not unpacker.eof and len(content) <= max_bytes:
            raise BadRequest(400, "the compressed body ends too soon")
    except zlib.error:
        raise BadRequest(400, "the body is not compressed as its content encoding says") from None
    if len(content) > max_bytes:
        raise BadRequest(413, f"the body is larger than {max_bytes} bytes once unpacked: send fewer rows at once")
    return content


def parse_json(body: bytes, read_constant: Callable[[str], Any] = float) -> Any:
    """Return what a JSON body holds; raise BadRequest if it holds none.

    NaN and Infinity are no JSON, but Python writes them: `read_constant` says what they stand for.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return parse_json_slowly(body, parse_constant=read_constant)


def nan_to_null(name: str) -> float | None:
    """Return what the constants that Python writes stand for where NaN means missing."""
    return None if name == "NaN" else float(name)


def parse_json_slowly(body: bytes, **hooks: Any) -> Any:
    """Do the same with the standard library and its hooks, at ten times the cost."""
    try:
        return json.loads(body.decode(), **hooks)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
    raise BadRequest(400, f"the body is not valid JSON: {reason}")
