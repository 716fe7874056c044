"""Where a request's body ends, and how much of what came was frame instead of content."""

BLANK_LINE = b"\r\n\r\n"
CHUNKED = -1  # bytes of a body whose length is not known before its end
CHUNK_PIECE, MAX_CHUNKS = 8192, 500  # bytes of such a body that are parsed at once; chunks, before others are read


class BodyFrame:
    """What is known of the body that a connection is receiving; used again for the next one."""

    __slots__ = ("_tail", "chunks", "discarded_bytes", "framing_bytes", "left")

    def __init__(self) -> None:
        self.chunks = 0  # that were parsed in this tick of the event loop
        self.begin()

    def begin(self) -> None:
        """Begin another body; `left` is set once its length was read."""
        self.left = CHUNKED  # bytes still to come
        self._tail = b""  # of a chunked body: its last bytes, as far as they may belong to its end
        self.framing_bytes = 0  # since the last that were content: chunk extensions, trailers
        self.discarded_bytes = 0  # since its answer

    def take(self, data: bytes) -> int:
        """Return how many of the bytes to parse next, and count them."""
        if self.left == CHUNKED:
            size = self._find_chunks_end(data)
            self.framing_bytes += size
        else:
            size = min(self.left, len(data))
            self.left -= size
            self.framing_bytes = 0
        return size

    def count_content(self) -> None:
        """Note that the parser has found content."""
        self.framing_bytes = 0
        self.chunks += 1

    def _find_chunks_end(self, data: bytes) -> int:
        """Return how many bytes to parse next: a chunked body can only end with a blank line."""
        window = self._tail + data[:CHUNK_PIECE]
        end = window.find(BLANK_LINE)
        size = end + 4 - len(self._tail) if end >= 0 else len(window) - len(self._tail)
        self._tail = b"" if end >= 0 else window[-3:]
        return size
