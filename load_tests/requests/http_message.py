"""Whole HTTP/1.1 messages, as bytes: requests written, and answers read."""

import asyncio
from collections.abc import Mapping

TIMEOUT_S = 10.0  # for an answer


def http_request(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a POST as HTTP/1.1 has it."""
    given = {"Host": "127.0.0.1", "Content-Length": str(len(body))} | dict(headers)
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return the status and body of the next answer; 0 if the connection ends first."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            head = await reader.readuntil(b"\r\n\r\n")
            index = head.lower().index(b"\r\ncontent-length:") + 17
            body = await reader.readexactly(int(head[index:].partition(b"\r\n")[0]))
    except (TimeoutError, asyncio.IncompleteReadError, OSError):
        return 0, b""
    return int(head[9:12]), body
