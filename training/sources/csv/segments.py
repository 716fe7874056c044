"""A CSV file's text in UTF-8, cut at ends of lines into pieces that fit into memory."""

import codecs
from collections.abc import Iterator

from ekiben.training.sources.csv.dialect import CsvFormat
from ekiben.training.sources.csv.encoding import is_utf8
from ekiben.training.sources.files import Content

_BYTES = 1 << 22  # a piece that stays in the caches, and costs little to start with
LONGEST_ROW = 1 << 25


def read_segments(content: Content, csv_format: CsvFormat) -> Iterator[bytes]:
    """Yield the header and all rows: whole lines, though the last may end within quotes.

    A line longer than LONGEST_ROW is yielded as far as it was read.
    """
    held, skipped = b"", len(csv_format.prologue.encode())
    for chunk in _read_utf8(content, csv_format.encoding):
        held += chunk[skipped:]
        skipped = 0
        end = held.rfind(b"\n") + 1 or held.rfind(b"\r", 0, -1) + 1  # the last one may be half of a newline
        if not end and len(held) > LONGEST_ROW:
            end = len(held)
        if end:
            yield held[:end]
            held = held[end:]
    if held:
        yield held


def _read_utf8(content: Content, encoding: str) -> Iterator[bytes]:
    """Yield the file's text without its byte order mark; raise UnicodeDecodeError where it is in another encoding."""
    decoder = None if is_utf8(encoding) else codecs.getincrementaldecoder(encoding)()
    is_first = True
    while chunk := content.read(_BYTES):
        text = decoder.decode(chunk).encode() if decoder else chunk
        yield text.removeprefix(codecs.BOM_UTF8) if is_first else text
        is_first = False
    if decoder:
        yield decoder.decode(b"", final=True).encode()
