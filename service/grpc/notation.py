"""How gRPC writes timeouts, sentences and metadata in headers, over HTTP/2 and in gRPC-Web."""

import binascii
import re
from urllib.parse import quote

from ekiben.service.errors import BadRequest

TIMEOUT = re.compile(rb"(\d{1,8})([HMSmun])")
UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
UNESCAPED = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")  # of a sentence; all else is %-encoded UTF-8
BINARY = b"-bin"  # how the names of base64's metadata end


def read_timeout_s(value: bytes) -> float:
    """Return what a header `grpc-timeout` gives."""
    found = TIMEOUT.fullmatch(value)
    if found is None:
        raise BadRequest(400, "the header grpc-timeout is not a number of up to 8 digits and one of H, M, S, m, u, n")
    return int(found[1]) * UNITS_S[found[2]]


def escape_sentence(sentence: str) -> str:
    """Return a status' sentence as a header `grpc-message` has it."""
    return quote(sentence, safe=UNESCAPED)


def read_pairs(name: bytes, value: bytes) -> list[tuple[str, str | bytes]]:
    """Return a header as metadata: several values if they were joined by commas, none if base64 can't be read."""
    if not name.endswith(BINARY):
        return [(name.decode("latin-1"), value.decode("latin-1"))]
    try:
        values = [binascii.a2b_base64(one.strip() + b"=" * (-len(one.strip()) % 4)) for one in value.split(b",")]
    except binascii.Error:
        return []
    return [(name.decode("latin-1"), one) for one in values]
