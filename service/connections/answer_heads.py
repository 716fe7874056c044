"""Writes the heads of answers as uvicorn does, without looking at each header by itself."""

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

Headers = Sequence[tuple[bytes, bytes]]
UNSENDABLE = bytes(code for code in (*range(32), 127) if code != 9)  # in a header's value, as uvicorn has it
SENDABLE = bytes(code for code in range(256) if code not in UNSENDABLE)


class AnswerHeads:
    """Remembers how answers of each status begin, while the headers that all of them have stay the same."""

    def __init__(self) -> None:
        self._shared: Headers = ()
        self._beginnings: dict[int, bytes] = {}

    def write(self, status: int, shared: Headers, headers: Headers) -> bytes:
        """Return the head without the blank line; `shared` is another list whenever it holds something else.

        Raises RuntimeError if a value can't be sent.
        """
        if shared is not self._shared:
            self._shared, self._beginnings = shared, {}
        beginning = self._beginnings.get(status)
        if beginning is None:
            beginning = self._beginnings[status] = STATUS_LINE[status] + _write_lines(shared)
        return beginning + _write_lines(headers)


def _write_lines(headers: Headers) -> bytes:
    pieces: list[bytes] = []
    for name, value in headers:
        pieces += (name, b": ", value, b"\r\n")
    lines = b"".join(pieces)
    if len(lines.translate(None, SENDABLE)) != 2 * len(headers):  # more than the ends of the lines
        raise RuntimeError("Invalid HTTP header value.")
    return lines
