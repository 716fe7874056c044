"""How the head of a request over HTTP/1.1 may begin, and what is taken out of it before it is parsed."""

import re

METHOD = re.compile(rb"[A-Z-]{1,24}( |$)")  # even where its first bytes come alone
PREFACE_METHOD = b"PRI "  # after which the parser waits for the rest of HTTP/2's preface, and says nothing
UPGRADE_LINE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


def may_become_head(data: bytes) -> bool:
    """Return whether bytes without a head's end may be the beginning of one."""
    return METHOD.match(data[:25]) is not None and b"\n\n" not in data


def is_preface(head: bytes) -> bool:
    """Return whether a head is how HTTP/2 begins."""
    return head.startswith(PREFACE_METHOD)


def take_upgrade_out(head: bytes) -> bytes:
    """Return a head without the Upgrade that is ignored (RFC 9110 7.8)."""
    return UPGRADE_LINE.sub(b"", head) if b"\r\nupgrade:" in head.lower() else head
