"""Parses JSON of strangers: of a large body the values are counted first, and its memory is bounded."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from ekiben.service.errors import BadRequest
from ekiben.service.offload import LARGE_BYTES

# What values take once parsed, about: `{}` is 64 bytes and its header, a number 24, a string 49 and more.
OBJECT_BYTES, LIST_BYTES, VALUE_BYTES = 200, 88, 64
MAX_PARSED_BYTES = 2**26
MAX_GROWTH = 8  # parsed to written, for bodies whose limit was raised: rows of 20 features give 5
CONSTANTS = (b"NaN", b"Infinity")
MISSING = "and NaN and Infinity are not either (null is what is missing)"


def parse_json(body: bytes, read_constant: Callable[[str], Any] = float, name: str = "the body") -> Any:
    """Return what a JSON body holds; raise BadRequest, with its name, if that is none, or too much for the memory.

    NaN and Infinity are not JSON, but Python writes them: `read_constant` returns what they stand for.
    """
    if len(body) > LARGE_BYTES:  # of others the worst takes 2 MB and a few milliseconds
        check_values(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        reason = str(error)
    if len(body) <= LARGE_BYTES:
        return _parse_slowly(body, read_constant, name)
    if not any(constant in body for constant in CONSTANTS):
        raise BadRequest(400, f"{name} is not valid JSON: {reason}")
    return _parse_constants(body, reason, read_constant, name)


def nan_to_null(name: str) -> float | None:
    """Return what the constants that Python writes stand for where NaN means missing."""
    return None if name == "NaN" else float(name)


def check_values(body: bytes) -> None:
    """Raise BadRequest if a body would take too much memory once parsed: two bytes can become a hundred."""
    codes = np.frombuffer(body, np.uint8)

    def count(character: bytes) -> int:
        pieces = range(0, len(codes), 2**20)
        return sum(int(np.count_nonzero(codes[start : start + 2**20] == character[0])) for start in pieces)

    written = len(body) * (1 if body.isascii() else 2)
    parsed = written + OBJECT_BYTES * count(b"{") + LIST_BYTES * count(b"[") + VALUE_BYTES * count(b",")
    most = max(MAX_PARSED_BYTES, MAX_GROWTH * len(body))
    if parsed > most:
        sentence = f"the body has so many values that they would take {parsed >> 20} MiB of memory"
        raise BadRequest(413, f"{sentence}, more than {most >> 20}: send fewer rows at once")


def _parse_slowly(body: bytes, read_constant: Callable[[str], Any], name: str) -> Any:
    """Parse a small body at ten times the cost, with NaN, 1e999 and lone surrogates in it, for the checks to name."""
    try:
        return json.loads(body.decode(), parse_constant=read_constant)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
    raise BadRequest(400, f"{name} is not valid JSON: {reason}")


def _parse_constants(body: bytes, reason: str, read_constant: Callable[[str], Any], name: str) -> Any:
    """Parse a large body in which NaN or Infinity may stand for values."""
    if read_constant("NaN") is not None:
        raise BadRequest(400, f"{name} is not valid JSON, {MISSING}: {reason}")
    try:
        return orjson.loads(write_null(body))
    except orjson.JSONDecodeError as error:
        raise BadRequest(400, f"{name} is not valid JSON, {MISSING}: {error}") from None


def write_null(body: bytes) -> bytes:
    """Return JSON with null where NaN stood for a value; in a string it stays.

    It stands in a string if an odd number of quotes comes before it. Escaped ones don't count: they are blanked out in
    a copy, after escaped backslashes, which would seem to escape what follows them.
    """
    shadow = body.replace(b"\\\\", b"__").replace(b'\\"', b"__") if b"\\" in body else body
    codes = np.frombuffer(body, np.uint8)
    quotes = np.flatnonzero(np.frombuffer(shadow, np.uint8) == ord('"'))
    found = np.flatnonzero((codes[:-2] == ord("N")) & (codes[1:-1] == ord("a")) & (codes[2:] == ord("N")))
    values = found[np.searchsorted(quotes, found) % 2 == 0]
    written = codes.copy()
    for offset, character in enumerate(b"nul"):
        written[values + offset] = character
    return np.insert(written, values + 3, ord("l")).tobytes()
