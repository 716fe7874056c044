"""A whole HTTP/1.1 request, as bytes."""

from collections.abc import Mapping


def http_request(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a POST as HTTP/1.1 has it."""
    given = {"Host": "127.0.0.1", "Content-Length": str(len(body))} | dict(headers)
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
