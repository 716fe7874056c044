"""Recognises requests that can be rejected unparsed: a pattern that is stricter than the parser."""

import re
from functools import lru_cache

from ekiben.service.connections.body_frame import BLANK_LINE

MAX_HEAD = 4096  # bytes that are remembered; a longer one is read
# What is rejected unread must be what the parser would accept, and must end where the parser would end it: a name, a
# value, a line's end that it takes otherwise would let a request hide in another's body.
_FIELD = (
    rb"(?:(?!content-length|transfer-encoding|connection|upgrade|expect)[!#$%&'*+.^_`|~0-9a-z-]+:[\t\x20-\x7e\x80-\xff]*"
    rb"|connection:[\t ]*keep-alive[\t ]*)\r\n"
)
PLAIN_POST = re.compile(
    rb"POST /[\w./:%%~?=&,+-]* (?-i:HTTP/1\.1)\r\n(?:%b)*content-length:[\t ]*(\d{1,10})[\t ]*\r\n(?:%b)*\r\n"
    % (_FIELD, _FIELD),
    re.IGNORECASE,
)


def is_complete_post(data: bytes) -> bool:
    """Return whether the bytes are exactly one request that may carry rows, on a connection that stays."""
    end = data.find(BLANK_LINE) + 4
    return 4 <= end <= MAX_HEAD and len(data) == end + read_length(data[:end])


@lru_cache(maxsize=256)  # callers send few different heads, over and over
def read_length(head: bytes) -> int:
    """Return how long the body of such a request is by its head; -1 for others."""
    matched = PLAIN_POST.fullmatch(head) if head.startswith(b"POST ") else None
    return int(matched[1]) if matched else -1
