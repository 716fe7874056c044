"""Looks at every page's header before a page is unpacked: a few bytes may claim two gigabytes.

https://github.com/apache/arrow-rs/issues/10734; the headers' source is that of `footer.py`.
"""

from dataclasses import dataclass

from ekiben.service.parquet.footer import BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY, TYPE_LENGTH, Chunk
from ekiben.service.parquet.thrift import INT, Damaged, Fields, ThriftReader

DATA, INDEX, DICTIONARY, DATA_V2 = range(4)
MAX_PAGES = 20_000  # half a second; writers fill pages of a megabyte or 20,000 rows
PLAIN, DELTA_LENGTH_BYTE_ARRAY = 0, 6  # of strings: no more bytes in the table than in the page
DICTIONARY_ENCODINGS = (2, 8)
MIN_VALUE_BYTES = {BYTE_ARRAY: 4, 0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8}  # of a value in a dictionary, by its type
HEADER: Fields = {
    1: INT,  # type
    2: INT,  # bytes unpacked
    3: INT,  # bytes
    5: {1: INT, 2: INT},  # data: values, encoding
    7: {1: INT},  # dictionary: values
    8: {1: INT, 4: INT, 5: INT, 6: INT},  # data, version 2: values, encoding, bytes of definition and repetition levels
}


@dataclass(slots=True)
class UnpackedSize:
    """How much a column's pages unpack to."""

    bytes: int = 0
    row_bytes: int = 1  # at most, of a row, beyond its share of `bytes`: a dictionary's text may be that of each row
    pages: int = 0


def measure_pages(
    body: bytes | bytearray, chunk: Chunk, element: Fields, rows: int, unpacked_size: UnpackedSize
) -> None:
    """Add what a chunk's pages say; raise Damaged or IndexError if it can't be right."""
    index, end, values, dictionary = chunk.start, chunk.start + chunk.packed_bytes, 0, 0
    while values < rows:
        reader = ThriftReader(body, index, end)
        header = reader.read_struct(HEADER)
        kind, unpacked, packed = header[1], header[2], header[3]
        index = reader.position + packed
        if packed < 0 or unpacked < 0 or index > end or (chunk.codec == 0 and packed != unpacked):
            raise Damaged("a page has another size than it says")
        unpacked_size.bytes += unpacked
        unpacked_size.pages += 1
        if unpacked_size.pages > MAX_PAGES:
            raise Damaged("there are too many pages")
        if kind == DICTIONARY:
            if dictionary or values or not 0 <= header[7][1] * find_min_bytes(chunk.type, element) <= unpacked:
                raise Damaged("a dictionary has another size than it says")
            dictionary = unpacked
        elif kind != INDEX:
            count, encoding = read_data_header(header, kind)
            values += count
            unpacked_size.row_bytes = max(
                unpacked_size.row_bytes, find_row_bytes(chunk.type, element, encoding, dictionary, unpacked)
            )
    if values != rows:
        raise Damaged("the pages have other rows than the footer says")


def read_data_header(header: Fields, kind: int) -> tuple[int, int]:
    """Return how many values a data page has, and their encoding."""
    if kind == DATA:
        count, encoding = header[5][1], header[5][2]
    elif kind == DATA_V2:
        data = header[8]
        count, encoding, definition, repetition = data[1], data[4], data[5], data[6]
        if definition < 0 or repetition != 0 or definition > min(header[2], header[3]):
            raise Damaged("a page has other levels than a flat column")
    else:
        raise Damaged("a page has an unknown type")
    if count < 0:
        raise Damaged("a page has less than no values")
    return count, encoding


def find_min_bytes(kind: int, element: Fields) -> int:
    """Return what a value in a dictionary takes at least."""
    return max(1, element.get(TYPE_LENGTH, 1)) if kind == FIXED_LEN_BYTE_ARRAY else MIN_VALUE_BYTES.get(kind, 1)


def find_row_bytes(kind: int, element: Fields, encoding: int, dictionary: int, unpacked: int) -> int:
    """Return what a row may take at most where the page holds less than its rows do."""
    if kind == FIXED_LEN_BYTE_ARRAY:
        return int(element.get(TYPE_LENGTH, 0))  # of nulls too, which take nothing in the page
    if kind != BYTE_ARRAY or encoding in (PLAIN, DELTA_LENGTH_BYTE_ARRAY):
        return 0
    return dictionary if encoding in DICTIONARY_ENCODINGS else unpacked
