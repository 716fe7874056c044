"""Writes the heads of answers as uvicorn does, without looking at each header by itself."""

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from ekiben.service.http.messages import MODEL_VERSION_HEADER
from ekiben.service.prediction_ids import HEADER

Headers = Sequence[tuple[bytes, bytes]]
UNSENDABLE = bytes(code for code in (*range(32), 127) if code != 9)  # in a header's value, as uvicorn has it
# As `list_headers` has them.
PREDICTION = b"content-type: %%b\r\ncontent-length: %%d\r\n%b: %%b\r\n%b: %%b\r\n" % (HEADER, MODEL_VERSION_HEADER)
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
        return self._begin(status, shared) + _write_lines(headers)

    def write_prediction(self, shared: Headers, kind: bytes, size: int, prediction_id: bytes, version: bytes) -> bytes:
        """Return the same for the answer that most are, of that many bytes, at two thirds of the cost."""
        return self._begin(200, shared) + _check(PREDICTION % (kind, size, prediction_id, version), 4)

    def _begin(self, status: int, shared: Headers) -> bytes:
        if shared is not self._shared:
            self._shared, self._beginnings = shared, {}
        beginning = self._beginnings.get(status)
        if beginning is None:
            beginning = self._beginnings[status] = STATUS_LINE[status] + _write_lines(shared)
        return beginning


def _write_lines(headers: Headers) -> bytes:
    pieces: list[bytes] = []
    for name, value in headers:
        pieces += (name, b": ", value, b"\r\n")
    return _check(b"".join(pieces), len(headers))


def _check(lines: bytes, count: int) -> bytes:
    """Return so many lines; raise RuntimeError if in one of them is what can't be sent."""
    if len(lines.translate(None, SENDABLE)) != 2 * count:  # more than the ends of the lines
        raise RuntimeError("Invalid HTTP header value.")
    return lines
